"""Writes of turns. Every change is compare-and-set under the fence: who lost the lease writes nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from psycopg.types.json import Jsonb

from apps.accounts import policies as account_policies
from apps.accounts.actors import actor_of_row
from apps.accounts.types import SYSTEM, Actor
from apps.conversations import policies, selectors
from apps.conversations.events import TurnQueued, TurnStarted, TurnStopRequested
from apps.conversations.models import Conversation, Message, Turn
from apps.conversations.models.words import laid_down, opened
from apps.conversations.services.conversations import announce
from apps.conversations.services.endings import end_turn
from apps.conversations.types import (
    ACTIVE,
    MAX_ATTEMPTS,
    MAX_RUNNING_A_PERSON,
    MAX_RUNNING_AN_ORGANIZATION,
    Ending,
    HeldTurn,
    LateWriter,
    MessageStatus,
    TurnStatus,
    is_shown,
    text_of_parts,
)
from apps.core import jobs
from apps.core.correlation import caused_by
from apps.core.db import database_now, prepared
from apps.core.errors import Forbidden
from apps.core.leases import LEASE_SECONDS, scaled
from apps.core.types import Priority
from apps.llm import services as ledger_services

_LOOK = """
SELECT pg_advisory_xact_lock(hashtextextended('turns:' || organization_id::text, 7)), organization_id
FROM conversations_turn WHERE id = %(turn)s AND status = 'queued'
"""

_CLAIM = """
WITH claimed AS (
UPDATE conversations_turn AS mine
SET status = 'running', fence = fence + 1, attempts = attempts + 1, worker = %(worker)s,
    lease_until = clock_timestamp() + %(lease)s, started_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE mine.id = %(turn)s AND mine.status = 'queued' AND mine.stop_requested_at IS NULL
  AND NOT EXISTS (
    SELECT FROM conversations_turn AS above
    WHERE above.id = mine.after_turn_id AND above.status IN ('queued', 'running', 'waiting'))
  AND NOT EXISTS (
    SELECT FROM conversations_turn AS other
    WHERE other.message_id = mine.message_id AND other.id <> mine.id AND other.status = 'running')
  AND (SELECT count(*) FROM conversations_turn WHERE requested_by_id = mine.requested_by_id AND status = 'running') < %(person)s
  AND (SELECT count(*) FROM conversations_turn WHERE organization_id = mine.organization_id AND status = 'running') < %(organization)s
RETURNING mine.fence, mine.attempts, mine.message_id, mine.conversation_id, mine.correlation_id,
  mine.requested_by_id, mine.key_id, mine.is_continuation
)
UPDATE conversations_message AS message SET status = 'streaming' FROM claimed WHERE message.id = claimed.message_id
RETURNING claimed.*, message.parent_id, message.number, message.parts, message.is_sensitive, message.sealed
"""


def lease() -> timedelta:
    return timedelta(seconds=scaled(LEASE_SECONDS))


class _MayWriteNoMore(Exception):
    """Who asked; what was claimed is rolled back."""


def claim_turn(*, actor: Actor, turn_id: UUID, worker: str) -> HeldTurn | None:
    """Take a queued turn, or None: it waits for the answer above it, for a free place, or somebody else has it.

    The rights of who asked are those of now: a person who left, or a key that was revoked, while the turn waited
    gets no answer. The turn ends as ``failed: forbidden`` and None is given.
    The advisory lock of the organization makes the counts of running turns exact.
    """
    account_policies.require(policies.is_system(actor))
    try:
        return _claim(actor, turn_id, worker)
    except _MayWriteNoMore:
        _refuse(actor, turn_id)
        return None


@transaction.atomic
def _refuse(actor: Actor, turn_id: UUID) -> None:
    selectors.lock_conversation_of_turn(turn_id)
    turn = selectors.lock_turn(turn_id)
    if turn.status == TurnStatus.QUEUED:
        message = _message_of(turn)
        ending = Ending(TurnStatus.FAILED, message.parts, reason=Forbidden.code)
        end_turn(actor, turn, ending, seq=turn.last_seq, is_sensitive=message.is_sensitive)


@transaction.atomic
def _claim(actor: Actor, turn_id: UUID, worker: str) -> HeldTurn | None:
    with prepared() as cursor:
        cursor.execute(_LOOK, {"turn": turn_id})
        if cursor.fetchone() is None:
            return None
        cursor.execute(
            _CLAIM,
            {
                "turn": turn_id,
                "worker": worker[:80],
                "lease": lease(),  # type: ignore[dict-item]  # psycopg adapts it
                "person": MAX_RUNNING_A_PERSON,
                "organization": MAX_RUNNING_AN_ORGANIZATION,
            },
        )
        row = cursor.fetchone()
    if row is None:
        return None
    (
        fence,
        attempt,
        message_id,
        conversation_id,
        correlation_id,
        user_id,
        key_id,
        is_continuation,
        parent_id,
        number,
        parts,
        is_sensitive,
        sealed,
    ) = row
    asker = actor_of_row(user_id=user_id, key_id=key_id) if user_id or key_id else SYSTEM
    conversation = selectors.find_writable(conversation_id=conversation_id, asker=asker)
    if conversation is None:
        raise _MayWriteNoMore
    with caused_by(correlation_id):  # the hint may come from the coordinator, or from the end of the turn before
        announce(conversation, TurnStarted(turn_id, message_id, attempt), actor, ("turn", turn_id))
    return HeldTurn(
        turn_id=turn_id,
        fence=fence,
        message_id=message_id,
        conversation_id=conversation_id,
        topic=conversation.topic,
        correlation_id=correlation_id,
        parent_id=parent_id,
        number=number,
        is_continuation=is_continuation,
        is_sensitive=is_sensitive,
        start_parts=_parts_so_far(message_id, parts, sealed) if is_continuation else [],
        user_id=user_id,
        key_id=key_id,
    )


def _parts_so_far(message_id: UUID, parts: Any, sealed: str) -> list[dict[str, Any]]:
    """Django reads JSON columns as text and leaves the rest to its fields."""
    if sealed:
        return opened(message_id, sealed)
    return json.loads(parts) if isinstance(parts, str) else parts


def _message_of(turn: Turn) -> Message:
    return Message.objects.only("id", "stored_parts", "sealed", "is_sensitive").get(pk=turn.message_id)


def renew_leases(*, actor: Actor, held: Sequence[tuple[UUID, int]]) -> dict[UUID, bool]:
    """Turn → was a stop asked for? A turn that is missing from the answer is lost: its lease or fence is not ours."""
    account_policies.require(policies.is_system(actor))
    if not held:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE conversations_turn AS turn SET lease_until = clock_timestamp() + %s
            FROM unnest(%s::uuid[], %s::int[]) AS mine(id, fence)
            WHERE turn.id = mine.id AND turn.fence = mine.fence AND turn.status = 'running'
            RETURNING turn.id, turn.stop_requested_at IS NOT NULL
            """,
            [lease(), [turn_id for turn_id, _fence in held], [fence for _turn_id, fence in held]],  # type: ignore[list-item]
        )
        return dict(cursor.fetchall())


