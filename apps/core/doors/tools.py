"""Functions that a model may ask for. Run by ``agents``, in answers of conversations and where a workflow lets an agent work."""

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
    """``actor`` is who the model works for: a tool never does more than they may, and in no other project.

    ``conversation_id`` and ``turn_id``: where it is asked for, if that is a conversation.
    """

    actor: ActorRef
    organization_id: UUID
    project_id: UUID
    arguments: dict[str, Any]
    conversation_id: UUID | None = None
    turn_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """``content`` goes to the model and is untrusted like everything it reads; ``is_error`` lets the model try otherwise."""

    content: str
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Tool:
    """``parameters`` is a JSON Schema object. ``changes_something``: a person has to be asked before it runs, so it is not offered where nobody is.

    ``name``: letters, digits, ``_`` and ``-``, as providers take it. ``has_use(project_id)``: whether there is anything for it in the project,
    in one indexed look; asked before every answer of a conversation, once for all tools that share it.
    """

    name: str
    summary: str | Promise
    parameters: dict[str, Any]
    run: Callable[[ToolCall], ToolAnswer]
    changes_something: bool = True
    timeout_seconds: float = 30.0
    has_use: Callable[[UUID], bool] | None = None


tools: Door[Tool] = Door("tool")
