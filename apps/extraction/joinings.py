"""Reads of what may be one thing and of what was joined."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Q, QuerySet

from apps.accounts.types import Actor
from apps.core.errors import NotFound
from apps.extraction import selectors
from apps.extraction.models import Collection, Duplicate, Record, RecordMerge
from apps.extraction.types import DuplicateStatus


def list_duplicates(
    viewer: Actor, *, project_id: UUID | None = None, collection_id: UUID | None = None
) -> QuerySet[Duplicate]:
    """Pairs that wait for somebody to decide, with both records."""
    rows = Duplicate.objects.filter(
        collection__in=selectors.visible_collections(viewer).values("pk"),
        status=DuplicateStatus.PENDING,
        one__deleted_at=None,
        other__deleted_at=None,
    ).select_related("one", "other")
    if collection_id:
        rows = rows.filter(collection_id=collection_id)
    return rows.filter(project_id=project_id) if project_id else rows


def visible_merges(viewer: Actor) -> QuerySet[RecordMerge]:
    return RecordMerge.objects.filter(collection__in=selectors.visible_collections(viewer).values("pk"))


def list_merges(record: Record, viewer: Actor) -> QuerySet[RecordMerge]:
    """What was joined into the record, and the record into what, the newest first."""
    return visible_merges(viewer).filter(Q(winner=record) | Q(loser=record))


def list_collection_merges(collection: Collection, viewer: Actor) -> QuerySet[RecordMerge]:
    """All that was joined in a collection, with both records and who did it."""
    return visible_merges(viewer).filter(collection=collection).select_related("winner", "loser", "merged_by")


def list_pairs_of(record: Record, viewer: Actor) -> QuerySet[Duplicate]:
    """Pairs of the record that wait for somebody to decide, the likeliest first."""
    rows = list_duplicates(viewer, collection_id=record.collection_id)
    return rows.filter(Q(one=record) | Q(other=record)).order_by("-score", "-pk")


def get_merge(*, merge_id: UUID, viewer: Actor) -> RecordMerge:
    if (found := visible_merges(viewer).filter(pk=merge_id).first()) is None:
        raise NotFound
    return found


def get_record_or_merged(*, record_id: UUID, viewer: Actor) -> Record:
    """As ``get_record``; also one that was joined into another, which ``merged_into`` names."""
    rows = selectors.visible_to(viewer, with_deleted=True).filter(Q(deleted_at=None) | Q(merged_into__isnull=False))
    if (found := rows.select_related("collection").filter(pk=record_id).first()) is None:
        raise NotFound
    return found
