"""What the coordinator does for operations: lapsed leases, lost places, deadlines, the rest of what was stopped, old rows."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from apps.accounts.types import Actor
from apps.bulk import policies
from apps.bulk.events import ItemGaveUp
from apps.bulk.models import Item, Operation
from apps.bulk.services.ends import count, stop
from apps.bulk.services.finishing import finish_when_done, hint_work, tell_progress
from apps.bulk.services.operations import announce
from apps.bulk.types import FINAL, MAX_ATTEMPTS, WORKER_LOST, OperationStatus
from apps.core.alerts import raise_alert
from apps.core.facts import AlertRaised

CLOSED_AT_ONCE = 10_000
REAPED_AT_ONCE = 1000
KEEP = timedelta(days=30)
UNSTARTED = timedelta(days=7)


def reap_lapsed(*, actor: Actor) -> int:
    """Items whose worker has not been heard of: they wait again, or are set aside after their third start. How many there were."""
    policies.require(policies.is_system(actor))
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT operation_id FROM bulk_item WHERE lease_until <= clock_timestamp() LIMIT 100")
        found = [row[0] for row in cursor.fetchall()]
    return sum(_reap(actor, operation_id) for operation_id in found)


@transaction.atomic
def _reap(actor: Actor, operation_id: UUID) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE bulk_item SET lease_until = NULL, fence = fence + 1,
              status = CASE WHEN attempts >= %(most)s THEN 'failed' ELSE 'pending' END,
              error_code = CASE WHEN attempts >= %(most)s THEN %(code)s ELSE '' END,
              finished_at = CASE WHEN attempts >= %(most)s THEN clock_timestamp() END
            WHERE id IN (
              SELECT id FROM bulk_item WHERE operation_id = %(operation)s AND status = 'running' AND lease_until <= clock_timestamp()
              ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
            RETURNING id, number, status, attempts
            """,
            {"operation": operation_id, "most": MAX_ATTEMPTS, "code": WORKER_LOST, "limit": REAPED_AT_ONCE},
        )
        rows = cursor.fetchall()
    if not rows:
        return 0
    operation = Operation.objects.select_for_update().get(pk=operation_id)
    gave_up = [row for row in rows if row[2] == "failed"]
    back = [row[1] for row in rows if row[2] == "pending"]
    counts = {"failed": len(gave_up), "pending": len(back)}
    causes = {WORKER_LOST: len(gave_up)} if gave_up else {}
    count(operation, counts, taken_from="running", cursor=min(back) - 1 if back else None, causes=causes)
    for pk, _number, _status, attempts in gave_up:
        announce(ItemGaveUp(operation.pk, pk, attempts), operation, actor)
    if gave_up:
        raise_alert(
            AlertRaised("item_gave_up", on=operation.kind, count=len(gave_up)),
            actor=actor,
            subject=("operation", operation.pk),
            organization_id=operation.organization_id,
            project_id=operation.project_id,
        )
    if operation.status == OperationStatus.STOPPING:
        close_pending(operation, actor)
    elif not finish_when_done(operation, actor) and back:
        hint_work(operation.lane)
    return len(rows)


