"""What other apps show below messages of a conversation, and what they offer to do with a message, a file or all of it. Run by ``conversations``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.functional import Promise

from apps.core.doors import Door
from apps.core.types import ActorRef


@dataclass(frozen=True, slots=True)
class Shown:
    """``template`` gets ``card``. ``is_of_message``: it is about that very message; all else was asked for where the message stood, and is
    shown below whichever answer stands in its place.
    """

    template: str
    card: Any
    is_of_message: bool = False


@dataclass(frozen=True, slots=True)
class BelowMessages:
    """``read`` is asked once for all messages that are drawn, and for other answers in their places, which the viewer may read; messages that
    have nothing are left out.

    ``do`` names the entry of the menus for the scripts of the app that brings it; on a message that one cannot edit the letter E chooses
    the first that is there. ``is_offered`` gets the viewer's role in the
    project of the conversation, None for who has none, and reads nothing.
    """

    do: str
    icon: str
    of_message: str | Promise
    of_file: str | Promise
    of_conversation: str | Promise
    is_offered: Callable[[ActorRef, Any], bool]
    read: Callable[[ActorRef, Sequence[UUID]], Mapping[UUID, Sequence[Shown]]]


below_messages: Door[BelowMessages] = Door("below messages")
