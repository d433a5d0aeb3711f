"""Runs: begun, taken by a worker, given back, ended; and what people do with one."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Now

from apps.accounts import selectors as accounts
from apps.accounts.types import Actor, ActorKind
from apps.conversations import selectors as conversations
from apps.conversations import services as conversation_services
from apps.core import jobs, kept, leases
from apps.core.correlation import current
from apps.core.errors import DomainError, FieldError, NotFound
from apps.core.storable import storable
from apps.workflows import policies, selectors, shapes
from apps.workflows.documents import input_schema
from apps.workflows.events import RunChanged, RunStarted, RunWaited
from apps.workflows.models import Choice, Definition, DefinitionVersion, Run, Step
from apps.workflows.problems import is_effect_unknown
from apps.workflows.services.ends import WORKER_LOST, announce, cancel, fail, inner_of, lock_held
from apps.workflows.services.steps import LEASE_SECONDS
from apps.workflows.types import (
    ASKED_FOR,
    CRASHES,
    FINAL,
    MAX_DATA_BYTES,
    MAX_OPEN_RUNS,
    MAY_UNDO_AGAIN,
    OPEN,
    TRIES,
    UNDO,
    ChoiceStatus,
    DataTooLarge,
    HeldRun,
    InputDoesNotFit,
    RunCause,
    RunState,
    RunStatus,
    StepRow,
    StepStatus,
    TooManyOpenRuns,
)

#: What a step remembers of its time: tried again it has its time anew.
OF_ITS_TIME = frozenset({"deadline", "since", "begun"})


@transaction.atomic
def start_run(
    *,
    actor: Actor,
    definition_id: UUID,
    data: Any = None,
    title: str = "",
    conversation_id: UUID | None = None,
    cause: RunCause | None = None,
) -> Run:
    """It follows the version that is in force now to its end."""
    definition = selectors.get_definition(definition_id=definition_id, viewer=actor)
    project = accounts.lock_project(definition.project_id, actor)
    policies.require(policies.can_run(actor, accounts.role_in(actor, project)))
    if conversation_id is not None:
        talk = conversations.get_conversation(conversation_id=conversation_id, viewer=actor)
        if talk.project_id != project.pk:
            raise NotFound
    if cause is None:
        cause = RunCause.PERSON if actor.kind == ActorKind.MEMBER else RunCause.PROGRAM
    version = DefinitionVersion.objects.get(definition=definition, number=definition.number)
    return begin(actor, definition, version, data=data, title=title, conversation_id=conversation_id, cause=cause)


def begin(
    actor: Actor,
    definition: Definition,
    version: DefinitionVersion,
    *,
    data: Any,
    cause: RunCause,
    title: str = "",
    conversation_id: UUID | None = None,
    parent: Run | None = None,
    depth: int = 0,
    collections: Sequence[UUID] = (),
    **more: Any,
) -> Run:
    """The row and what is told of it, for callers who asked for the right. ``more``: what started it by itself.

    ``InputDoesNotFit`` where somebody waits for the answer. What begins by itself or inside another run begins and fails, as the DSL has it.
    """
    if Run.objects.filter(project=definition.project_id, status__in=OPEN).count() >= MAX_OPEN_RUNS:
        raise TooManyOpenRuns
    data = {} if data is None else storable(data)
    if len(json.dumps(data, default=str)) > MAX_DATA_BYTES:
        raise DataTooLarge
    if cause in ASKED_FOR:
        _require_fit(version.document, data)
    run = Run.objects.create(
        organization_id=definition.organization_id,
        project_id=definition.project_id,
        definition=definition,
        followed=version,
        title=title[:200],
        cause=cause,
        requested_by_id=actor.user_id,
        key_id=actor.key_id,
        conversation_id=conversation_id,
        parent=parent,
        depth=depth,
        collections=list(collections),
        data=data,
        correlation_id=current().correlation_id[:64],
        reactions=current().depth,
        started_at=Now(),
        **more,
    )
    announce(RunStarted(run.pk, definition.pk, version.number, cause), run, actor)
    if conversation_id is not None and parent is None:
        with contextlib.suppress(DomainError):  # whoever forks a run may not see where it began
            conversation_services.annotate_conversation(actor=actor, conversation_id=conversation_id)
    jobs.after_commit("workflows.go_on", run_id=run.pk)
    return selectors.get_run(run_id=run.pk, viewer=actor) if parent is None else run


def _require_fit(document: Mapping[str, Any], data: Any) -> None:
    if wrong := shapes.list_wrong(input_schema(document), data):
        raise InputDoesNotFit(
            fields=[FieldError(f"input{each.field.replace('/', '.')}", each.code, each.detail) for each in wrong]
        )


# The engine's


@transaction.atomic
def claim_run(*, actor: Actor, run_id: UUID) -> tuple[HeldRun, list[StepRow]] | None:
    """The run with what it came through, held under a new fence. None: somebody has it, or nothing is to be done."""
    policies.require(policies.is_system(actor))
    due = Q(status=RunStatus.QUEUED) | Q(status=RunStatus.RUNNING) | Q(status=RunStatus.WAITING, wake_at__lte=Now())
    was = Run.objects.filter(pk=run_id).values_list("status", flat=True).first()
    fence = leases.claim(
        Run.objects.filter(due), run_id, seconds=LEASE_SECONDS, status=RunStatus.RUNNING, is_woken=False, wake_at=None
    )
    if fence is None:
        return None
    run = Run.objects.select_related("followed").get(pk=run_id)
    if was == RunStatus.RUNNING:  # its worker was lost
        if run.crashes + 1 >= CRASHES:
            fail(run, WORKER_LOST, actor)
            return None
        Run.objects.filter(pk=run_id).update(crashes=F("crashes") + 1)
    return _held(run, fence), selectors.list_memory(run_id)


def _held(run: Run, fence: int) -> HeldRun:
    return HeldRun(
        run.pk,
        run.organization_id,
        run.project_id,
        run.definition_id,
        fence,
        run.followed.document,
        run.data,
        run.title,
        run.followed.number,
        run.conversation_id,
        run.requested_by_id,
        run.key_id,
        run.correlation_id,
        (run.started_at or run.created_at).isoformat(),
        run.depth,
        run.is_unwinding,
        tuple(run.collections),
        run.reactions,
    )


def keep_run(*, actor: Actor, held: HeldRun) -> AbstractContextManager[None]:
    """While somebody else's server is asked, which may take minutes: the worker's lease is renewed meanwhile."""
    policies.require(policies.is_system(actor))
    rows = Run.objects.filter(status__in=(RunStatus.RUNNING, RunStatus.PAUSED))
    given_back = Case(
        When(status=RunStatus.RUNNING, then=Value(RunStatus.QUEUED)), default=F("status")
    )  # no worker was lost
    return kept.kept(rows, held.run_id, held.fence, status=given_back)


@transaction.atomic
def give_back(
    *, actor: Actor, held: HeldRun, why: str = "", until: datetime | None = None, goes_on: bool = False
) -> None:
    """The worker has done what can be done now. What happened meanwhile, or ``goes_on``, queues it again at once."""
    policies.require(policies.is_system(actor))
    run = lock_held(held=held)
    if run.status == RunStatus.RUNNING:
        again = goes_on or run.is_woken
        run.status = RunStatus.QUEUED if again else RunStatus.WAITING
        if not again and run.waits_for != why[:20]:
            announce(RunWaited(run.pk, why[:20]), run, actor)
        run.waits_for, run.wake_at = ("", None) if again else (why[:20], until)
        if again:
            jobs.after_commit("workflows.go_on", run_id=run.pk)
    run.lease_until, run.is_woken, run.attempts = None, False, 0
    run.save()


def wake(run_ids: list[UUID]) -> int:
    """What they wait for may have happened: somebody looks."""
    if not run_ids:
        return 0
    rows = Run.objects.filter(pk__in=run_ids)
    rows.filter(status=RunStatus.RUNNING).update(is_woken=True)
    woken = list(rows.filter(status=RunStatus.WAITING).values_list("pk", flat=True))
    Run.objects.filter(pk__in=woken, status=RunStatus.WAITING).update(status=RunStatus.QUEUED, wake_at=None)
    for pk in woken:
        jobs.after_commit("workflows.go_on", run_id=pk)
    return len(woken)


# People's


def lock_steered(*, actor: Actor, run_id: UUID) -> Run:
    """The locked row, after asking whether the actor may steer it."""
    run = selectors.lock_run(run_id=run_id, viewer=actor)
    policies.require(policies.can_run(actor, accounts.project_role(actor, run.project_id)))
    return run


def told(run: Run, actor: Actor, change: str) -> Run:
    announce(RunChanged(run.pk, change), run, actor)
    return selectors.get_run(run_id=run.pk, viewer=actor)


@transaction.atomic
def pause_run(*, actor: Actor, run_id: UUID) -> Run:
    """The step that is being done ends; no other begins."""
    run = lock_steered(actor=actor, run_id=run_id)
    if run.status == RunStatus.PAUSED:
        return selectors.get_run(run_id=run_id, viewer=actor)
    if run.status not in OPEN:
        raise RunState(run.status)
    Run.objects.filter(pk=run_id).update(status=RunStatus.PAUSED, version=F("version") + 1, updated_at=Now())
    return told(run, actor, "paused")


@transaction.atomic
def resume_run(*, actor: Actor, run_id: UUID) -> Run:
    run = lock_steered(actor=actor, run_id=run_id)
    if run.status in {RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.WAITING}:
        return selectors.get_run(run_id=run_id, viewer=actor)
    if run.status != RunStatus.PAUSED:
        raise RunState(run.status)
    held = Run.objects.filter(
        pk=run_id, lease_until__gt=Now()
    )  # a worker has it yet: it goes on, and does nothing twice
    if not held.update(status=RunStatus.RUNNING, is_woken=True, version=F("version") + 1, updated_at=Now()):
        queue(run)
    return told(run, actor, "resumed")


def queue(run: Run, **changes: Any) -> None:
    """For a worker. One that still holds it has lost it: the fence is another."""
    Run.objects.filter(pk=run.pk).update(
        status=RunStatus.QUEUED,
        fence=F("fence") + 1,
        lease_until=None,
        wake_at=None,
        waits_for="",
        crashes=0,
        version=F("version") + 1,
        updated_at=Now(),
        **changes,
    )
    jobs.after_commit("workflows.go_on", run_id=run.pk)


def undo_again(run: Run) -> None:
    """Of a locked run: what could not be taken back is tried anew."""
    left = Step.objects.filter(run=run, kind=UNDO, status=StepStatus.FAILED)
    left.update(status=StepStatus.WAITING, error={}, ended_at=None, attempts=1)
    queue(run, is_unwinding=True, finished_at=None)


@transaction.atomic
def cancel_run(*, actor: Actor, run_id: UUID) -> Run:
    """Whoever has it writes nothing more. Runs and operations that it began are cancelled too, also of a run that failed: what it had
    begun by then goes on until somebody cancels or rolls back. What was done stays until somebody rolls back.

    Not while effects are taken back: they would stay.
    """
    run = lock_steered(actor=actor, run_id=run_id)
    if run.status == RunStatus.CANCELLED:
        return selectors.get_run(run_id=run_id, viewer=actor)
    if run.status == RunStatus.COMPLETED or run.is_unwinding:
        raise RunState(run.status)
    cancel(run, actor)
    return selectors.get_run(run_id=run_id, viewer=actor)


@transaction.atomic
def retry_run(*, actor: Actor, run_id: UUID) -> Run:
    """From the step that failed. What it was before stays as history. Of a run that was rolled back: what could not be taken back.

    A call of which nobody knows whether it had an effect is made again as the same: its step goes on, under the same key. A run inside
    that failed is tried again itself: what it did is not repeated.
    """
    run = lock_steered(actor=actor, run_id=run_id)
    if run.status in MAY_UNDO_AGAIN and selectors.has_left_undone(run):
        undo_again(run)
        return told(run, actor, "retried")
    if run.status != RunStatus.FAILED:
        raise RunState(run.status)
    _try_again(run, actor)
    return told(run, actor, "retried")


def _try_again(run: Run, actor: Actor) -> None:
    """Of a locked run that failed."""
    inner, outer = run.failed_steps[:1], run.failed_steps[1:]
    failed = Step.objects.filter(run=run, status=StepStatus.FAILED)
    again = []
    for step in failed.filter(pk__in=inner):
        if (begun := _goes_on_inside(step, run, actor)) is not None:
            state = {name: value for name, value in step.state.items() if name not in OF_ITS_TIME}
            Step.objects.filter(pk=step.pk).update(
                status=StepStatus.WAITING, waits_on=begun, ended_at=None, error={}, state=state
            )
        elif _is_same_call(step):
            again.append(step.pk)
    failed.filter(pk__in=inner).exclude(pk__in=again).update(status=StepStatus.REPLACED)
    failed.filter(pk__in=again).exclude(state__has_key="raw").update(attempts=0)
    for step in failed.filter(pk__in=[*outer, *again]):
        state = {name: value for name, value in step.state.items() if name not in OF_ITS_TIME}
        if step.pk in again and "raw" not in step.state:  # its time is that of the last try, without what lay between
            state[TRIES] = state.get(TRIES, 1) + 1
            Step.objects.filter(pk=step.pk).update(started_at=Now())
        Step.objects.filter(pk=step.pk).update(status=StepStatus.RUNNING, ended_at=None, error={}, state=state)
    # What was withdrawn when its time was over is done anew, too.
    for path in list(Step.objects.filter(run=run, pk__in=run.failed_steps).values_list("path", flat=True)):
        gone = Step.objects.filter(run=run, status=StepStatus.CANCELLED, path__startswith=f"{path}/")
        gone.update(status=StepStatus.REPLACED)
    waiting = Step.objects.filter(run=run, status=StepStatus.WAITING).values("pk")
    withdrawn = Choice.objects.filter(run=run, status=ChoiceStatus.WITHDRAWN, step_id__in=waiting)
    deadline = Now() + (F("deadline") - F("created_at"))
    withdrawn.update(status=ChoiceStatus.OPEN, deadline=deadline, created_at=Now())
    anew = {"started_at": Now()} if "timeout" in run.followed.document else {}  # the time of the whole workflow
    queue(run, error={}, failed_steps=[], finished_at=None, **anew)


def _goes_on_inside(step: Step, run: Run, actor: Actor) -> UUID | None:
    """The run that a failed step began, which goes on from where it failed, or has gone on since. None: there is none, or it was
    cancelled or taken back; then another one is begun.
    """
    if (pk := inner_of(step)) is None:
        return None
    inner = Run.objects.select_for_update(of=("self",)).get(pk=pk, parent=run)
    if inner.is_given_up or inner.status == RunStatus.CANCELLED or (inner.is_unwinding and inner.status in FINAL):
        return None
    if inner.status == RunStatus.FAILED:
        _try_again(inner, actor)
        announce(RunChanged(inner.pk, "retried"), inner, actor)
    return inner.pk


def _is_same_call(step: Step) -> bool:
    """Its effect is done and only what follows from it failed, or it may be done."""
    return "raw" in step.state or (step.kind == "call" and is_effect_unknown(step.error))
