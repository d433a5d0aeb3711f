"""Reads of wishes: whoever may read the conversation, and records in its project."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from apps.accounts import selectors as accounts
from apps.accounts.types import Actor
from apps.conversations import selectors as conversations
from apps.core.errors import NotFound
from apps.core.leases import is_free
from apps.extraction import policies, reach, schema, selectors, wish_fields
from apps.extraction.models import Collection, Wish
from apps.extraction.schema import Schema
from apps.extraction.wish_types import WishStatus


def visible_wishes(viewer: Actor) -> QuerySet[Wish]:
    if not policies.has_read_scope(viewer):
        return Wish.objects.none()
    talks = conversations.visible_to(viewer).values("pk")
    its_own = Q(collection=None) | reach.within(viewer, with_deleted=True)
    rows = Wish.objects.filter(accounts.project_filter(viewer, field="project"), its_own, conversation_id__in=talks)
    return rows.exclude(status=WishStatus.NOTHING)


def get_wish(*, wish_id: UUID, viewer: Actor) -> Wish:
    found = visible_wishes(viewer).select_related("collection", "decided_by").filter(pk=wish_id).first()
    if found is None:
        raise NotFound
    return found


def lock_wish(*, wish_id: UUID, viewer: Actor) -> Wish:
    found = visible_wishes(viewer).select_for_update(of=("self",)).filter(pk=wish_id).first()
    if found is None:
        raise NotFound
    return found


def list_wishes(
    viewer: Actor, *, conversation_id: UUID | None = None, project_id: UUID | None = None
) -> QuerySet[Wish]:
    rows = visible_wishes(viewer).select_related("collection", "decided_by")
    if conversation_id:
        rows = rows.filter(conversation_id=conversation_id)
    return rows.filter(project_id=project_id) if project_id else rows


def list_shown_under(viewer: Actor, message_ids: Iterable[UUID]) -> QuerySet[Wish]:
    """The oldest first. Of what nobody asked for only what was understood as a wish."""
    rows = visible_wishes(viewer).select_related("collection", "decided_by")
    said = Q(is_asked=True) | ~Q(status__in=[WishStatus.READING, WishStatus.FAILED])
    return rows.filter(said, shown_under__in=list(message_ids)).order_by("created_at")


def has_automatic(message_id: UUID) -> bool:
    return Wish.objects.filter(shown_under=message_id, is_asked=False).exists()


def list_due_wishes(*, older_than: timedelta) -> list[dict[str, Any]]:
    """Nobody reads them: the hint was lost, or the reader died."""
    rows = Wish.objects.filter(is_free(), status=WishStatus.READING, updated_at__lt=Now() - older_than)
    return [{"wish_id": pk} for pk in rows.order_by("created_at").values_list("pk", flat=True)[:20]]


def schema_of(wish: Wish) -> Schema:
    if wish.collection_id is None:
        return schema.check(wish_fields.document_of(wish.fields))
    return selectors.schema_of(selectors.with_document(Collection.objects.filter(pk=wish.collection_id)).get())
