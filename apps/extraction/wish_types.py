"""States, limits and refusals of wishes: what somebody in a conversation wants a model to make up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.errors import Conflict, LimitReached

WISHES_FROM_WORDS = "extraction.wishes_from_words"  # the setting of a project
MAX_OPEN_WISHES = 20
MAX_WISH_ATTEMPTS = 3
WISH_CALL_SECONDS = 60.0
MAX_WISH_FIELDS = 30
USUAL_COUNT = 5
KINDS = ("text", "long_text", "integer", "number", "boolean", "date", "email", "url", "choice")
#: Of a collection that is described. ``relation`` points to another that is there, or to itself.
DESCRIBED_KINDS = (*KINDS, "date_time", "time", "relation")
NOTHING_DESCRIBED = "nothing_described"


class WishKind(models.TextChoices):
    """What is asked for: records that are made up, or a collection with nothing in it."""

    RECORDS = "records", _("Records")
    COLLECTION = "collection", _("A collection")


class WishStatus(models.TextChoices):
    """``nothing``: words that sounded like a wish and are none; nobody is shown it."""

    READING = "reading", _("Being read")
    PROPOSED = "proposed", _("Waits for you")
    CONFIRMED = "confirmed", _("Confirmed")
    DISMISSED = "dismissed", _("Dismissed")
    FAILED = "failed", _("Failed")
    NOTHING = "nothing", _("No wish")


class WishDecided(Conflict):
    code = "wish_decided"
    default_detail = _("This was decided already, or is still being read.")


class TooManyWishes(LimitReached):
    code = "too_many_wishes"
    default_detail = _("Many wishes of this project are being read. Try again in a minute.")


@dataclass(frozen=True, slots=True)
class WishWork:
    """What one call needs. ``collections`` as the model reads them: short name, name, fields."""

    wish_id: UUID
    fence: int
    organization_id: UUID
    project_id: UUID
    user_id: UUID | None
    words: str
    language: str
    correlation_id: str
    kind: str = WishKind.RECORDS
    collections: tuple[tuple[str, str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class WishRead:
    """What the model understood."""

    is_wish: bool
    count: int = USUAL_COUNT
    brief: str = ""
    collection: str = ""
    name: str = ""
    fields: list[dict[str, Any]] = field(default_factory=list)