@dataclass(frozen=True, slots=True)
class Checkpoint:
    turn_id: UUID
    fence: int
    message_id: UUID
    parts: list[dict[str, Any]]
    seq: int
    is_sensitive: bool = False

    @classmethod
    def of(cls, held: HeldTurn, parts: list[dict[str, Any]], seq: int) -> Checkpoint:
        return cls(held.turn_id, held.fence, held.message_id, parts, seq, held.is_sensitive)


@transaction.atomic
def checkpoint_turns(*, actor: Actor, checkpoints: Sequence[Checkpoint]) -> None:
    """Write what is there of several running answers. Those whose fence has moved on are passed over, and so are the words of one
    that was marked as sensitive since it was claimed: its stream has them.
    """
    account_policies.require(policies.is_system(actor))
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            WITH held AS (
              UPDATE conversations_turn SET last_seq = %(seq)s
              WHERE id = %(turn)s AND fence = %(fence)s AND status = 'running' RETURNING message_id
            )
            UPDATE conversations_message SET parts = %(parts)s, sealed = %(sealed)s FROM held
            WHERE conversations_message.id = held.message_id AND is_sensitive = %(sensitive)s
            """,
            [_checkpoint_values(each) for each in checkpoints],
        )


def _checkpoint_values(checkpoint: Checkpoint) -> dict[str, Any]:
    words = laid_down(checkpoint.message_id, checkpoint.parts, is_sensitive=checkpoint.is_sensitive)
    return {
        "turn": checkpoint.turn_id,
        "fence": checkpoint.fence,
        "seq": checkpoint.seq,
        "parts": Jsonb(words.parts),
        "sealed": words.sealed,
        "sensitive": checkpoint.is_sensitive,
    }


@transaction.atomic
def finish_turn(*, actor: Actor, turn_id: UUID, fence: int, ending: Ending, seq: int = 0) -> None:
    """Final text, state and usage in one transaction; raises ``LateWriter`` when the fence has moved on."""
    account_policies.require(policies.is_system(actor))
    selectors.lock_conversation_of_turn(turn_id)
    turn = selectors.lock_turn(turn_id)
    if turn.fence != fence or turn.status != TurnStatus.RUNNING:
        raise LateWriter
    end_turn(actor, turn, ending, seq=seq, is_sensitive=turn.is_sensitive)  # type: ignore[attr-defined]  # read with its lock


@transaction.atomic
def stop_turn(*, actor: Actor, turn_id: UUID) -> Turn:
    """Ask for an end. A queued turn ends here; a running one when its owner has confirmed. Repeating changes nothing."""
    turn = selectors.get_turn(turn_id=turn_id, viewer=actor)
    conversation = selectors.lock_conversation(conversation_id=turn.conversation_id, viewer=actor)
    account_policies.require(policies.can_post(actor, conversation, access=selectors.access_to(conversation, actor)))
    _stop(actor, turn_id)
    return selectors.get_turn(turn_id=turn_id, viewer=actor)


@transaction.atomic
def stop_turn_as_operator(*, actor: Actor, turn_id: UUID) -> None:
    """For the admin: an operator may stop what they may not read."""
    account_policies.require(policies.is_operator(actor))
    selectors.lock_conversation_of_turn(turn_id)
    _stop(actor, turn_id)


def stop_active_turns(*, actor: Actor, conversation: Conversation) -> None:
    """In the caller's transaction, which holds the conversation."""
    for turn_id in Turn.objects.filter(conversation=conversation, status__in=ACTIVE).values_list("pk", flat=True):
        _stop(actor, turn_id)


