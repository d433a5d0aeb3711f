"""Stages say which tools a model is offered while they last: in the steps of a run, and in the conversation beside it."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from apps.core.doors.tool_limits import ToolLimit, tool_limits
from apps.workflows import selectors
from apps.workflows.documents import stages
from apps.workflows.models import Run


def allowed_tools(run: Run) -> list[str] | None:
    """What the stage that the run is in allows; None where there is no stage, or it does not say."""
    stage = dict(stages(run.followed.document)).get(run.stage, {})
    found: list[str] | None = stage.get("tools")
    return found


def allowed_beside(conversation_id: UUID) -> Collection[str] | None:
    """What all runs of a conversation that are not over allow at the stages that they are in, whoever asks: a rule holds for those, too,
    who do not see the run.
    """
    said = [allowed_tools(run) for run in selectors.list_staged_runs(conversation_id)]
    limits = [set(names) for names in said if names is not None]
    return set.intersection(*limits) if limits else None


def register() -> None:
    tool_limits.register("workflows", ToolLimit("workflows", allowed_beside))
