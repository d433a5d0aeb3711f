"""What other apps show below messages, and what they offer to do with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from apps.accounts.types import Actor
from apps.core.doors.below_messages import BelowMessages, Shown, below_messages


def offered(viewer: Actor, role: Any) -> list[BelowMessages]:
    return [each for each in below_messages if each.is_offered(viewer, role)]


def shown_below(viewer: Actor, message_ids: Sequence[UUID]) -> dict[UUID, list[Shown]]:
    found: dict[UUID, list[Shown]] = {}
    for each in below_messages:
        for message_id, cards in (each.read(viewer, message_ids) if message_ids else {}).items():
            found.setdefault(message_id, []).extend(cards)
    return found
