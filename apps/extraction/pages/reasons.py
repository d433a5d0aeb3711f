"""What happened, in sentences: why a run failed, and why a value has no place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _


def why_unplaced(each: Mapping[str, Any]) -> str:
    name = str(each.get("field") or "").strip("/").split("/")[0]
    whys = {
        "no_such_field": _("No field fits"),
        "no_collection": _("No collection fits"),
        "does_not_fit": _("“%(field)s” takes something else") % {"field": name},
        "ambiguous": _("Can be read in several ways for “%(field)s”") % {"field": name},
        "several": _("Several values for one field, “%(field)s”") % {"field": name},
        "twice": _("There is a value for “%(field)s” already") % {"field": name},
        "rest": _("Left over from the value of “%(field)s”") % {"field": name},
        "no_value": _("Says that there is no value"),
        "unlinked": _("Belongs to nothing that was found"),
        "field_gone": _("The field “%(field)s” takes this no more, or is gone") % {"field": name},
        "no_record": _("Not one record that is called so, for “%(field)s”") % {"field": name},
        "not_asked": _("Was not asked for"),
        "too_large": _("Too large to be read"),
    }
    return whys.get(str(each.get("reason")), _("Fits nowhere"))


def why_unread(code: str) -> str:
    """Why some of the words were not read."""
    whys = {
        "file_too_long": _("Of a file the first million characters are kept."),
        "older_messages": _("Of a long conversation only what was said last is read."),
        "too_long": _("At most a million characters are read at once. Select the rest, or split the text."),
        "too_many_pieces": _("The model can read so little at once that this would take more than 100 pieces."),
        "reading_time": _("An hour had passed."),
        "person": _("Somebody stopped it there."),
        "answer_cut": _("The model's answer about one piece ended early: something in it may be missing."),
        "answer_quota_reached": _("Whoever asked has used up their answers. Ask again for the rest later."),
        "content": _("The provider's rules for content do not allow this."),
        "empty": _("The model said nothing about it."),
        "context_length": _("The model cannot read so much at once."),
    }
    return whys.get(code) or reason_of(code)


def reason_of(code: str) -> str:
    """What happened, and what to do next."""
    texts = {
        "auth": _("The provider refused the key. An admin can enter a new one in the settings."),
        "rate_limited": _("The provider takes no more requests at the moment. Try again in a while."),
        "overloaded": _("The provider is overloaded. Try again in a while."),
        "timeout": _("The model did not answer in time. Try again."),
        "network": _("The provider could not be reached. Try again."),
        "budget": _("The budget of the organization is used up for this month. An admin can raise it."),
        "no_model": _("No model is connected. An admin can connect one in the settings."),
        "forbidden": _("Whoever asked may no longer write records here, so nothing was read."),
        "nothing_to_read": _("The words are no longer there."),
        "words_are_sensitive": _("The message was marked as sensitive, and records are not sealed. Nothing was read."),
        "person": _("Somebody stopped it before anything was read."),
        "nothing_described": _(
            "No fields could be read from this. Name them: Ships with name, year built and tonnage."
        ),
        "worker_lost": _("The workers that read this stopped, three times. Try again."),
    }
    return texts.get(code, _("This could not be read. The words are as they were. Try again."))
