"""Reads of what people add to collections and records, and when: views, comments, changes. Strangers get the same ``NotFound`` as for a random id."""

from __future__ import annotations

from uuid import UUID

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Greatest

from apps.accounts.types import Actor
from apps.core.errors import NotFound
from apps.extraction import reach
from apps.extraction.models import Collection, Record, RecordComment, RecordView


def with_last_change(rows: QuerySet[Collection]) -> QuerySet[Collection]:
    """Each with ``changed_at``: when it, or a record that is in it now, was changed last."""
    newest = Record.objects.filter(collection=OuterRef("pk"), deleted_at=None).order_by("-updated_at")
    return rows.annotate(changed_at=Greatest("updated_at", Subquery(newest.values("updated_at")[:1])))


def visible_views(viewer: Actor) -> QuerySet[RecordView]:
    """One's own and the shared ones, of collections that are there."""
    rows = RecordView.objects.filter(reach.within(viewer))
    return rows.filter(Q(owner=viewer.user_id) | Q(is_shared=True))


def list_views(viewer: Actor, *, collection: Collection) -> QuerySet[RecordView]:
    """Of a collection that the viewer got from ``selectors``."""
    rows = RecordView.objects.filter(collection=collection)
    return rows.filter(Q(owner=viewer.user_id) | Q(is_shared=True))


def get_view(*, view_id: UUID, viewer: Actor) -> RecordView:
    if (found := visible_views(viewer).filter(pk=view_id).first()) is None:
        raise NotFound
    return found


def lock_view(*, view_id: UUID, viewer: Actor) -> RecordView:
    if (found := visible_views(viewer).select_for_update(of=("self",)).filter(pk=view_id).first()) is None:
        raise NotFound
    return found


def visible_comments(viewer: Actor) -> QuerySet[RecordComment]:
    """Of records that are there, without those that were deleted, with their authors."""
    there = reach.within(viewer, "record__collection")
    rows = RecordComment.objects.filter(there, deleted_at=None, record__deleted_at=None)
    return rows.select_related("author", "record")


def list_comments(record: Record) -> QuerySet[RecordComment]:
    """Of a record the caller may see."""
    return RecordComment.objects.filter(record=record, deleted_at=None).select_related("author")


def get_comment(*, comment_id: UUID, viewer: Actor) -> RecordComment:
    if (found := visible_comments(viewer).filter(pk=comment_id).first()) is None:
        raise NotFound
    return found


def lock_comment(*, comment_id: UUID, viewer: Actor) -> RecordComment:
    rows = visible_comments(viewer).select_for_update(of=("self",))
    if (found := rows.filter(pk=comment_id).first()) is None:
        raise NotFound
    return found
