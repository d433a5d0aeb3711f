"""Slash commands of the composer. Run by ``conversations``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.utils.functional import Promise

from apps.core.doors import Door
from apps.core.types import ActorRef


@dataclass(frozen=True, slots=True)
class CommandCall:
    actor: ActorRef
    conversation_id: UUID
    arguments: str


@dataclass(frozen=True, slots=True)
class CommandResult:
    """``notice`` is shown to the caller alone; ``data`` may carry ``{"download": url}`` or ``{"open": url}``.

    ``{"tab": name}`` beside it opens a tab of the panel instead, where a page has one.
    """

    notice: str = ""
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Command:
    """``arguments`` is a hint such as ``<name>``; ``complete`` offers values for what is typed so far.

    One that ``needs_words`` reads what was said: it is refused before the first message.
    """

    name: str
    summary: str | Promise
    run: Callable[[CommandCall], CommandResult]
    arguments: str | Promise = ""
    complete: Callable[[CommandCall], list[str]] | None = None
    needs_words: bool = False


commands: Door[Command] = Door("command")
