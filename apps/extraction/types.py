"""Words, states and refusals of collections and records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.errors import Conflict, Invalid, LimitReached

MAX_COLLECTIONS_A_PROJECT = 200
MAX_RECORD_BYTES = 200_000
MAX_UNIQUE_KEYS = 5
MAX_SEARCH_TEXT = 50_000
RESTORABLE_DAYS = 30


class Trust(models.TextChoices):
    """What happens to what a model suggests."""

    REVIEW = "review", _("Always ask a person")
    REVIEW_UNSURE = "review_unsure", _("Ask a person below a confidence")
    ACCEPT = "accept", _("Take it as it is")


class RevisionKind(models.TextChoices):
    CREATED = "created", _("Made")
    CHANGED = "changed", _("Changed")
    RESTORED = "restored", _("Set back to an earlier version")
    MIGRATED = "migrated", _("Brought to a new schema")
    DELETED = "deleted", _("Deleted")
    UNDELETED = "undeleted", _("Brought back")


class SchemaRejected(Invalid):
    """``fields`` name the places by JSON pointer into the schema document; the root is the empty pointer."""

    code = "schema_rejected"
    title = _("This schema cannot be used")
    default_detail = _("This schema cannot be used.")


class SlugTaken(Conflict):
    code = "collection_slug_taken"
    default_detail = _("A collection of this project has that short name. Choose another.")


class TooManyCollections(LimitReached):
    code = "too_many_collections"
    default_detail = _("A project holds at most 200 collections.")
    limit = "collections"
    most = MAX_COLLECTIONS_A_PROJECT
    reason = "quota"


class RecordInvalid(Invalid):
    """``errors`` name every field that does not fit the schema."""

    code = "record_invalid"
    default_detail = _("Some fields do not fit the collection.")


class NotUnique(Conflict):
    """``record`` is the one that has these values, ``fields`` the unique key."""

    code = "record_not_unique"
    default_detail = _("Another record of this collection has the same values.")


class CollectionInUse(Conflict):
    """``collections`` are those whose fields point here."""

    code = "collection_in_use"
    default_detail = _("Fields of other collections point to this one. Change them first.")


@dataclass(frozen=True, slots=True)
class Change:
    """One field of a record between two versions. A value that was not there is None, and ``had`` says so."""

    field: str
    before: Any
    after: Any
    had: bool
    has: bool


@dataclass(frozen=True, slots=True)
class LinkTo:
    """``field`` of a record points to this record, at this place of its list."""

    field: str
    record_id: UUID
    title: str
    position: int