@transaction.atomic
def wake_due(*, actor: Actor) -> None:
    """Items that were to be tried again later, and whose time has come."""
    policies.require(policies.is_system(actor))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE bulk_item SET due_at = NULL WHERE id IN (
              SELECT id FROM bulk_item WHERE due_at <= clock_timestamp() ORDER BY id LIMIT 1000 FOR UPDATE SKIP LOCKED)
            RETURNING operation_id, number
            """
        )
        first: dict[UUID, int] = {}
        for operation_id, number in cursor.fetchall():
            first[operation_id] = min(number, first.get(operation_id, number))
    for operation in Operation.objects.select_for_update().filter(pk__in=first).order_by("pk"):
        if first[operation.pk] <= operation.cursor:
            Operation.objects.filter(pk=operation.pk).update(cursor=first[operation.pk] - 1)
        hint_work(operation.lane)


def close_stopping(*, actor: Actor) -> None:
    """The rest of operations that were cancelled or ran out of time, a piece at a time."""
    policies.require(policies.is_system(actor))
    for pk in list(Operation.objects.filter(status=OperationStatus.STOPPING).values_list("pk", flat=True)):
        while _close_some(actor, pk):
            pass


@transaction.atomic
def _close_some(actor: Actor, operation_id: UUID) -> bool:
    operation = Operation.objects.select_for_update().get(pk=operation_id)
    if operation.status != OperationStatus.STOPPING:
        return False
    return close_pending(operation, actor) and bool(operation.pending)


def close_pending(operation: Operation, actor: Actor) -> bool:
    """Of a locked operation that stops: a piece of what waits gets its end. False when somebody else is at the rest."""
    status = "expired" if operation.stops_as == OperationStatus.EXPIRED else "cancelled"
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE bulk_item SET status = %(status)s, due_at = NULL, finished_at = clock_timestamp() WHERE id IN (
              SELECT id FROM bulk_item WHERE operation_id = %(operation)s AND status = 'pending' LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
            """,
            {"operation": operation.pk, "status": status, "limit": CLOSED_AT_ONCE},
        )
        closed = cursor.rowcount
    if closed:
        count(operation, {status: closed}, taken_from="pending")
    if not finish_when_done(operation, actor):
        tell_progress(operation, actor)
    return bool(closed)


def expire_late(*, actor: Actor) -> None:
    """Operations past their deadline: no new items; those that run may end."""
    policies.require(policies.is_system(actor))
    late = Operation.objects.exclude(status__in=[*FINAL, OperationStatus.STOPPING]).filter(deadline__lte=Now())
    for pk in list(late.values_list("pk", flat=True)[:100]):
        with transaction.atomic():
            operation = late.select_for_update(skip_locked=True).filter(pk=pk).first()
            if operation is not None:
                stop(operation, actor, OperationStatus.EXPIRED)
                close_pending(operation, actor)


def expire_unstarted(*, actor: Actor) -> int:
    """Plans that nobody started in a week: what they say of the project is not true any more."""
    policies.require(policies.is_system(actor))
    old = Operation.objects.filter(status=OperationStatus.PLANNED, planned_at__lt=Now() - UNSTARTED)
    found = list(old.values_list("pk", flat=True)[:100])
    for pk in found:
        with transaction.atomic():
            operation = old.select_for_update(skip_locked=True).filter(pk=pk).first()
            if operation is not None:
                stop(operation, actor, OperationStatus.EXPIRED)
                close_pending(operation, actor)
    return len(found)


def find_lost_cursors(*, actor: Actor) -> int:
    """A net below the cursor: items that wait although it says that none does. They are found again."""
    policies.require(policies.is_system(actor))
    rows = Operation.objects.filter(
        status=OperationStatus.RUNNING, pending__gt=0, running=0, cursor__gte=F("total"), total__gt=0
    )
    found = 0
    for pk in list(rows.values_list("pk", flat=True)[:20]):
        if Item.objects.filter(operation_id=pk, status="pending", due_at=None).exists():
            found += rows.filter(pk=pk).update(cursor=0)
    return found


def forget_old(*, actor: Actor) -> None:
    """Operations that ended 30 days ago, with their items; a piece at a time, so that no lock lasts."""
    policies.require(policies.is_system(actor))
    old = Operation.objects.filter(status__in=FINAL, finished_at__lt=Now() - KEEP, undone_by=None)
    for pk in list(old.values_list("pk", flat=True)[:50]):
        while _forget_items(pk):
            pass
        Operation.objects.filter(pk=pk, status__in=FINAL).delete()


def _forget_items(operation_id: UUID) -> int:
    some = Item.objects.filter(operation_id=operation_id).values("pk")[:CLOSED_AT_ONCE]
    return Item.objects.filter(pk__in=list(some.values_list("pk", flat=True))).delete()[0]
