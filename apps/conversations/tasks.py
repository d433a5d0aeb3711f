"""Jobs of conversations: ids in, one engine or service each."""

from __future__ import annotations

from uuid import UUID

from apps.accounts.types import SYSTEM
from apps.conversations import runner, services, titles, worker  # noqa: F401  (worker follows Celery's signals)
from apps.core.jobs import job
from apps.core.limits import Limit


@job("conversations.run_turn", queue="interactive")
def run_turn(*, turn_id: str) -> None:
    """Safe to repeat: only the holder of the turn's lease calls the provider. Returns at once; the loop does the work."""
    runner.runner().submit(UUID(turn_id))


@job("conversations.seal_messages")
def seal_messages(*, conversation_id: str) -> None:
    """Safe to repeat: a batch is one transaction, and the next call finds what is left."""
    while services.seal_messages(actor=SYSTEM, conversation_id=UUID(conversation_id)):
        pass


@job("conversations.write_title", queue="calls", limit=Limit(rate=10, burst=20))
def write_title(*, conversation_id: str) -> None:
    """Safe to repeat: only the holder of the wish's lease calls the provider, and a title that is there stays."""
    titles.write_title(UUID(conversation_id))
