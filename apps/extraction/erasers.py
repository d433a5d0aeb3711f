"""How records are forgotten. What a person made stays, without their name: authors are anonymized with the person. Views that only
they had go.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from apps.core.doors.erasers import Eraser, erasers
from apps.core.doors.exporters import PersonExporter, person_exporters
from apps.extraction.models import (
    Collection,
    Duplicate,
    ExtractionPart,
    ExtractionRun,
    FieldSource,
    FollowUp,
    Proposal,
    Record,
    RecordBlock,
    RecordComment,
    RecordLink,
    RecordMerge,
    RecordTemplate,
    RecordView,
    TemplateRevision,
    Wish,
)


def _erase_person(user_id: UUID) -> int:
    return RecordView.objects.filter(owner=user_id, is_shared=False).delete()[0]


def _rows_of(user_id: UUID) -> dict[str, list[Mapping[str, object]]]:
    """Their views, what they said about records, and the templates they wrote."""
    views = RecordView.objects.filter(owner=user_id).order_by("created_at", "pk")
    comments = RecordComment.objects.filter(author=user_id, deleted_at=None).order_by("created_at", "pk")
    texts = TemplateRevision.objects.filter(author=user_id).order_by("created_at", "pk")
    return {
        "views": list(views.values("id", "collection_id", "name", "is_shared", "state", "created_at")),
        "templates": list(texts.values("id", "template_id", "number", "format", "source", "created_at")),
        "comments": list(comments.values("id", "record_id", "text", "created_at", "edited_at")),
    }


def _erase_organization(organization_id: UUID) -> int:
    Wish.objects.filter(organization_id=organization_id).delete()
    runs = FollowUp.objects.filter(organization_id=organization_id).delete()[0]
    runs += Proposal.objects.filter(organization_id=organization_id).delete()[0]
    runs += FieldSource.objects.filter(organization_id=organization_id).delete()[0]
    runs += ExtractionPart.objects.filter(organization_id=organization_id).delete()[0]
    runs += ExtractionRun.objects.filter(organization_id=organization_id).delete()[0]
    runs += RecordView.objects.filter(organization_id=organization_id).delete()[0]
    runs += RecordComment.objects.filter(organization_id=organization_id).delete()[0]
    runs += sum(
        model.objects.filter(organization_id=organization_id).delete()[0]
        for model in (RecordBlock, Duplicate, RecordMerge, TemplateRevision, RecordTemplate)
    )
    Record.objects.filter(organization_id=organization_id, merged_into__isnull=False).update(merged_into=None)
    links = RecordLink.objects.filter(organization_id=organization_id).delete()[0]
    records = Record.objects.filter(organization_id=organization_id).delete()[0]
    return runs + links + records + Collection.objects.filter(organization_id=organization_id).delete()[0]


def register() -> None:
    erasers.register("extraction", Eraser("extraction", _erase_person, _erase_organization))
    person_exporters.register("extraction", PersonExporter("extraction", _rows_of))
