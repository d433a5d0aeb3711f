"""Parts of other services: how an operation begins to run, joins the fair order, tells of its progress, and ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db.models.functions import Now

from apps.accounts.types import Actor
from apps.bulk.events import (
    OperationChanged,
    OperationCompleted,
    OperationFailed,
    OperationProgressed,
    OperationStarted,
)
from apps.bulk.models import Operation, Share
from apps.bulk.services.operations import announce
from apps.bulk.types import Lane, OperationStatus, PauseReason
from apps.core import jobs

TELL_SECONDS = 1.0
TELL_AT_LEAST_SECONDS = 10.0
TELL_PARTS = 200


def begin_running(operation: Operation, actor: Actor) -> None:
    """Of a locked operation. One without items ends at once. Where it was confirmed before it was planned, the log names who did."""
    join_order(operation)
    Operation.objects.filter(pk=operation.pk).update(
        status=OperationStatus.RUNNING, started_at=Now(), updated_at=Now(), pause_reason=""
    )
    operation.status = OperationStatus.RUNNING
    announce(OperationStarted(operation.pk, operation.total), operation, _for_whom(operation, actor))
    if not finish_when_done(operation, actor) and not pause_without_money(operation, actor):
        hint_work(operation.lane)


def _for_whom(operation: Operation, actor: Actor) -> Actor:
    """The platform starts nothing of its own accord: somebody confirmed it, or asked for it with that."""
    if actor.user_id is not None:
        return actor
    if operation.confirmed_by_id is not None:
        return replace(actor, user_id=operation.confirmed_by_id)
    return replace(actor, user_id=operation.requested_by_id, key_id=operation.key_id)


def pause_without_money(operation: Operation, actor: Actor) -> bool:
    """Of a locked operation: its next item would pass the budget and none is under way any more. ``claims`` reckons the same.

    What the next one costs: as much as the dearest so far; before one cost anything, what the estimate says.
    """
    if operation.budget is None or operation.running or operation.status != OperationStatus.RUNNING:
        return False
    if operation.cost + _next_cost(operation) <= operation.budget:
        return False
    Operation.objects.filter(pk=operation.pk).update(
        status=OperationStatus.PAUSED, pause_reason=PauseReason.BUDGET, updated_at=Now()
    )
    operation.status, operation.pause_reason = OperationStatus.PAUSED, PauseReason.BUDGET
    announce(OperationChanged(operation.pk, "paused"), operation, actor)
    return True


def _next_cost(operation: Operation) -> Decimal:
    expected = operation.dry_run.get("estimate", {}).get("cost")
    if operation.dearest or expected is None or not operation.total:
        return operation.dearest
    return Decimal(expected) / operation.total


def hint_work(lane: str) -> None:
    jobs.after_commit("bulk.work" if lane == Lane.INSIDE else "bulk.work_outside")


def join_order(operation: Operation) -> None:
    """Of a locked operation that begins, or goes on: its tenant has a share of the lane, and its pace is counted from now on.

    Where it stands in the order the clocks say: who claims (``claims``) counts nobody's turn from before them.
    """
    Share.objects.get_or_create(organization_id=operation.organization_id, lane=operation.lane)
    Operation.objects.filter(pk=operation.pk).update(pace_at=Now(), pace_ended=operation.ended)


def finish_when_done(operation: Operation, actor: Actor) -> bool:
    """Of a locked operation whose counters are those of the row: nothing waits and nothing runs any more."""
    if operation.pending or operation.running or operation.retry_at is not None:
        return False
    if operation.status == OperationStatus.STOPPING:
        status = OperationStatus(operation.stops_as)
    elif operation.status == OperationStatus.RUNNING or (
        operation.status == OperationStatus.PAUSED and operation.total
    ):
        has_failures = operation.failed or operation.expired
        status = OperationStatus.COMPLETED_WITH_FAILURES if has_failures else OperationStatus.COMPLETED
    else:
        return False
    Operation.objects.filter(pk=operation.pk).update(
        status=status, stops_as="", pause_reason="", finished_at=Now(), updated_at=Now()
    )
    operation.status = status
    fact: Any
    if status in {OperationStatus.COMPLETED, OperationStatus.COMPLETED_WITH_FAILURES}:
        fact = OperationCompleted(operation.pk, status.value, operation.succeeded, operation.failed, operation.skipped)
    else:
        fact = OperationFailed(operation.pk, status.value, operation.error_code or status.value)
    announce(fact, operation, actor)
    return True


def tell_progress(operation: Operation, actor: Actor) -> None:
    """Of a locked operation. Not more often than once a second, and at most some hundred times in all, however many items."""
    told = Operation.objects.filter(pk=operation.pk)
    fresh = Now() - timedelta(seconds=TELL_SECONDS)
    stale = Now() - timedelta(seconds=TELL_AT_LEAST_SECONDS)
    is_step = operation.ended - operation.told_ended >= operation.total / TELL_PARTS
    due = told.filter(told_at=None) | told.filter(told_at__lt=fresh if is_step else stale)
    if due.update(told_at=Now(), told_ended=operation.ended):
        announce(OperationProgressed(operation.pk, operation.ended, operation.total), operation, actor)
