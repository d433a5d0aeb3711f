"""What a workflow definition may ``call:``. Run by ``workflows``; any app registers functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.utils.functional import Promise

from apps.core.doors import Door


@dataclass(frozen=True, slots=True)
class WorkflowCall:
    """One step that calls. ``actor`` has the rights of now; ``effect_key`` is the same at every attempt."""

    actor: Any
    organization_id: UUID
    project_id: UUID
    run_id: UUID
    step_id: UUID
    conversation_id: UUID | None
    arguments: dict[str, Any]
    effect_key: str


@dataclass(frozen=True, slots=True)
class Gave:
    """What a step gives. ``wrote`` are records it wrote, (id, version before, version after): 0 before is a new one, 0 after a deleted one."""

    output: Any = None
    cost: Decimal = Decimal(0)
    wrote: tuple[tuple[UUID, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Waits:
    """The step waits until an event about ``subject_id`` is in the log, or until ``until``; then ``look`` is asked."""

    subject_id: UUID
    until: datetime | None = None
    state: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WorkflowFunction:
    """``parameters`` is a JSON Schema of the arguments.

    ``inside`` runs in the transaction that also writes the end of its step: its effects happen exactly once. What calls other servers is
    ``outside``: no transaction, and after a crash it may be repeated with the same ``effect_key``. A function that answers ``Waits`` has
    ``look``: it reads what became of the subject, and gives None while there is nothing to say. ``about`` says, before anything is done, of
    which collections the step may come to hold words: from then on the run is seen by who sees all of them.
    """

    name: str
    summary: str | Promise
    parameters: dict[str, Any]
    inside: Callable[[WorkflowCall], Gave | Waits] | None = None
    outside: Callable[[WorkflowCall], Gave] | None = None
    look: Callable[[WorkflowCall, dict[str, Any]], Gave | None] | None = None
    about: Callable[[WorkflowCall], Sequence[UUID]] | None = None


workflow_functions: Door[WorkflowFunction] = Door("workflow function")
