"""The way back: to before a stage. Records that steps wrote return to what they were, the last written first; what was done stays as history."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from apps.accounts.types import Actor
from apps.core import jobs
from apps.core.errors import DomainError
from apps.core.events import told_last
from apps.extraction import selectors as records
from apps.extraction import services as record_services
from apps.workflows import selectors
from apps.workflows.documents import stages
from apps.workflows.events import RunRolledBack
from apps.workflows.gates import name_of
from apps.workflows.models import Approval, Choice, Run, Step
from apps.workflows.services.runs import announce, lock_steered
from apps.workflows.services.undoing import plan_undoing
from apps.workflows.types import LIVING, OPEN, UNDO, ChoiceStatus, NotNext, RunState, RunStatus, StepStatus


@transaction.atomic
def roll_back(*, actor: Actor, run_id: UUID, stage: str) -> Run:
    """To before this stage began. Effects elsewhere are taken back as the document says; then the run is paused, and goes forward again
    when somebody lets it.

    What somebody changed since in a record that a step wrote stays as it is; the step says so.
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
    first = gates[-1]
    since = Step.objects.filter(run=run, number__gte=first.number, status__in=LIVING).exclude(kind=UNDO)
    back = list(since.order_by("-number"))
    found = _Found()
    with told_last():
        for step in back:
            for record, before, after in reversed(step.wrote):
                _set_back(actor, found, record, before, after)
    ids = [step.pk for step in back]
    Step.objects.filter(pk__in=ids).update(status=StepStatus.ROLLED_BACK, updated_at=Now())
    Choice.objects.filter(step_id__in=ids, status=ChoiceStatus.OPEN).update(status=ChoiceStatus.WITHDRAWN)
    _follow(run, found)
    _forget_approvals(run, stage)
    planned = plan_undoing(run=run, back=back)
    before = [name_of(step.path) for step in selectors.list_gates(run) if step.status == StepStatus.COMPLETED]
    Run.objects.filter(pk=run.pk).update(
        status=RunStatus.QUEUED if planned else RunStatus.PAUSED,
        is_unwinding=bool(planned),
        step_count=F("step_count") + planned,
        stage=before[-1] if before else "",
        fence=F("fence") + 1,
        lease_until=None,
        wake_at=None,
        waits_for="",
        output=None,
        error={},
        failed_steps=[],
        finished_at=None,
        version=F("version") + 1,
        updated_at=Now(),
    )
    announce(RunRolledBack(run.pk, len(back), found.set_back, found.kept), run, actor)
    if planned:
        jobs.after_commit("workflows.go_on", run_id=run.pk)
    return selectors.get_run(run_id=run_id, viewer=actor)


def _forget_approvals(run: Run, stage: str) -> None:
    """Of this stage and those after it: what is made anew is approved anew."""
    names = [name for name, _stage in stages(run.followed.document)]
    Approval.objects.filter(run=run, stage__in=names[names.index(stage) :]).delete()


@dataclass(slots=True)
class _Found:
    """``now``: of each record that was set back, the version it has and the earlier one that it is like."""

    set_back: int = 0
    kept: int = 0
    now: dict[str, tuple[int, int]] = field(default_factory=dict)


def _set_back(actor: Actor, found: _Found, record: str, before: int, after: int) -> None:
    """As it was before a step wrote it, unless somebody else wrote it since."""
    try:
        with transaction.atomic():
            version = _undo(actor, found, record, before, after)
    except DomainError:  # somebody took its values, or erased it
        version = None
    if version is None:
        found.kept += 1
        return
    found.set_back += 1
    found.now[record] = (version, before)


def _undo(actor: Actor, found: _Found, record: str, before: int, after: int) -> int | None:
    """The version that it has then; None: it is another's by now."""
    pk = UUID(record)
    row: Any = records.lock_record(record_id=pk, viewer=actor, with_deleted=True)
    if row.version != after and found.now.get(record) != (row.version, after):
        return None
    if row.deleted_at is not None:
        record_services.restore_record(actor=actor, record_id=pk)
    elif before == 0:
        record_services.delete_record(actor=actor, record_id=pk)
    else:
        record_services.set_back_record(actor=actor, record_id=pk, number=before)
    return int(records.get_record(record_id=pk, viewer=actor, with_deleted=True).version)


def _follow(run: Run, found: _Found) -> None:
    """Steps that stay wrote what these records say again: their version is another one by now."""
    if not found.now:
        return
    for step in Step.objects.filter(run=run, status__in=LIVING).exclude(wrote=[]):
        wrote = [
            [record, before, found.now[record][0]]
            if found.now.get(record, (0, -1))[1] == after
            else [record, before, after]
            for record, before, after in step.wrote
        ]
        if wrote != step.wrote:
            Step.objects.filter(pk=step.pk).update(wrote=wrote)
