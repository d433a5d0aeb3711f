"""The way back: to before a stage, the last thing first. Records return to what they were; runs and operations that steps began are taken back.

What can be set back at once is, with the run; from the first thing on that takes its time each is a step of the engine's (``unwinding.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from apps.accounts.types import Actor
from apps.core import jobs
from apps.core.errors import DomainError
from apps.core.events import told_last
from apps.extraction import selectors as records
from apps.extraction import services as record_services
from apps.extraction.types import RecordChangedSince, RevisionKind
from apps.workflows import selectors
from apps.workflows.documents import compensations, stages, walk
from apps.workflows.events import RunRolledBack
from apps.workflows.gates import name_of
from apps.workflows.models import Approval, Choice, Run, Step
from apps.workflows.services.ends import announce, inner_of, operation_of, reading_of, stop_begun
from apps.workflows.services.runs import lock_steered
from apps.workflows.types import (
    BACK_MARK,
    COPIED,
    LIVING,
    OPEN,
    UNDER_WAY,
    UNDO,
    Back,
    ChoiceStatus,
    NotNext,
    RunState,
    RunStatus,
    StepStatus,
)

#: A record is by these what it was before.
_TAKEN_BACK = frozenset({RevisionKind.RESTORED, RevisionKind.UNDELETED})
_GONE = frozenset({RevisionKind.DELETED, RevisionKind.MERGED})

#: Also what was tried again, where it left something: the time of a run or an operation was over, a call was under way.
_TO_TAKE_BACK = Q(status__in=LIVING) | (
    Q(status=StepStatus.REPLACED)
    & (Q(state__has_any_keys=["run", "operation", "extraction", "raw", UNDER_WAY]) | ~Q(wrote=[]))
)


@transaction.atomic
def roll_back(*, actor: Actor, run_id: UUID, stage: str) -> Run:
    """To before this stage began. When all is taken back the run is paused, and goes forward again when somebody lets it.

    What somebody changed since in a record that a step wrote stays as it is; the step says so (``kept``).
    """
    run = lock_steered(actor=actor, run_id=run_id)
    if run.is_unwinding and run.status in OPEN:
        raise RunState(run.status)
    gates = [
        step
        for step in selectors.list_gates(run)
        if name_of(step.path) == stage and step.status == StepStatus.COMPLETED
    ]
    if not gates:
        raise NotNext(next="")
    names = [name for name, _stage in stages(run.followed.document)]
    # What is made anew is approved anew.
    Approval.objects.filter(run=run, stage__in=names[names.index(stage) :]).delete()
    go_back(run, actor, since=gates[-1].number)
    return selectors.get_run(run_id=run_id, viewer=actor)


def go_back(run: Run, actor: Actor, *, since: int = 0, is_given_up: bool = False) -> None:
    """Of a locked run whose caller asked for the right. Records are set back with the rights of ``actor``.

    ``is_given_up``: the run that began it went back, too; then it is cancelled in the end, and not paused.
    """
    rows = Step.objects.filter(_TO_TAKE_BACK, run=run, number__gte=since).exclude(kind=UNDO)
    back = list(rows.order_by("-number"))
    stop_begun(run, back, actor)
    planned, set_back, kept = _taken_back(run, back, actor)
    Step.objects.bulk_create(planned)
    ids = [step.pk for step in back]
    Step.objects.filter(pk__in=ids).update(status=StepStatus.ROLLED_BACK, updated_at=Now())
    Choice.objects.filter(step_id__in=ids, status=ChoiceStatus.OPEN).update(status=ChoiceStatus.WITHDRAWN)
    passed = [name_of(step.path) for step in selectors.list_gates(run) if step.status == StepStatus.COMPLETED]
    ended = RunStatus.CANCELLED if is_given_up else RunStatus.PAUSED
    Run.objects.filter(pk=run.pk).update(
        status=RunStatus.QUEUED if planned else ended,
        is_unwinding=bool(planned),
        is_given_up=is_given_up,
        step_count=F("step_count") + len(planned),
        stage=passed[-1] if passed else "",
        fence=F("fence") + 1,
        lease_until=None,
        wake_at=None,
        waits_for="",
        output=None,
        error={},
        failed_steps=[],
        crashes=0,
        finished_at=Now() if is_given_up and not planned else None,
        started_at=Now()
        if "timeout" in run.followed.document
        else F("started_at"),  # the time of the whole workflow begins anew
        version=F("version") + 1,
        updated_at=Now(),
    )
    announce(RunRolledBack(run.pk, len(back), set_back, kept), run, actor)
    if planned:
        jobs.after_commit("workflows.go_on", run_id=run.pk)


def _taken_back(run: Run, back: Sequence[Step], actor: Actor) -> tuple[list[Step], int, int]:
    """The steps that are left to the engine; how many records were set back at once, and how many stay."""
    bodies = {task.path: task.body for task in walk(run.followed.document)}
    planned: list[Step] = []
    set_back, kept, is_later = 0, 0, False
    with told_last():
        for step in back:
            way = _way_of(step)
            if way and (way != Back.RECORDS or is_later):
                planned.append(_undo_step(run, step, len(planned) + 1, 0, {"back": way.value}))
                is_later = True
            elif way:
                stay = set_back_records(actor, step)
                set_back, kept = set_back + len(step.wrote) - len(stay), kept + len(stay)
            for place, said in enumerate(_compensations(step, bodies), start=1):
                call = {"call": said["call"], "with": said.get("with", {})}
                planned.append(_undo_step(run, step, len(planned) + 1, place, call))
    return planned, set_back, kept


def _way_of(step: Step) -> Back | None:
    if inner_of(step) is not None:
        return Back.RUN
    if operation_of(step) is not None:
        return Back.OPERATION
    if reading_of(step) is not None:
        return Back.READING
    return Back.RECORDS if step.wrote else None


def _compensations(step: Step, bodies: dict[str, Any]) -> Sequence[dict[str, Any]]:
    """Of a call that was under way nobody knows whether it had an effect: it is taken back, too."""
    is_done = step.status in {StepStatus.COMPLETED, StepStatus.RUNNING} or {"raw", UNDER_WAY} & step.state.keys()
    return compensations(bodies.get(step.path, {})) if is_done and not step.state.get(COPIED) else ()


def _undo_step(run: Run, step: Step, number: int, place: int, state: dict[str, Any]) -> Step:
    return Step(
        organization_id=run.organization_id,
        project_id=run.project_id,
        run=run,
        number=run.step_count + number,
        path=f"{step.path[:900]}{BACK_MARK}{step.number}.{place}",
        kind=UNDO,
        status=StepStatus.WAITING,
        input=step.output if "call" in state else None,
        state={"of": str(step.pk), **state},
        started_at=Now(),
    )


# Records


def set_back_records(actor: Actor, step: Step) -> list[dict[str, Any]]:
    """The last first. Those that stay, and why, which the step keeps."""
    stay = []
    for record, before, after in reversed(step.wrote):
        try:
            with transaction.atomic():
                _set_back(actor, UUID(record), before, after)
        except DomainError as error:
            stay.append(staying("record", record, error.code, str(error.detail)))
    keep(step, stay)
    return stay


def staying(what: str, pk: Any, code: str, detail: str, count: int = 1) -> dict[str, Any]:
    return {"what": what, "id": str(pk), "code": code, "detail": detail[:500], "count": count}


def keep(step: Step, stay: list[dict[str, Any]]) -> None:
    """What of a step could not be taken back, for whoever looks at it."""
    if stay != step.kept:
        step.kept = stay
        Step.objects.filter(pk=step.pk).update(kept=stay, updated_at=Now())


def _set_back(actor: Actor, pk: UUID, before: int, after: int) -> None:
    """As it was before a step wrote it. ``RecordChangedSince`` when somebody else wrote it since."""
    row: Any = records.lock_record(record_id=pk, viewer=actor, with_deleted=True)
    if row.version != after and not _is_again(row, after):
        raise RecordChangedSince
    if row.deleted_at is not None:
        record_services.restore_record(actor=actor, record_id=pk)
    elif before == 0:
        record_services.delete_record(actor=actor, record_id=pk)
    else:
        record_services.set_back_record(actor=actor, record_id=pk, number=before)


def _is_again(row: Any, after: int) -> bool:
    """What was written later is taken back by now: it is as this version was."""
    if row.deleted_at is not None or records.get_revision(row, row.version).kind not in _TAKEN_BACK:
        return False
    left = records.get_revision(row, after)
    return left.kind not in _GONE and bool(left.data == row.data)
