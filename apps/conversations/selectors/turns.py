"""Turns: for their readers, for the runner and for the sweeps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db.models import Count, F, Min
from django.db.models.functions import Now

from apps.accounts.types import Actor
from apps.conversations.models import Conversation, Message, TitleRequest, Turn
from apps.conversations.selectors.paths import path_ids
from apps.conversations.selectors.rights import visible_to
from apps.conversations.types import (
    ACTIVE,
    MAX_TITLE_ATTEMPTS,
    TurnNotFound,
    TurnStatus,
)
from apps.core.compiled import Compiled
from apps.core.db import database_now
from apps.core.leases import is_free


def get_turn(*, turn_id: UUID, viewer: Actor) -> Turn:
    found = Turn.objects.select_related("message", "conversation", "agent", "stopped_by").filter(pk=turn_id).first()
    if found is None or not visible_to(viewer).filter(pk=found.conversation_id).exists():
        raise TurnNotFound
    return found


def list_active_turns(*, conversation_id: UUID) -> list[Turn]:
    return _active.fetch(conversation=conversation_id)


_active: Compiled[Turn] = Compiled(
    lambda *, conversation: (
        Turn.objects.select_related("message", "agent", "stopped_by")
        .filter(conversation_id=conversation, status__in=ACTIVE)
        .order_by("created_at")
    )
)


def list_turns(*, conversation_id: UUID, ids: Iterable[UUID]) -> list[Turn]:
    """Those of the conversation among ``ids``, with who stopped them."""
    return _among.fetch_each(ids, conversation=conversation_id)


_among: Compiled[Turn] = Compiled(
    lambda _many, *, conversation, **ids: Turn.objects.select_related("stopped_by").filter(
        pk__in=list(ids.values()), conversation_id=conversation
    )
)


@dataclass(frozen=True, slots=True)
class ActiveTurn:
    """``number`` is its message's; ``after_id`` the turn it waits for."""

    id: UUID
    status: str
    after_id: UUID | None
    message_id: UUID
    number: int


def list_waiting_and_running(conversation: Conversation) -> list[ActiveTurn]:
    """Oldest first."""
    return [ActiveTurn(*row) for row in _places.fetch(conversation=conversation.pk)]


_places: Compiled[tuple[UUID, str, UUID | None, UUID, int]] = Compiled(
    lambda *, conversation: (
        Turn.objects.filter(conversation=conversation, status__in=ACTIVE)
        .order_by("created_at", "pk")
        .values_list("pk", "status", "after_turn_id", "message_id", "message__number")
    )
)


def only_on_branch(
    active: Sequence[ActiveTurn], conversation: Conversation, place: Message | None, *, with_below: bool
) -> list[ActiveTurn]:
    """Those that write at ``place`` or above it; ``with_below`` also those on any branch that goes on from it."""
    if place is None or not active:
        return []
    if conversation.is_linear:
        return [turn for turn in active if with_below or turn.number <= place.number]
    above = set(path_ids(conversation=conversation, leaf_id=place.pk))
    return [
        turn
        for turn in active
        if turn.message_id in above
        or (with_below and place.pk in path_ids(conversation=conversation, leaf_id=turn.message_id))
    ]


def get_turn_with_context(turn_id: UUID) -> Turn:
    """For the runner: with conversation, agent and who asked."""
    found = _with_context.first(pk=turn_id)
    if found is None:
        raise TurnNotFound
    return found


_with_context: Compiled[Turn] = Compiled(
    lambda *, pk: Turn.objects.select_related("conversation", "agent", "requested_by").filter(pk=pk)[:1]
)


def lock_conversation_of_turn(turn_id: UUID) -> None:
    """Before the turn itself: who stops an answer or posts below it locks in this order too."""
    _locked_conversation.fetch(turn=turn_id)


_locked_conversation: Compiled[UUID] = Compiled(
    lambda *, turn: (
        Conversation.objects.select_for_update()
        .filter(pk__in=Turn.objects.filter(pk=turn).values("conversation_id"))
        .values_list("pk", flat=True)
    )
)


def lock_turn(turn_id: UUID) -> Turn:
    """For who changes it, inside their transaction and after its conversation. Without its key: a message below may name it.

    ``is_sensitive`` is its message's mark as it is now.
    """
    found = _locked_turn.first(pk=turn_id)
    if found is None:
        raise TurnNotFound
    return found


_locked_turn: Compiled[Turn] = Compiled(
    lambda *, pk: (
        Turn.objects.select_for_update(no_key=True, of=("self",))
        .annotate(is_sensitive=F("message__is_sensitive"))
        .filter(pk=pk)[:1]
    )
)


def list_lapsed_turns(*, limit: int = 200) -> list[Turn]:
    """Running turns whose lease has ended by the database's clock, with their messages."""
    return list(
        Turn.objects.select_related("message")
        .filter(status=TurnStatus.RUNNING, lease_until__lt=Now())
        .order_by("lease_until")[:limit]
    )


def list_due_titles(*, older_than: timedelta, limit: int = 100) -> list[dict[str, UUID]]:
    """Conversations whose title nobody writes although one is wanted: a hint was lost, or the one who wrote it is."""
    rows = TitleRequest.objects.filter(
        is_free(), attempts__lt=MAX_TITLE_ATTEMPTS, updated_at__lt=Now() - older_than
    ).order_by("created_at")
    return [{"conversation_id": pk} for pk in rows.values_list("conversation_id", flat=True)[:limit]]


def list_seal_due(*, limit: int = 20) -> list[UUID]:
    """Conversations in which words are left that have to be sealed."""
    return list(Conversation.objects.filter(seal_due=True).order_by("pk").values_list("pk", flat=True)[:limit])


def stats_active_turns() -> dict[str, int]:
    rows = Turn.objects.filter(status__in=ACTIVE).values_list("status").annotate(count=Count("pk"))
    return {str(status): 0 for status in ACTIVE} | {str(status): count for status, count in rows}


def stats_oldest_queued_seconds() -> float:
    """0 when nothing waits."""
    oldest = Turn.objects.filter(status=TurnStatus.QUEUED).aggregate(oldest=Min("created_at"))["oldest"]
    return (database_now() - oldest).total_seconds() if oldest else 0.0


def count_asked(user_id: UUID, organization_id: UUID, within: timedelta) -> int:
    """Answers that a person asked for, whatever became of them (``core.doors.answers``)."""
    rows = Turn.objects.filter(requested_by=user_id, organization=organization_id)
    return rows.filter(created_at__gt=Now() - within).count()
