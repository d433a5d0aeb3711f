"""Cards inside messages: a part of type ``card`` with a ``kind``. Nothing runs them yet: ``conversations`` will."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from apps.core.doors import Door
from apps.core.types import ActorRef


@dataclass(frozen=True, slots=True)
class MessageCard:
    """``template`` gets ``card`` (the part's data) and ``viewer``. ``as_text`` is what models and screen readers get.

    ``act`` takes what the person chose on the card; without it the card is only shown.
    """

    kind: str
    template: str
    as_text: Callable[[dict[str, Any]], str]
    act: Callable[[ActorRef, dict[str, Any], str], dict[str, Any]] | None = None


message_cards: Door[MessageCard] = Door("message card")
