"""Reactions to the log: when the installation gets its owner, one conversation shows what a conversation is; when an organization
or a project wants all its words sealed, its conversations are marked; when an address is confirmed for the first time, what a
stranger shared with the account is shared no more.
"""

from __future__ import annotations

from uuid import UUID

from apps.accounts.types import SYSTEM
from apps.conversations import services
from apps.conversations.types import ALL_SENSITIVE
from apps.core import preferences
from apps.core.doors.consumers import LoggedEvent
from apps.core.doors.settings import Level


def welcome(event: LoggedEvent) -> None:
    """Idempotent: an organization that has a conversation is left alone."""
    if event.organization_id is not None:
        services.welcome_owner(
            actor=SYSTEM, organization_id=event.organization_id, user_id=UUID(event.payload["user_id"])
        )


def withdraw_unproved(event: LoggedEvent) -> None:
    """Idempotent: what was shared after the address was confirmed stays."""
    services.withdraw_unproved_links(actor=SYSTEM, user_id=UUID(event.payload["user_id"]), proved_at=event.occurred_at)


def follow_rule(event: LoggedEvent) -> None:
    """Idempotent. Switched off the rule marks nothing more, and opens nothing."""
    if event.payload["key"] != ALL_SENSITIVE or event.payload["target_id"] is None:
        return
    level, target_id = Level(event.payload["level"]), UUID(event.payload["target_id"])
    of = {"organization": target_id} if level is Level.ORGANIZATION else {"project": target_id}
    if preferences.get_fresh(ALL_SENSITIVE, **of):
        services.mark_by_rule(actor=SYSTEM, level=level, target_id=target_id)
