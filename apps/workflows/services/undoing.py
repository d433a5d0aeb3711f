"""Effects that are taken back: planned with the way back, done by the engine, ended with a run that is paused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from django.db import transaction
from django.db.models.functions import Now

from apps.accounts.types import Actor
from apps.core.doors.workflow_functions import Gave, WorkflowCall, WorkflowFunction
from apps.core.events import told_last
from apps.workflows import policies
from apps.workflows.documents import compensations, walk
from apps.workflows.events import RunUnwound
from apps.workflows.models import Run, Step
from apps.workflows.services.runs import announce, lock_held
from apps.workflows.services.steps import change_step
from apps.workflows.types import UNDO, HeldRun, RunStatus, StepRow, StepStatus


def plan_undoing(*, run: Run, back: Sequence[Step]) -> int:
    """Part of rolling back, which asks. One step for each call, in the order of ``back``: the last effect first. How many there are.

    Of a call that was under way nobody knows whether it had an effect: it is taken back, too.
    """
    bodies = {task.path: task.body for task in walk(run.followed.document)}
    made: list[Step] = []
    for step in back:
        if step.status not in {StepStatus.COMPLETED, StepStatus.RUNNING} and "raw" not in step.state:
            continue
        for place, said in enumerate(compensations(bodies.get(step.path, {})), start=1):
            made.append(
                Step(
                    organization_id=run.organization_id,
                    project_id=run.project_id,
                    run=run,
                    number=run.step_count + len(made) + 1,
                    path=f"{step.path[:900]}#undo/{step.number}.{place}",
                    kind=UNDO,
                    status=StepStatus.WAITING,
                    input=step.output,
                    state={"of": str(step.pk), "call": said["call"], "with": said.get("with", {})},
                    started_at=Now(),
                )
            )
    Step.objects.bulk_create(made)
    return len(made)


@transaction.atomic
def undo_inside(*, actor: Actor, held: HeldRun, function: WorkflowFunction, call: WorkflowCall, step: StepRow) -> str:
    """What the function does and the end of its step are one transaction. The status of the run now."""
    policies.require(policies.is_system(actor))
    assert function.inside is not None
    with told_last():
        given = function.inside(call)
        assert isinstance(given, Gave)
        return change_step(
            actor=actor,
            held=held,
            step=step,
            status=StepStatus.COMPLETED,
            output=given.output,
            wrote=given.wrote,
            cost=given.cost,
        )


@transaction.atomic
def end_unwinding(*, actor: Actor, held: HeldRun) -> None:
    """Nothing is left to take back: the run is paused."""
    policies.require(policies.is_system(actor))
    run = lock_held(held=held)
    ended = Counter(Step.objects.filter(run=run, kind=UNDO).values_list("status", flat=True))
    run.status, run.is_unwinding, run.lease_until, run.waits_for, run.wake_at = RunStatus.PAUSED, False, None, "", None
    run.version += 1
    run.save()
    announce(RunUnwound(run.pk, ended[StepStatus.COMPLETED], ended[StepStatus.FAILED]), run, actor)