def _stop(actor: Actor, turn_id: UUID) -> None:
    turn = Turn.objects.select_for_update(no_key=True).get(pk=turn_id)
    if turn.status not in ACTIVE:
        return
    if turn.stop_requested_at is None:
        turn.stop_requested_at, turn.stopped_by_id = database_now(), actor.user_id
        turn.save(update_fields=["stop_requested_at", "stopped_by"])
        if turn.status == TurnStatus.RUNNING:
            conversation = Conversation.objects.only("id", "organization_id", "project_id").get(pk=turn.conversation_id)
            announce(conversation, TurnStopRequested(turn_id, turn.message_id), actor, ("turn", turn_id))
    if turn.status == TurnStatus.RUNNING:
        transaction.on_commit(lambda: _tell_owner(turn_id), robust=True)
        return
    message = _message_of(turn)
    ending = Ending(TurnStatus.STOPPED, message.parts, reason="stopped_before_start")
    end_turn(actor, turn, ending, seq=0, is_sensitive=message.is_sensitive)


def _tell_owner(turn_id: UUID) -> None:
    from apps.conversations.control import send_stop

    send_stop(turn_id)


@transaction.atomic
def requeue_turn(*, actor: Actor, turn_id: UUID) -> bool:
    """For operators: run a failed or interrupted answer again in its own place. False when it is not in such a state."""
    account_policies.require(policies.is_operator(actor))
    turn = Turn.objects.select_for_update(no_key=True).get(pk=turn_id)
    if turn.status not in (TurnStatus.FAILED, TurnStatus.INTERRUPTED, TurnStatus.STOPPED):
        return False
    turn.has_others = Turn.objects.filter(message=turn.message_id).exclude(pk=turn.pk).exists()
    _queue_again(turn, actor, attempts=0)
    return True


