"""How runs end, and what they leave behind: questions, runs and operations that nobody waits for any more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now

from apps.accounts.actors import actor_of_row
from apps.accounts.types import SYSTEM, Actor
from apps.bulk import selectors as operations
from apps.bulk import services as operation_services
from apps.bulk.types import FINAL as OPERATION_ENDS
from apps.bulk.types import OperationState
from apps.core.errors import NotFound
from apps.core.events import emit
from apps.core.storable import storable
from apps.extraction import services as record_services
from apps.extraction.types import RunEnded as ReadingEnded
from apps.workflows import policies
from apps.workflows.events import RunCancelled, RunCompleted, RunFailed
from apps.workflows.models import Choice, Run, Step
from apps.workflows.services.steps import change_step, require_size
from apps.workflows.types import (
    COPIED,
    MAX_DATA_BYTES,
    OPEN,
    UNDER_WAY,
    ChoiceStatus,
    HeldRun,
    LateWriter,
    RunStatus,
    StepRow,
    StepStatus,
)

WORKER_LOST = {
    "type": "https://serverlessworkflow.io/spec/1.0.0/errors/runtime",
    "status": 500,
    "title": "runtime",
    "detail": "The workers that had this run died. Whatever kills them, trying again may kill the next one.",
    "code": "worker_lost",
}


def announce(fact: Any, run: Run, actor: Actor) -> None:
    emit(fact, actor=actor, scope=run.scope, subject=("run", run.pk))


def viewer_of(run: Run) -> Actor:
    """Whose rights the run has, as they are now."""
    if run.requested_by_id is None and run.key_id is None:
        return SYSTEM
    return actor_of_row(user_id=run.requested_by_id, key_id=run.key_id)


def lock_held(*, held: HeldRun) -> Run:
    run = Run.objects.select_for_update(of=("self",)).filter(pk=held.run_id, fence=held.fence).first()
    if run is None:
        raise LateWriter
    return run


@transaction.atomic
def finish_run(*, actor: Actor, held: HeldRun, output: Any) -> None:
    """``DataTooLarge`` when what it gives is more than a step may give."""
    policies.require(policies.is_system(actor))
    require_size(output, MAX_DATA_BYTES)
    run = lock_held(held=held)
    if run.status == RunStatus.PAUSED:  # it ends when somebody lets it go on
        run.lease_until = None
        run.save()
        return
    run.status, run.output, run.lease_until, run.waits_for = RunStatus.COMPLETED, storable(output), None, ""
    run.finished_at, run.wake_at = Now(), None
    run.save()
    _end_what_is_open(run, actor)
    announce(RunCompleted(run.pk, run.definition_id), run, actor)


@transaction.atomic
def fail_run(*, actor: Actor, held: HeldRun, error: dict[str, Any], steps: list[UUID]) -> None:
    """``steps`` are those that failed and that nobody caught, the innermost first: trying again begins there."""
    policies.require(policies.is_system(actor))
    run = lock_held(held=held)
    run.failed_steps = [str(pk) for pk in steps]
    fail(run, error, actor)


def fail(run: Run, error: dict[str, Any], actor: Actor) -> None:
    run.status, run.error, run.lease_until, run.waits_for = RunStatus.FAILED, storable(error), None, ""
    run.finished_at, run.wake_at = Now(), None
    run.save()
    Choice.objects.filter(run=run, status=ChoiceStatus.OPEN).update(status=ChoiceStatus.WITHDRAWN)
    announce(RunFailed(run.pk, run.definition_id, str(error.get("code") or error.get("title", ""))[:60]), run, actor)


def _end_what_is_open(run: Run, actor: Actor) -> None:
    """What is left by whoever ended before the last task: blocks around it, branches that still waited."""
    rows = Step.objects.filter(run=run, status__in=[StepStatus.RUNNING, StepStatus.WAITING])
    open_steps = list(rows)
    _cancel_steps(open_steps)
    Choice.objects.filter(run=run, status=ChoiceStatus.OPEN).update(status=ChoiceStatus.WITHDRAWN)
    stop_begun(run, open_steps, actor)


@transaction.atomic
def withdraw_steps(
    *,
    actor: Actor,
    held: HeldRun,
    path: str,
    step: StepRow,
    status: StepStatus,
    state: dict[str, Any],
    error: dict[str, Any] | None = None,
) -> tuple[list[UUID], str]:
    """What waits or runs inside ``path``, and what is asked or was begun there, is not waited for any more, and ``step`` says why: both or neither.

    What was withdrawn, and the status of the run now.
    """
    policies.require(policies.is_system(actor))
    gone = _withdraw(lock_held(held=held), path, actor)
    return gone, change_step(actor=actor, held=held, step=step, status=status, state=state, error=error)


def _withdraw(run: Run, path: str, actor: Actor) -> list[UUID]:
    rows = Step.objects.filter(run=run, status__in=[StepStatus.RUNNING, StepStatus.WAITING])
    asked = list(rows.filter(Q(path=path) | Q(path__startswith=f"{path}/")))
    gone = [step for step in asked if step.path != path]
    _cancel_steps(gone)
    Choice.objects.filter(step_id__in=[step.pk for step in asked], status=ChoiceStatus.OPEN).update(
        status=ChoiceStatus.WITHDRAWN
    )
    stop_begun(run, asked, actor)
    return [step.pk for step in gone]


def _cancel_steps(steps: Sequence[Step]) -> None:
    """Those that were running remember it: of a call nobody knows whether it had its effect."""
    Step.objects.filter(pk__in=[step.pk for step in steps]).update(status=StepStatus.CANCELLED, ended_at=Now())
    for step in steps:
        if step.status == StepStatus.RUNNING:
            Step.objects.filter(pk=step.pk).update(state={**step.state, UNDER_WAY: True})


@transaction.atomic
def keep_deadline(*, actor: Actor, held: HeldRun, step: StepRow, deadline: datetime) -> None:
    """Until when a step may wait. What others wrote into its memory meanwhile stays; ``step`` follows."""
    policies.require(policies.is_system(actor))
    lock_held(held=held)
    state = Step.objects.values_list("state", flat=True).get(pk=step.step_id)
    step.state = {**state, "deadline": state.get("deadline", deadline.isoformat())}
    Step.objects.filter(pk=step.step_id).update(state=step.state, updated_at=Now())


def cancel(run: Run, actor: Actor) -> None:
    """Of a locked run, and of all that it began. What is taken back just now goes on being taken back; then it is cancelled."""
    if run.is_unwinding and run.status in OPEN:
        Run.objects.filter(pk=run.pk).update(is_given_up=True, version=F("version") + 1, updated_at=Now())
        return
    Run.objects.filter(pk=run.pk).update(
        status=RunStatus.CANCELLED,
        is_given_up=True,
        fence=F("fence") + 1,
        lease_until=None,
        wake_at=None,
        waits_for="",
        version=F("version") + 1,
        finished_at=Now(),
        updated_at=Now(),
    )
    _end_what_is_open(run, actor)
    announce(RunCancelled(run.pk, run.definition_id), run, actor)
    under_way = Step.objects.filter(run=OuterRef("pk"), status__in=[StepStatus.RUNNING, StepStatus.WAITING])
    left = Q(status__in=OPEN) | (Q(status=RunStatus.FAILED, is_unwinding=False) & Exists(under_way))
    for child in Run.objects.select_for_update().filter(left, parent=run).order_by("pk"):
        cancel(child, actor)


def stop_begun(run: Run, steps: Iterable[Step], actor: Actor) -> None:
    """Runs and operations that these steps began and that are under way are cancelled, readings begin no further piece. What they did
    by then stays.

    Whoever may steer the run may do so: it is the platform that stops them, and waits for them no more.
    """
    runs, begun = [], []
    for step in steps:
        if (inner := inner_of(step)) is not None:
            runs.append(inner)
        if (operation := operation_of(step)) is not None:
            begun.append(operation)
        if (reading := reading_of(step)) is not None:
            with suppress(ReadingEnded, NotFound):  # it has ended meanwhile, or was forgotten
                record_services.stop_extraction(actor=SYSTEM, run_id=reading)
    if runs:
        for child in Run.objects.select_for_update().filter(pk__in=runs, parent=run, status__in=OPEN).order_by("pk"):
            cancel(child, actor)
    for operation_id in begun:
        row = operations.find_operation(operation_id=operation_id, viewer=SYSTEM)
        if row is not None and row.status not in OPERATION_ENDS:
            with suppress(OperationState):  # it has ended meanwhile
                operation_services.cancel_operation(actor=SYSTEM, operation_id=operation_id)


def inner_of(step: Step) -> UUID | None:
    """The run that a step began. Steps that came with a fork began nothing themselves."""
    return _begun(step, "run", "run")


def operation_of(step: Step) -> UUID | None:
    """The operation over many items that a step began."""
    return _begun(step, "call", "operation")


def reading_of(step: Step) -> UUID | None:
    """The reading that a step waits for."""
    return _begun(step, "call", "extraction")


def _begun(step: Step, kind: str, name: str) -> UUID | None:
    is_own = step.kind == kind and name in step.state and not step.state.get(COPIED)
    return UUID(step.state[name]) if is_own else None
