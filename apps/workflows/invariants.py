"""What must always be true of runs (promise I2)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from apps.core.doors.invariants import Invariant, Violation, invariants
from apps.core.leases import scaled
from apps.workflows.models import Run, Start, Step
from apps.workflows.types import RunStatus, StartStatus, StepStatus

PATIENCE_SECONDS = 60.0
SHOWN = 20


def check_runs_go_on() -> Sequence[Violation]:
    since = Now() - timedelta(seconds=scaled(PATIENCE_SECONDS))
    rows = Run.objects.filter(status=RunStatus.RUNNING, lease_until__lte=since).values_list("pk", flat=True)[:SHOWN]
    advice = "Is a jobs process running? It goes on with runs of lost workers."
    return [Violation(f"Run {pk} is running without a live lease.", advice) for pk in rows]


def check_ended_are_whole() -> Sequence[Violation]:
    """What is completed or cancelled has no step that is still under way."""
    under_way = Step.objects.filter(run=OuterRef("pk"), status__in=[StepStatus.RUNNING, StepStatus.WAITING])
    rows = Run.objects.filter(Exists(under_way), status__in=[RunStatus.COMPLETED, RunStatus.CANCELLED])
    ids = rows.order_by("-updated_at").values_list("pk", flat=True)[:SHOWN]
    return [Violation(f"Run {pk} has ended with steps that have not.", "Report it with the run's id.") for pk in ids]


def check_starts_are_on_time() -> Sequence[Violation]:
    """But those of projects that are deleted: nothing begins there."""
    since = Now() - timedelta(seconds=scaled(PATIENCE_SECONDS))
    rows = Start.objects.filter(status=StartStatus.ACTIVE, next_at__lte=since, project__deleted_at=None)
    advice = "Is a process coordinating? It begins runs whose time has come."
    ids = rows.values_list("definition", flat=True)[:SHOWN]
    return [Violation(f"The time of workflow {pk} has come, and no run began.", advice) for pk in ids]


def register() -> None:
    for name, says, check in (
        ("runs_go_on", "No run is running without a live lease.", check_runs_go_on),
        ("ended_are_whole", "What has ended has no steps under way.", check_ended_are_whole),
        ("starts_are_on_time", "What starts by itself starts on time.", check_starts_are_on_time),
    ):
        full = f"workflows.{name}"
        invariants.register(full, Invariant(full, "I2", says, check))
