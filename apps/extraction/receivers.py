"""Reactions to the log: what was posted may be read for records, or answer what was asked."""

from __future__ import annotations

from uuid import UUID

from apps.accounts.types import SYSTEM
from apps.core.doors.consumers import LoggedEvent
from apps.core.errors import NotFound
from apps.extraction import services


def read_posted(event: LoggedEvent) -> None:
    """Idempotent: one run a message."""
    try:
        services.read_message(actor=SYSTEM, message_id=UUID(event.payload["message_id"]), key_id=event.actor_key_id)
    except NotFound:
        return  # gone by now
