"""What followers hear of a run: its own topic, and the conversation that it is shown in."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from apps.conversations import services as conversations
from apps.core.errors import DomainError
from apps.core.events import emit, emit_last
from apps.core.types import ActorRef
from apps.extraction.models import Collection, ExtractionRun
from apps.live.bells import ring_after_commit, ring_once_after_commit


def tell(run: ExtractionRun, fact: Any, *, actor: ActorRef, proposal_id: UUID | None = None) -> None:
    """Inside the transaction of the change; the bell rings after it."""
    subject = ("proposal", proposal_id) if proposal_id else ("extraction", run.pk)
    ring_after_commit(run.topic, emit(fact, actor=actor, scope=run.scope, subject=subject))


def tell_of_record(fact: Any, *, actor: ActorRef, collection: Collection, record_id: UUID) -> None:
    """At the end of the transaction's block (``emit_last``); who has the collection's table open looks once for each transaction."""
    emit_last(fact, actor=actor, scope=collection.scope, subject=("record", record_id))
    ring_once_after_commit(collection.scope.topic)


def tell_of_collection(fact: Any, *, actor: ActorRef, collection: Collection) -> None:
    emit_last(fact, actor=actor, scope=collection.scope, subject=("collection", collection.pk))
    ring_once_after_commit(collection.scope.topic)


def show(run: ExtractionRun, *, actor: Any) -> None:
    """Whoever has the conversation open draws the message with its card."""
    if run.shown_under is None:
        return
    try:
        conversations.annotate_message(actor=actor, message_id=run.shown_under)
    except DomainError:
        return  # whoever asked may not read there any more: others find it when they look again
