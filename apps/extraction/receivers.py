"""Reactions to the log: what was posted may be read for records, or answer what was asked; what is gone or sealed is forgotten; records
that were written at once are compared; records whose needed fields point to what is gone are not complete.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from apps.accounts.types import SYSTEM
from apps.core.doors.consumers import LoggedEvent
from apps.extraction import link_selectors, services

FORGOTTEN = frozenset(
    {
        "conversations.message_changed",
        "conversations.message_marked",
        "conversations.conversation_erased",
        "conversations.conversation_marked",
        "files.file_deleted",
    }
)


def read_posted(event: LoggedEvent) -> None:
    """Idempotent: one run a message."""
    services.read_message(actor=SYSTEM, message_id=UUID(event.payload["message_id"]), key_id=event.actor_key_id)


def forget_words(event: LoggedEvent) -> None:
    """Idempotent: what was forgotten is not there the second time."""
    payload = event.payload
    if event.type == "files.file_deleted":
        if payload["is_erased"]:
            services.forget_words(actor=SYSTEM, conversation_id=None, file_id=UUID(payload["file_id"]))
        return
    kind, _colon, raw = event.topic.partition(":")
    if kind != "conversation":
        return
    conversation_id = UUID(raw)
    match event.type:
        case "conversations.message_changed" if payload["change"] == "erased":
            _forget(conversation_id, UUID(payload["message_id"]))
        case "conversations.message_marked":
            _forget(conversation_id, UUID(payload["message_id"]))
        case "conversations.conversation_erased":
            _forget(conversation_id)
        case "conversations.conversation_marked" if payload["is_sensitive"]:
            _forget(conversation_id)


def _forget(conversation_id: UUID, message_id: UUID | None = None) -> None:
    services.forget_words(actor=SYSTEM, conversation_id=conversation_id, message_id=message_id)
    services.forget_wishes(actor=SYSTEM, conversation_id=conversation_id, message_id=message_id)


def hear_posted(event: LoggedEvent) -> None:
    """Idempotent: one wish a message."""
    services.hear_wish(actor=SYSTEM, message_id=UUID(event.payload["message_id"]), key_id=event.actor_key_id)


def were_beside_others(events: Sequence[LoggedEvent]) -> Sequence[LoggedEvent]:
    return [event for event in events if event.payload.get("is_beside_others")]


def look_beside(event: LoggedEvent) -> None:
    """Idempotent: a pair is listed once. A parallel consumer: it waits for whoever is alone in the collection, who may want the rows of
    another pair.
    """
    services.list_beside(actor=SYSTEM, record_id=UUID(event.payload["record_id"]))


def are_pointed_to(events: Sequence[LoggedEvent]) -> Sequence[LoggedEvent]:
    pointed_to = link_selectors.find_pointed_to(UUID(event.payload["record_id"]) for event in events)
    return [event for event in events if UUID(event.payload["record_id"]) in pointed_to]


def follow_target(event: LoggedEvent) -> None:
    """Idempotent: it goes by what is there now. What points there is left to the upkeep."""
    services.follow_target(actor=SYSTEM, record_id=UUID(event.payload["record_id"]))
