"""Jobs of workflows: ids in, one engine each."""

from __future__ import annotations

from uuid import UUID

from apps.core.jobs import job
from apps.workflows import engine


@job("workflows.go_on", queue="calls")
def go_on(*, run_id: str) -> None:
    """Safe to repeat: only the holder of the run's lease writes, and what is done already is not done again."""
    engine.go_on(UUID(str(run_id)))
