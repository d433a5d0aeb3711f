"""How records are forgotten. What a person made stays, without their name: authors are anonymized with the person. Views that only
they had go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils.translation import gettext_lazy as _

from apps.core.doors.erasers import Eraser, erasers
from apps.core.doors.exporters import PersonExporter, person_exporters
from apps.core.doors.given import Given, given
from apps.core.doors.handovers import Handover, handovers
from apps.core.erasing import erase_some
from apps.extraction.models import (
    Collection,
    CollectionReader,
    CollectionSchema,
    Duplicate,
    ExtractionPart,
    ExtractionRun,
    FieldSource,
    FollowUp,
    Proposal,
    Record,
    RecordBlock,
    RecordComment,
    RecordKey,
    RecordLink,
    RecordMerge,
    RecordRevision,
    RecordTally,
    RecordTemplate,
    RecordVector,
    RecordView,
    TargetChange,
    TemplateRevision,
    Wish,
)
from apps.extraction.reader_selectors import count_named
from apps.extraction.services import forget_leaving

MOST_OF_A_KIND = 50_000


def _erase_person(user_id: UUID) -> int:
    """As authors they stay. What goes is what only they had: views of their own, and where they were named to see a collection."""
    count = RecordView.objects.filter(owner=user_id, is_shared=False).delete()[0]
    return count + CollectionReader.objects.filter(user=user_id).delete()[0]


def _rows_of(user_id: UUID) -> dict[str, list[Mapping[str, object]]]:
    """What they wrote: views, comments, templates, versions of records; what they asked for; what they decided. Of a kind that there is
    more of than one file holds the newest; all of it is in the export of the project.
    """
    found: dict[str, list[Mapping[str, object]]] = {}
    for kind, (model, column, fields) in _OF_PERSON.items():
        rows = model.objects.filter(**{column: user_id})
        if model is RecordComment:
            rows = rows.filter(deleted_at=None)
        newest = rows.order_by("-created_at", "-pk").values("id", *fields.split(), "created_at")[:MOST_OF_A_KIND]
        found[kind] = list(newest)[::-1]
    return found


#: Kind → table, the column that names them, and what of a row is theirs to take along.
_OF_PERSON: dict[str, tuple[Any, str, str]] = {
    "views": (RecordView, "owner", "collection_id name is_shared state"),
    "collections_named_for": (CollectionReader, "user", "collection_id"),
    "templates": (TemplateRevision, "author", "template_id number format source"),
    "comments": (RecordComment, "author", "record_id text edited_at"),
    "record_versions": (RecordRevision, "author", "record_id number kind data"),
    "collection_schemas": (CollectionSchema, "made_by", "collection_id number document"),
    "extractions": (
        ExtractionRun,
        "requested_by",
        "project_id conversation_id message_id file_id status cost currency",
    ),
    "wishes": (Wish, "requested_by", "conversation_id kind words count brief name status"),
    "decided_wishes": (Wish, "decided_by", "kind status count brief name decided_at"),
    "decided_suggestions": (Proposal, "decided_by", "collection_id status record_id decided_at"),
    "decided_duplicates": (Duplicate, "decided_by", "one_id other_id status decided_at"),
    "joinings": (RecordMerge, "merged_by", "winner_id loser_id"),
    "separations": (RecordMerge, "undone_by", "winner_id loser_id undone_at"),
}
#: Whoever points at others goes first.
_OF_ORGANIZATION = (
    Wish,
    FollowUp,
    Proposal,
    FieldSource,
    ExtractionPart,
    ExtractionRun,
    RecordView,
    RecordComment,
    RecordKey,
    RecordBlock,
    RecordVector,
    Duplicate,
    RecordMerge,
    TemplateRevision,
    RecordTemplate,
    RecordLink,
    RecordRevision,
    Record,
    RecordTally,
    TargetChange,
    CollectionSchema,
    CollectionReader,
    Collection,
)
_FEW = (CollectionSchema, CollectionReader, Collection)


def _erase_organization(organization_id: UUID) -> int:
    """One statement a table, however long it takes: nothing of it is read, and nobody writes there any more."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
    return sum(
        model.objects.filter(organization_id=organization_id)._raw_delete("default")  # noqa: SLF001
        for model in _OF_ORGANIZATION
    )


def _erase_piece(organization_id: UUID, limit: int) -> int | None:
    """Records with all that hangs on them; collections and their schemas are few."""
    return erase_some(
        organization_id, limit, tables=_OF_ORGANIZATION[: -len(_FEW)], pointers={Record: ((Record, "merged_into"),)}
    )


def register() -> None:
    handovers.register(
        "collections",
        Handover(
            "collections",
            _("Collections they are named for"),
            lambda _organization_id, _user_id: 0,  # nothing of it goes to anybody
            lambda actor, leaving: forget_leaving(actor=actor, leaving=leaving),
        ),
    )
    given.register("collections", Given("collections", _("Collections they are named for"), count_named))
    erasers.register("extraction", Eraser("extraction", _erase_person, _erase_organization, _erase_piece))
    person_exporters.register("extraction", PersonExporter("extraction", _rows_of))
