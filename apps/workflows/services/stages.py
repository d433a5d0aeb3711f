"""Stages: the gate is looked at and passed in one transaction, whoever lets the run go on; approvals; the way past a gate for managers."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from apps.accounts import selectors as accounts
from apps.accounts.types import Actor
from apps.core.errors import FieldError, Invalid
from apps.core.events import hold_topics
from apps.extraction import link_selectors as links
from apps.workflows import gates, policies, selectors
from apps.workflows.documents import stages
from apps.workflows.events import GateOverridden, RunAdvanced, RunBlocked, StageApproved
from apps.workflows.gates import MARK, Sight, Verdict
from apps.workflows.models import Approval, Run, Step
from apps.workflows.services.ends import announce, viewer_of
from apps.workflows.services.runs import lock_steered, wake
from apps.workflows.services.steps import change_step, write_step
from apps.workflows.types import (
    FINAL,
    GateClosed,
    HeldRun,
    LateWriter,
    NotNext,
    RunState,
    StepRow,
    StepStatus,
)


def look(run: Run, stage: dict[str, Any], *, at_gate: bool) -> tuple[list[Verdict], Sight]:
    """What a stage requires, now. The caller has locked the run; nobody tells of records of these collections until the commit."""
    required = stage.get("requires", [])
    viewer = viewer_of(run)
    if slugs := set(gates.slugs_in(required)):
        read = links.list_read(
            viewer, run.project_id, slugs, gates.fields_in(required), complete=gates.completed_in(required)
        )
        hold_topics(f"collection:{pk}" for pk in read)
    sight = gates.sight_of(run, viewer, found=selectors.list_gates(run), at_gate=at_gate)
    return gates.judge(required, sight), sight


def missing_of(verdicts: list[Verdict]) -> list[str]:
    return [verdict.says for verdict in verdicts if not verdict.is_met]


@transaction.atomic
def pass_gate(
    *, actor: Actor, held: HeldRun, name: str, stage: dict[str, Any], visit: int, step: StepRow | None
) -> StepRow:
    """For the engine: the gate is passed when everything required is there and nobody has to let it go on; else the run waits before it."""
    policies.require(policies.is_system(actor))
    run = Run.objects.select_for_update(of=("self",)).select_related("followed").get(pk=held.run_id)
    if run.fence != held.fence:
        raise LateWriter
    if step is not None:  # somebody may have let it go on meanwhile
        now = Step.objects.values_list("status", "state").get(pk=step.step_id)
        step.status, step.state = StepStatus(now[0]), now[1]
        if step.status == StepStatus.COMPLETED:
            return step
    verdicts, _sight = look(run, stage, at_gate=True)
    missing = missing_of(verdicts)
    state = {"manual": bool(stage.get("manual")), "missing": missing}
    if not missing and not stage.get("manual"):
        if step is None:
            step, _status = write_step(
                actor=actor,
                held=held,
                path=name + MARK,
                visit=visit,
                kind="gate",
                status=StepStatus.COMPLETED,
                state=state,
            )
        else:
            change_step(actor=actor, held=held, step=step, status=StepStatus.COMPLETED, state=state)
        _enter(run, step.step_id, name, actor, is_override=False)
        return step
    if step is None:
        step, _status = write_step(
            actor=actor, held=held, path=name + MARK, visit=visit, kind="gate", status=StepStatus.WAITING, state=state
        )
        announce(RunBlocked(run.pk, step.step_id, _place(run, name), len(missing)), run, actor)
    elif step.state.get("missing") != missing:
        change_step(actor=actor, held=held, step=step, status=StepStatus.WAITING, state=state)
        announce(RunBlocked(run.pk, step.step_id, _place(run, name), len(missing)), run, actor)
    return step


def _id(value: UUID | None) -> str | None:
    return str(value) if value else None


def _place(run: Run, name: str) -> int:
    return [each for each, _stage in stages(run.followed.document)].index(name) + 1


def _enter(run: Run, step_id: UUID, name: str, actor: Actor, *, is_override: bool) -> None:
    Run.objects.filter(pk=run.pk).update(stage=name, version=F("version") + 1, updated_at=Now())
    announce(RunAdvanced(run.pk, step_id, _place(run, name), is_override), run, actor)


def _stage(run: Run, name: str) -> dict[str, Any]:
    found = dict(stages(run.followed.document)).get(name)
    if found is None:
        raise NotNext(next=_waiting_at(run))
    return found


def _waiting_at(run: Run) -> str:
    return next(
        (gates.name_of(step.path) for step in selectors.list_gates(run) if step.status == StepStatus.WAITING), ""
    )


@transaction.atomic
def advance_stage(*, actor: Actor, run_id: UUID, stage: str = "", override: bool = False, reason: str = "") -> Run:
    """Let a run go on into the stage that it waits at. ``GateClosed`` says what is missing, also of a stage further on.

    ``override``: a manager lets it go on all the same, and says why: ``Invalid`` without a reason. The run shows who and why, the audit log
    that it was done, by whom and when.
    """
    run = lock_steered(actor=actor, run_id=run_id)
    if run.status in FINAL:
        raise RunState(run.status)
    name = stage or _waiting_at(run)
    wanted = _stage(run, name)
    role = accounts.project_role(actor, run.project_id)
    policies.require(policies.has_role(role, wanted.get("by", "editor")))
    here = next(
        (
            step
            for step in selectors.list_gates(run)
            if step.status == StepStatus.WAITING and gates.name_of(step.path) == name
        ),
        None,
    )
    verdicts, _sight = look(run, wanted, at_gate=here is not None)
    missing = missing_of(verdicts)
    if here is None:
        if missing:
            raise GateClosed(missing=missing, stage=name)
        raise NotNext(next=_waiting_at(run))
    if missing:
        if not override:
            raise GateClosed(missing=missing, stage=name)
        policies.require(policies.can_override(actor, role))
        if not reason.strip():
            raise Invalid(fields=[FieldError("reason", "required", _("Say why it goes on all the same."))])
    is_override = bool(missing)
    state = {**here.state, "missing": missing, "by": _id(actor.user_id), "override": is_override}
    if is_override:
        state["reason"] = reason.strip()[:500]
    Step.objects.filter(pk=here.pk).update(status=StepStatus.COMPLETED, state=state, ended_at=Now(), updated_at=Now())
    if is_override:
        announce(GateOverridden(run.pk, here.pk, _place(run, name), len(missing)), run, actor)
    _enter(run, here.pk, name, actor, is_override=is_override)
    wake([run.pk])
    return selectors.get_run(run_id=run_id, viewer=actor)


def require_open(*, actor: Actor, run: Run, name: str) -> None:
    """That the actor may let a run into this stage, and that all it requires is there. The caller has locked the run."""
    wanted = _stage(run, name)
    policies.require(policies.has_role(accounts.project_role(actor, run.project_id), wanted.get("by", "editor")))
    if missing := missing_of(look(run, wanted, at_gate=True)[0]):
        raise GateClosed(missing=missing, stage=name)


@transaction.atomic
def approve_stage(*, actor: Actor, run_id: UUID, stage: str) -> Run:
    """The actor says that a stage, which has begun, is as it should be. Saying it twice is saying it once."""
    run = lock_steered(actor=actor, run_id=run_id)
    if run.status in FINAL:
        raise RunState(run.status)
    _stage(run, stage)
    if not any(
        step.status == StepStatus.COMPLETED and gates.name_of(step.path) == stage for step in selectors.list_gates(run)
    ):
        raise NotNext(next=_waiting_at(run))
    if actor.user_id is None:
        policies.require(verdict=False)
    _row, is_new = Approval.objects.get_or_create(
        organization_id=run.organization_id, run=run, stage=stage, person_id=actor.user_id
    )
    if is_new:
        announce(StageApproved(run.pk, _place(run, stage)), run, actor)
        wake([run.pk])
    return selectors.get_run(run_id=run_id, viewer=actor)


def check_stage(*, actor: Actor, run_id: UUID, stage: str) -> list[Verdict]:
    """What a stage requires and whether it is there, now. Nothing is held and nothing changes."""
    run = selectors.get_run(run_id=run_id, viewer=actor)
    sight = gates.sight_of(run, viewer_of(run), found=selectors.list_gates(run))
    return gates.judge(_stage(run, stage).get("requires", []), sight)
