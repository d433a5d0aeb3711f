"""Functions that a model may ask for. Nothing runs them yet: ``agents`` will, decide about approval and show the arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.functional import Promise

from apps.core.doors import Door
from apps.core.types import ActorRef


@dataclass(frozen=True, slots=True)
class ToolCall:
    """``actor`` is the person whose turn it is: a tool never does more than they may."""

    actor: ActorRef
    conversation_id: UUID
    turn_id: UUID
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """``content`` goes to the model and is untrusted like everything it reads; ``is_error`` lets the model try otherwise."""

    content: str
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Tool:
    """``parameters`` is a JSON Schema object. ``changes_something``: asks the person before it runs."""

    name: str
    summary: str | Promise
    parameters: dict[str, Any]
    run: Callable[[ToolCall], ToolAnswer]
    changes_something: bool = True
    timeout_seconds: float = 30.0


tools: Door[Tool] = Door("tool")
