"""Reactions to the log: when the installation gets its owner, one conversation shows what a conversation is."""

from __future__ import annotations

from uuid import UUID

from apps.accounts.types import SYSTEM
from apps.conversations import services
from apps.core.doors.consumers import LoggedEvent


def welcome(event: LoggedEvent) -> None:
    """Idempotent: an organization that has a conversation is left alone."""
    if event.organization_id is not None:
        services.welcome_owner(
            actor=SYSTEM, organization_id=event.organization_id, user_id=UUID(event.payload["user_id"])
        )
