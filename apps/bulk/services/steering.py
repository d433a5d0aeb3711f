"""What people do with an operation: start, pause, resume, cancel, change its pace, retry what failed, undo."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Case, F, When
from django.db.models.functions import Now

from apps.accounts import selectors as accounts
from apps.accounts.types import Actor
from apps.bulk import policies, selectors
from apps.bulk.events import OperationChanged, OperationCreated
from apps.bulk.models import Operation
from apps.bulk.services import planning, retrying
from apps.bulk.services.ends import stop
from apps.bulk.services.finishing import begin_running, hint_work, join_order, pause_without_money
from apps.bulk.services.operations import announce, find_kind, require_room
from apps.bulk.services.upkeep import close_pending
from apps.bulk.types import (
    FINAL,
    STARTABLE,
    NothingToRetry,
    OperationState,
    OperationStatus,
    OperationUndone,
    PauseReason,
    UndoNotPossible,
)
from apps.core import jobs
from apps.core.ids import uuid7
from apps.core.types import Priority


def _lock(actor: Actor, operation_id: UUID) -> Operation:
    """The row, after asking whether the actor may steer it."""
    operation = selectors.lock_operation(operation_id=operation_id, viewer=actor)
    role = accounts.project_role(actor, operation.project_id)
    policies.require(policies.can_steer(actor, operation, role))
    return operation


def _lock_with_project(actor: Actor, operation_id: UUID) -> Operation:
    """As ``_lock``, and first the project: of two that take its last place one is refused."""
    accounts.lock_project(selectors.get_operation(operation_id=operation_id, viewer=actor).project_id, actor)
    return _lock(actor, operation_id)


def _told(operation: Operation, actor: Actor, change: str) -> Operation:
    announce(OperationChanged(operation.pk, change), operation, actor)
    return selectors.get_operation(operation_id=operation.pk, viewer=actor)


@transaction.atomic
def start_operation(*, actor: Actor, operation_id: UUID) -> Operation:
    """Confirm a plan. A draft starts as soon as its plan is whole. Repeating it on a running one changes nothing."""
    operation = _lock(actor, operation_id)
    if operation.status == OperationStatus.RUNNING:
        return selectors.get_operation(operation_id=operation_id, viewer=actor)
    if operation.status not in STARTABLE:
        raise OperationState(operation.status)
    if operation.status == OperationStatus.DRAFT:
        Operation.objects.filter(pk=operation.pk).update(
            starts_itself=True, confirmed_by_id=actor.user_id, updated_at=Now()
        )
    else:
        begin_running(operation, actor)
    return selectors.get_operation(operation_id=operation_id, viewer=actor)


@transaction.atomic
def pause_operation(*, actor: Actor, operation_id: UUID) -> Operation:
    """No new items; running ones end."""
    operation = _lock(actor, operation_id)
    if operation.status == OperationStatus.PAUSED:
        return selectors.get_operation(operation_id=operation_id, viewer=actor)
    if operation.status != OperationStatus.RUNNING:
        raise OperationState(operation.status)
    Operation.objects.filter(pk=operation.pk).update(
        status=OperationStatus.PAUSED, pause_reason=PauseReason.PERSON, updated_at=Now()
    )
    return _told(operation, actor, "paused")


@transaction.atomic
def resume_operation(*, actor: Actor, operation_id: UUID) -> Operation:
    """One that stopped for its budget goes on when ``change_pace`` has raised it; else it pauses again."""
    operation = _lock(actor, operation_id)
    if operation.status == OperationStatus.RUNNING:
        return selectors.get_operation(operation_id=operation_id, viewer=actor)
    if operation.status != OperationStatus.PAUSED:
        raise OperationState(operation.status)
    join_order(operation)
    Operation.objects.filter(pk=operation.pk).update(
        status=OperationStatus.RUNNING, pause_reason=PauseReason.NONE, updated_at=Now()
    )
    operation.status = OperationStatus.RUNNING
    announce(OperationChanged(operation.pk, "resumed"), operation, actor)
    if not pause_without_money(operation, actor):
        hint_work(operation.lane)
    return selectors.get_operation(operation_id=operation_id, viewer=actor)


@transaction.atomic
def cancel_operation(*, actor: Actor, operation_id: UUID) -> Operation:
    """No new items from now on; running ones have five seconds; what succeeded stays. Cancelling what has ended is refused."""
    operation = _lock(actor, operation_id)
    if operation.status in FINAL:
        raise OperationState(operation.status)
    if operation.status != OperationStatus.STOPPING:
        stop(operation, actor, OperationStatus.CANCELLED)
        close_pending(operation, actor)
    return selectors.get_operation(operation_id=operation_id, viewer=actor)


@transaction.atomic
def change_pace(*, actor: Actor, operation_id: UUID, changes: dict[str, Any]) -> Operation:
    """``priority, concurrency, rate_per_second, budget, deadline``, also while it runs; None takes a limit away."""
    operation = _lock(actor, operation_id)
    if operation.status in FINAL:
        raise OperationState(operation.status)
    if changes.get("priority") == Priority.CRITICAL:
        policies.require(policies.can_be_urgent(actor))
    known = ("priority", "concurrency", "rate_per_second", "budget", "deadline")
    wanted = {name: changes[name] for name in known if name in changes}
    Operation.objects.filter(pk=operation.pk).update(**wanted, updated_at=Now())
    announce(OperationChanged(operation.pk, "priority" if set(wanted) == {"priority"} else "pace"), operation, actor)
    operation.budget = wanted.get("budget", operation.budget)
    if operation.status == OperationStatus.RUNNING and not pause_without_money(operation, actor):
        hint_work(operation.lane)
    return selectors.get_operation(operation_id=operation_id, viewer=actor)


@transaction.atomic
def retry_failed(*, actor: Actor, operation_id: UUID) -> Operation:
    """Failed items, and those that ran out of time, wait anew; what succeeded is left alone. Raises ``NothingToRetry``; where it had ended
    it needs a place among those that are not done, as a new one does (``KindIsExclusive``, ``TooManyOperations``).

    Of an undoing also those that were cancelled: half undone is no end. What was undone itself is tried again no more. Of a large
    operation a job puts back what is beyond the first items; it ends not before all had their turn.
    """
    operation = _lock_with_project(actor, operation_id)
    if Operation.objects.filter(undoes=operation).exists():
        raise OperationUndone
    if operation.is_half_planned:
        require_room(find_kind(operation.kind), operation.project_id)
        return _plan_anew(operation, actor)
    if not operation.is_retryable:
        if operation.status in {OperationStatus.COMPLETED, *operation.RETRYABLE}:
            raise NothingToRetry
        raise OperationState(operation.status)
    changes: dict[str, Any] = {}
    if operation.status in FINAL:
        require_room(find_kind(operation.kind), operation.project_id)
        join_order(operation)
        # One that is over would end it at once again; one that is to come still counts.
        deadline = Case(When(deadline__gt=Now(), then=F("deadline")), default=None)
        changes = {"status": OperationStatus.RUNNING, "finished_at": None, "deadline": deadline}
    Operation.objects.filter(pk=operation.pk).update(
        **changes,
        retry_at=Now(),
        retry_after=0,
        retry_cancelled="cancelled" in operation.retried,
        updated_at=Now(),
    )
    operation = Operation.objects.get(pk=operation.pk)
    retrying.put_back(operation, actor)
    if operation.retry_at is not None:
        jobs.after_commit("bulk.retry_items", operation_id=operation.pk)
    hint_work(operation.lane)
    return _told(operation, actor, "retried")


def _plan_anew(undoing: Operation, actor: Actor) -> Operation:
    """An undoing that ended before its plan was whole."""
    Operation.objects.filter(pk=undoing.pk).update(
        status=OperationStatus.DRAFT,
        starts_itself=True,
        attempts=0,
        lease_until=None,
        error_code="",
        error_detail="",
        finished_at=None,
        updated_at=Now(),
    )
    jobs.after_commit("bulk.plan_operation", operation_id=undoing.pk)
    return _told(undoing, actor, "retried")


@transaction.atomic
def undo_operation(*, actor: Actor, operation_id: UUID) -> Operation:
    """A new operation that takes back what succeeded, the last first; its items are counted, retried and fenced like all others.

    A worker plans it, unless it is small.
    Raises ``UndoNotPossible`` where the kind knows no way back, nothing succeeded, or it was undone before.
    """
    operation = _lock_with_project(actor, operation_id)
    if operation.status not in FINAL:
        raise OperationState(operation.status)
    kind = find_kind(operation.kind)
    was_undone = Operation.objects.filter(undoes=operation).exists()
    if kind.undo is None or operation.undoes_id or was_undone or not operation.succeeded:
        raise UndoNotPossible
    require_room(kind, operation.project_id)
    undoing = Operation.objects.create(
        id=uuid7(),
        organization_id=operation.organization_id,
        project_id=operation.project_id,
        requested_by_id=actor.user_id,
        key_id=actor.key_id,
        kind=operation.kind,
        params=operation.params,
        status=OperationStatus.DRAFT,
        starts_itself=True,
        undoes=operation,
        priority=operation.priority,
        lane="inside",
        request_digest=b"",
        correlation_id=operation.correlation_id,
    )
    announce(OperationCreated(undoing.pk, undoing.kind), undoing, actor)
    announce(OperationChanged(operation.pk, "undone"), operation, actor)
    if operation.total > planning.COPIED_AT_ONCE:
        jobs.after_commit("bulk.plan_operation", operation_id=undoing.pk)
    else:
        planning.copy_back(undoing, operation.total)
        undoing.pending = undoing.total
        Operation.objects.filter(pk=undoing.pk).update(
            status=OperationStatus.PLANNED,
            total=undoing.total,
            pending=undoing.total,
            planned_at=Now(),
            updated_at=Now(),
        )
        begin_running(undoing, actor)
    return selectors.get_operation(operation_id=undoing.pk, viewer=actor)
