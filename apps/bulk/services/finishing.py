"""Parts of other services: how an operation begins to run, joins the fair order, tells of its progress, and ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import F, Min
from django.db.models.functions import Greatest, Now

from apps.accounts.types import Actor
from apps.bulk.events import OperationCompleted, OperationFailed, OperationProgressed, OperationStarted
from apps.bulk.models import Operation, Share
from apps.bulk.services.operations import announce
from apps.bulk.types import Lane, OperationStatus
from apps.core import jobs

TELL_SECONDS = 1.0
TELL_AT_LEAST_SECONDS = 10.0
TELL_PARTS = 200


def begin_running(operation: Operation, actor: Actor) -> None:
    """Of a locked operation. One without items ends at once."""
    join_order(operation)
    Operation.objects.filter(pk=operation.pk).update(
        status=OperationStatus.RUNNING, started_at=Now(), updated_at=Now(), pause_reason=""
    )
    operation.status = OperationStatus.RUNNING
    announce(OperationStarted(operation.pk, operation.total), operation, actor)
    if not finish_when_done(operation, actor):
        hint_work(operation.lane)


def hint_work(lane: str) -> None:
    jobs.after_commit("bulk.work" if lane == Lane.INSIDE else "bulk.work_outside")


def join_order(operation: Operation) -> None:
    """Who was idle comes in beside those who are served now: idle time is no credit that shuts the others out."""
    active = Operation.objects.filter(status=OperationStatus.RUNNING, lane=operation.lane).exclude(pk=operation.pk)
    others = Share.objects.filter(lane=operation.lane, organization_id__in=active.values("organization_id"))
    Share.objects.get_or_create(organization_id=operation.organization_id, lane=operation.lane)
    mine = Share.objects.filter(organization_id=operation.organization_id, lane=operation.lane)
    is_new = not active.filter(organization_id=operation.organization_id).exists()
    least = others.exclude(organization_id=operation.organization_id).aggregate(least=Min("served"))["least"]
    if is_new and least is not None:
        mine.update(served=Greatest(F("served"), least))
    siblings = active.filter(organization_id=operation.organization_id).aggregate(least=Min("served"))["least"]
    Operation.objects.filter(pk=operation.pk).update(served=siblings or 0.0)


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
