"""What the coordinator does for turns every few seconds: ends of lost workers, hints that never arrived."""

from __future__ import annotations

import logging
from datetime import timedelta
from uuid import UUID

from django.db import InterfaceError, OperationalError
from psycopg_pool import PoolTimeout

from apps.accounts.types import SYSTEM
from apps.conversations import selectors, services, turn_order
from apps.conversations.models import Turn
from apps.core import jobs
from apps.core.correlation import caused_by
from apps.core.leases import scaled
from apps.live import streams
from apps.live.bells import publish_status
from apps.live.types import Rebuilt

logger = logging.getLogger(__name__)

DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeout)
HINT_AFTER_SECONDS = 3
TITLE_HINT_AFTER_SECONDS = 5
NOTHING = Rebuilt(fence=0, seq=0, parts=[])


def reap_lost_turns() -> None:
    """Give every turn whose lease has lapsed a new start or an end. Repeating finds nothing more to do.

    One that cannot be ended holds up no other: it is ended with what its row holds, without what its stream brought.
    """
    for turn in selectors.list_lapsed_turns():
        with caused_by(turn.correlation_id):
            try:
                _reap(turn, is_streamed=True)
            except DATABASE_AWAY:
                raise
            except Exception:
                logger.exception("turn_not_reaped", extra={"turn": str(turn.pk)})
                _reap_by_row(turn)


def _reap_by_row(turn: Turn) -> None:
    try:
        _reap(turn, is_streamed=False)
    except DATABASE_AWAY:
        raise
    except Exception:
        logger.exception("turn_not_reaped_by_row", extra={"turn": str(turn.pk)})


def _reap(turn: Turn, *, is_streamed: bool) -> None:
    rebuilt = streams.rebuild(turn.pk) if is_streamed else NOTHING
    status = services.reap_turn(
        turn_id=turn.pk,
        streamed_parts=rebuilt.over(turn.message.parts) if rebuilt.seq else [],
        streamed_seq=rebuilt.seq,
        streamed_text=rebuilt.text,
        actor=SYSTEM,
    )
    if status:
        publish_status(f"conversation:{turn.conversation_id}", turn.pk, status, message=turn.message_id)


def hint_queued_turns() -> None:
    """Hint turns that wait although nothing stands before them: a hint was lost, or a place came free elsewhere."""
    age = timedelta(seconds=scaled(HINT_AFTER_SECONDS))
    waiting = turn_order.list_startable(older_than=age)
    for turn_id in waiting:
        if not jobs.hint("conversations.run_turn", turn_id=turn_id):
            return  # Redis is away; the next round tries again


def find_lost_titles() -> list[dict[str, UUID]]:
    return selectors.list_due_titles(older_than=timedelta(seconds=scaled(TITLE_HINT_AFTER_SECONDS)))


def find_words_to_seal() -> list[dict[str, UUID]]:
    return [{"conversation_id": pk} for pk in selectors.list_seal_due()]


def erase_what_nobody_restored() -> None:
    """Conversations and words that were deleted 30 days ago."""
    services.erase_deleted(actor=SYSTEM)


def forget_links_that_ended() -> None:
    """Ninety days after their end; the audit log keeps that they were. Safe to repeat."""
    services.forget_ended_links(actor=SYSTEM)


def delete_what_nobody_came_back_for() -> None:
    """Private conversations of people who left long ago."""
    services.delete_left(actor=SYSTEM)
