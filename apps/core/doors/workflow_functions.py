"""Conditions and actions that a workflow definition names. Nothing runs them yet: ``workflows`` will."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from django.utils.functional import Promise

from apps.core.doors import Door
from apps.core.types import ActorRef


@dataclass(frozen=True, slots=True)
class WorkflowCall:
    actor: ActorRef
    run_id: UUID
    subject_id: UUID
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class WorkflowFunction:
    """A *condition* reads and answers yes or no; an *action* changes one thing and is idempotent by run and step."""

    name: str
    kind: Literal["condition", "action"]
    summary: str | Promise
    parameters: dict[str, Any]
    call: Callable[[WorkflowCall], bool]


workflow_functions: Door[WorkflowFunction] = Door("workflow function")
