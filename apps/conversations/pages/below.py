"""What other apps show below messages, and what they offer to do with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from apps.accounts.types import Actor
from apps.conversations.models import Message
from apps.conversations.types import Role
from apps.core.doors.below_messages import BelowMessages, Shown, below_messages


def offered(viewer: Actor, role: Any) -> list[BelowMessages]:
    return [each for each in below_messages if each.is_offered(viewer, role)]


def shown_below(
    viewer: Actor, rows: Sequence[Message], siblings: Mapping[UUID, Sequence[UUID]]
) -> dict[UUID, list[Shown]]:
    """By the message that is drawn. What was asked for below an answer stays when that is tried again: it is shown below the others, too."""
    places = {row.pk: siblings.get(row.pk, ()) if row.role == Role.ASSISTANT else () for row in rows}
    wanted = dict.fromkeys([*places, *(pk for others in places.values() for pk in others)])
    found: dict[UUID, list[Shown]] = {}
    for each in below_messages:
        cards = each.read(viewer, list(wanted)) if wanted else {}
        for drawn, others in places.items():
            for pk in others or (drawn,):
                shown = [card for card in cards.get(pk, ()) if pk == drawn or not card.is_of_message]
                found.setdefault(drawn, []).extend(shown)
    return found
