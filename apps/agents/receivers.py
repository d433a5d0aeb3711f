"""Every project has an assistant from its first moment: at the first start at once, later when the log tells of the project."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from apps.accounts.types import SYSTEM
from apps.agents import services
from apps.core.doors.consumers import LoggedEvent
from apps.core.doors.first_start import FirstStart
from apps.core.errors import NotFound


def on_project_created(event: LoggedEvent) -> None:
    """Idempotent: a project that has an agent, or is gone by now, is left alone."""
    if event.project_id is None and event.subject_id is None:
        return
    ensure_assistant(event.project_id or event.subject_id)  # type: ignore[arg-type]


def on_first_start(step: FirstStart) -> None:
    if step.is_first:
        ensure_assistant(step.project_id)


def ensure_assistant(project_id: UUID) -> None:
    with suppress(NotFound):
        services.ensure_assistant(actor=SYSTEM, project_id=project_id)
