"""What the engine does on a way back: one thing after the other is taken back, each a step; then the run is paused, or cancelled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from apps.accounts import selectors as accounts
from apps.accounts.types import SYSTEM, Actor
from apps.bulk import selectors as operations
from apps.bulk import services as operation_services
from apps.bulk.types import FINAL as OPERATION_ENDS
from apps.bulk.types import OperationStatus, UndoNotPossible
from apps.core.doors.workflow_functions import Gave, WorkflowCall, WorkflowFunction
from apps.core.errors import NotFound
from apps.core.events import told_last
from apps.extraction import question_selectors
from apps.extraction import services as record_services
from apps.extraction.types import ProposalDecided, RecordChangedSince
from apps.extraction.types import RunStatus as ReadingStatus
from apps.workflows import policies, selectors
from apps.workflows.events import RunCancelled, RunUnwound
from apps.workflows.models import Run, Step
from apps.workflows.problems import problem
from apps.workflows.services.ends import announce, inner_of, lock_held, operation_of, reading_of
from apps.workflows.services.rollback import go_back, keep, set_back_records, staying
from apps.workflows.services.runs import queue, undo_again
from apps.workflows.services.steps import change_step, hold
from apps.workflows.types import NOT_ALL, OPEN, UNDO, Back, HeldRun, RunStatus, StepRow, StepStatus

#: It was tried to its end before: another look tries again what failed.
AGAIN = "again"


@dataclass(frozen=True, slots=True)
class _Taken:
    """``waits_on``: what has to end first. ``stay``: what cannot be taken back. ``left``: why trying again may help."""

    output: dict[str, Any] = field(default_factory=dict)
    waits_on: UUID | None = None
    stay: list[dict[str, Any]] = field(default_factory=list)
    left: str = ""


@transaction.atomic
def undo_inside(*, actor: Actor, held: HeldRun, function: WorkflowFunction, call: WorkflowCall, step: StepRow) -> str:
    """What the function does and the end of its step are one transaction. The status of the run now."""
    policies.require(policies.is_system(actor))
    assert function.inside is not None
    hold(held)
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
def take_back(*, actor: Actor, held: HeldRun, step: StepRow) -> str:
    """What another step wrote or began, with the rights of who the run acts for. ``step`` follows; it waits where something has to end first.

    The status of the run now. Rows whose end is waited for are locked when they are looked at: their end is told after it is waited for.
    """
    role = accounts.project_role(actor, held.project_id)
    policies.require(policies.is_system(actor) or policies.can_run(actor, role))
    lock_held(held=held)
    of = Step.objects.get(run=held.run_id, pk=UUID(step.state["of"]))
    with told_last():
        taken = _WAYS[Back(step.state["back"])](actor, of, bool(step.state.get(AGAIN)))
        keep(of, taken.stay)
    state = {name: value for name, value in step.state.items() if name != AGAIN}
    if taken.waits_on is not None:
        return change_step(
            actor=SYSTEM, held=held, step=step, status=StepStatus.WAITING, waits_on=taken.waits_on, state=state
        )
    if taken.left:
        said = problem("runtime", 500, taken.left, code=NOT_ALL, instance=of.path).problem
        state[AGAIN] = True
        return change_step(actor=SYSTEM, held=held, step=step, status=StepStatus.FAILED, error=said, state=state)
    return change_step(
        actor=SYSTEM, held=held, step=step, status=StepStatus.COMPLETED, output=taken.output, state=state
    )


def _records(actor: Actor, of: Step, _is_again: bool) -> _Taken:  # noqa: FBT001  (as the others)
    stay = set_back_records(actor, of)
    return _Taken({"set_back": len(of.wrote) - len(stay), "kept": len(stay)}, stay=stay)


def _operation(actor: Actor, of: Step, is_again: bool) -> _Taken:  # noqa: FBT001  (a column of the table of ways)
    """It was cancelled when the way back began. What its items did is undone as ``bulk`` undoes, where its kind knows how."""
    pk = operation_of(of)
    assert pk is not None
    if operations.find_operation(operation_id=pk, viewer=SYSTEM) is None:  # forgotten, a month after its end
        return _Taken(stay=[staying("operation", pk, NotFound.code, str(NotFound.default_detail))])
    accounts.lock_project(of.project_id, actor)  # before the operation, as who tries one again holds them
    row = operations.lock_operation(operation_id=pk, viewer=actor)
    if row.status not in OPERATION_ENDS:
        return _Taken(waits_on=row.pk)
    undoing = getattr(row, "undone_by", None)
    if undoing is None:
        if not row.succeeded:
            return _Taken({"operation": str(pk), "undone": 0})
        try:
            undoing = operation_services.undo_operation(actor=actor, operation_id=pk)
        except UndoNotPossible as error:
            return _Taken(stay=[staying("operation", pk, error.code, str(error.detail), row.succeeded)])
    elif is_again and undoing.status in OPERATION_ENDS:
        undoing = operation_services.retry_failed(actor=actor, operation_id=undoing.pk)
    undoing = operations.lock_operation(operation_id=undoing.pk, viewer=actor)
    if undoing.status not in OPERATION_ENDS:
        return _Taken(waits_on=undoing.pk)
    causes = operations.list_causes(undoing)
    stay = [staying("operation", pk, each["code"], str(each["example"]), each["count"]) for each in causes]
    is_final = all(each["code"] == RecordChangedSince.code for each in causes)
    if undoing.status == OperationStatus.COMPLETED or (
        undoing.status == OperationStatus.COMPLETED_WITH_FAILURES and is_final
    ):
        found = {"operation": str(pk), "undone_by": str(undoing.pk), "undone": undoing.succeeded}
        return _Taken({**found, "kept": undoing.failed}, stay=stay)
    return _Taken(stay=stay, left="Not all that the operation did could be undone.")


def _reading(actor: Actor, of: Step, _is_again: bool) -> _Taken:  # noqa: FBT001  (as above)
    """It was stopped when the way back began; the piece that was being read ends, and may write records. Then these return to what they
    were, and what waits for a decision is withdrawn.
    """
    pk = reading_of(of)
    assert pk is not None
    try:
        row = question_selectors.lock_decisions(run_id=pk, viewer=actor)
    except NotFound as gone:
        return _Taken(stay=[staying("reading", pk, gone.code, str(gone.detail))])
    if row.status not in {ReadingStatus.COMPLETED, ReadingStatus.FAILED}:
        return _Taken(waits_on=row.pk)
    if row.wrote != of.wrote:  # the step was left before it heard, or somebody went on reading since
        of.wrote = row.wrote
        Step.objects.filter(pk=of.pk).update(wrote=row.wrote, updated_at=Now())
    stay = set_back_records(actor, of)
    set_back = len(of.wrote) - len(stay)
    taken = record_services.withdraw_suggestions(actor=actor, run_id=pk)
    stay += [staying("record", each, ProposalDecided.code, str(ProposalDecided.default_detail)) for each in taken]
    return _Taken({"reading": str(pk), "set_back": set_back, "kept": len(stay)}, stay=stay)


def _run(actor: Actor, of: Step, is_again: bool) -> _Taken:  # noqa: FBT001  (as above)
    """All that it came through is taken back by its own worker, in its own order."""
    inner = (
        Run.objects.select_for_update(of=("self",)).select_related("followed").get(pk=inner_of(of), parent=of.run_id)
    )
    if inner.is_unwinding and inner.status in OPEN:  # somebody began to roll it back
        Run.objects.filter(pk=inner.pk).update(is_given_up=True)
        return _Taken(waits_on=inner.pk)
    if inner.is_unwinding:  # the workers that took it back were lost
        if not is_again:
            return _Taken(left="The workers that took back the run inside were lost.")
        queue(inner, error={}, finished_at=None)
        return _Taken(waits_on=inner.pk)
    if is_again and selectors.has_left_undone(inner):
        undo_again(inner)
        return _Taken(waits_on=inner.pk)
    if inner.status in OPEN or selectors.list_steps(inner, with_history=False).exclude(kind=UNDO).exists():
        go_back(inner, actor, is_given_up=True)
        if Run.objects.filter(pk=inner.pk, is_unwinding=True).exists():
            return _Taken(waits_on=inner.pk)
    if selectors.has_left_undone(inner):
        return _Taken(left="Not all that the run inside did could be taken back.")
    stay = sum(len(kept) for kept in selectors.list_steps(inner).exclude(kept=[]).values_list("kept", flat=True))
    return _Taken(
        {"run": str(inner.pk), "kept": stay}, stay=[staying("run", inner.pk, NOT_ALL, "", stay)] if stay else []
    )


_WAYS: dict[Back, Callable[[Actor, Step, bool], _Taken]] = {
    Back.RECORDS: _records,
    Back.OPERATION: _operation,
    Back.READING: _reading,
    Back.RUN: _run,
}


@transaction.atomic
def end_unwinding(*, actor: Actor, held: HeldRun) -> None:
    """Nothing is left to take back: the run is paused, or cancelled when it was given up."""
    policies.require(policies.is_system(actor))
    run = lock_held(held=held)
    ended = Counter(Step.objects.filter(run=run, kind=UNDO).values_list("status", flat=True))
    run.status = RunStatus.CANCELLED if run.is_given_up else RunStatus.PAUSED
    run.is_unwinding, run.lease_until, run.waits_for, run.wake_at = False, None, "", None
    run.finished_at = Now() if run.is_given_up else None
    run.version += 1
    run.save()
    if run.is_given_up:
        announce(RunCancelled(run.pk, run.definition_id), run, actor)
    announce(RunUnwound(run.pk, ended[StepStatus.COMPLETED], ended[StepStatus.FAILED]), run, actor)
