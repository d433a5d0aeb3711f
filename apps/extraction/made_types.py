"""Limits and refusals of what models make up for records."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.core.errors import Conflict, Unprocessable

MAX_BRIEF = 4_000
MAX_MADE = 1_000  # records that one operation makes up


class MadeBefore(Conflict):
    code = "made_before"
    default_detail = _("The model made one that the operation has already.")


class NothingMade(Unprocessable):
    code = "nothing_made"
    default_detail = _("What the model answered holds no record.")


class MadeByOperation(Conflict):
    """``operation`` is the one whose items make the suggestions."""

    code = "extraction_of_operation"
    default_detail = _("An operation makes these suggestions up. Stop it, or try again what failed of it, on its page.")


class SuggestionJoined(Conflict):
    """``record`` is the one that it went into."""

    code = "suggestion_joined"
    default_detail = _("This suggestion went into a record that was there before. That record stays as it is.")