def _queue_again(turn: Turn, actor: Actor, *, attempts: int) -> None:
    turn.status, turn.reason, turn.attempts = TurnStatus.QUEUED, "", attempts
    turn.priority = Priority.HIGH  # it has had its place before
    turn.lease_until = turn.stop_requested_at = turn.stopped_by = None
    turn.started_at = turn.first_token_at = turn.finished_at = None
    turn.save()
    Message.objects.filter(pk=turn.message_id).update(status=MessageStatus.PENDING, turn=turn)
    conversation = Conversation.objects.only("id", "organization_id", "project_id").get(pk=turn.conversation_id)
    announce(conversation, TurnQueued(turn.pk, turn.message_id), actor, ("turn", turn.pk))
    jobs.after_commit("conversations.run_turn", turn_id=turn.pk)


@transaction.atomic
def reap_turn(
    *,
    turn_id: UUID,
    streamed_parts: list[dict[str, Any]],
    streamed_seq: int,
    streamed_text: str = "",
    actor: Actor = SYSTEM,
) -> str:
    """Give a turn whose lease has lapsed a new start or an end; gives its status.

    ``streamed_parts`` is what the stream still held, merged over the row by the caller. Nothing visible yet, or tools were asked
    and no more (they only read): run again from the beginning, at most three starts. Text was shown: ``interrupted: worker_lost``
    with the later of row and stream. The calls that the lost worker had open are settled first, so that turn, conversation and
    ledger tell the same figures.
    """
    account_policies.require(policies.is_system(actor))
    selectors.lock_conversation_of_turn(turn_id)
    turn = (
        Turn.objects.select_for_update(no_key=True, skip_locked=True)
        .filter(pk=turn_id, status=TurnStatus.RUNNING)
        .first()
    )
    if turn is None or turn.lease_until is None or turn.lease_until > database_now():
        return ""
    message = _message_of(turn)
    stored, is_sensitive = message.parts, message.is_sensitive
    parts = streamed_parts if streamed_seq >= turn.last_seq and streamed_parts else stored
    turn.fence += 1  # whoever still believes to hold it is late from now on
    shown = streamed_text or ("" if turn.is_continuation else text_of_parts(parts))
    ledger_services.settle_lost_attempts(actor=SYSTEM, turn_id=turn.pk, text=shown)
    if turn.stop_requested_at is not None:
        end_turn(actor, turn, Ending(TurnStatus.STOPPED, parts), seq=streamed_seq, is_sensitive=is_sensitive)
    elif (
        (is_shown(parts) and not turn.is_continuation)
        or (turn.is_continuation and parts != stored)
        or turn.attempts >= MAX_ATTEMPTS
    ):
        ending = Ending(TurnStatus.INTERRUPTED, parts, reason="worker_lost")
        end_turn(actor, turn, ending, seq=streamed_seq, is_sensitive=is_sensitive)
    else:
        if stored and not turn.is_continuation:
            Message.objects.filter(pk=turn.message_id).update(stored_parts=[], sealed="")
        _queue_again(turn, actor, attempts=turn.attempts)
    return turn.status
