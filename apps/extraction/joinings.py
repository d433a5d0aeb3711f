"""Reads of what may be one thing and of what was joined."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.accounts.types import Actor
from apps.core.errors import NotFound
from apps.extraction import selectors, shape
from apps.extraction.models import Collection, Duplicate, Record, RecordKey, RecordMerge
from apps.extraction.types import DuplicateStatus

#: So many pairs are looked at: a page says that there are some, and leads to all.
MOST_SHARING = 100


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


def list_sharing_a_key(collection: Collection, viewer: Actor) -> list[Duplicate]:
    """Pairs that wait and whose records have the same values of a unique key, which therefore holds for one of them alone.

    As it comes about when a key is new: whoever has the values first keeps them. At most ``MOST_SHARING``.
    """
    keys = [("\x1f".join(names), names) for names in collection.unique_keys]
    if not keys:
        return []
    lacking = Q(pk__in=[])
    for fields, _names in keys:
        for end in ("one", "other"):
            lacking |= Q(~Exists(RecordKey.objects.filter(record=OuterRef(end), fields=fields)))
    rows = list_duplicates(viewer, project_id=collection.project_id, collection_id=collection.pk)
    rows = rows.filter(lacking, score__gte=1.0).order_by("-score", "-pk")  # whose key is the same is listed as sure
    return [pair for pair in rows[:MOST_SHARING] if any(_share(pair, names) for _fields, names in keys)]


def _share(pair: Duplicate, names: list[str]) -> bool:
    digest = shape.key_of(names, pair.one.data)
    return digest is not None and digest == shape.key_of(names, pair.other.data)


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
