"""The plan becomes rows, in pieces, under the lease of its writer. Until it is whole nothing of it runs."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from apps.accounts.types import Actor
from apps.bulk import policies
from apps.bulk.events import OperationFailed, OperationPlanned
from apps.bulk.models import Operation, SharedResource
from apps.bulk.services.finishing import begin_running
from apps.bulk.services.operations import announce
from apps.bulk.types import (
    MAX_ATTEMPTS,
    UNEXPECTED,
    WORKER_LOST,
    BudgetCurrency,
    LateWriter,
    OperationStatus,
    PlanNotKept,
)
from apps.core import leases
from apps.core.doors.bulk_kinds import PlannedItem, Resource
from apps.core.ids import uuid7
from apps.core.storable import as_json, storable

_COPY = """
COPY bulk_item (id, organization_id, operation_id, number, subject_id, payload, status, attempts, fence,
  error_code, error_detail, result, seconds, cost, updated_at) FROM STDIN
"""

# Ids in the order of time (RFC 9562), as ``uuid7`` makes them: a million at random would scatter over the whole index.
_COPY_BACK = """
INSERT INTO bulk_item (id, organization_id, operation_id, number, subject_id, payload, status, attempts, fence,
  error_code, error_detail, result, seconds, cost, updated_at)
SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) placing
    substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid,
  organization_id, %(undoing)s, %(there)s + row_number() OVER (ORDER BY number DESC), subject_id,
  jsonb_build_object('payload', payload, 'result', result), 'pending', 0, 0, '', '', '{}', 0, 0, now()
FROM bulk_item WHERE operation_id = %(operation)s AND number BETWEEN %(from)s AND %(to)s AND status = 'succeeded'
"""
_DROP = """
WITH gone AS (
  DELETE FROM bulk_item WHERE id IN (SELECT id FROM bulk_item WHERE operation_id = %(operation)s LIMIT %(most)s) RETURNING status)
SELECT status, count(*) FROM gone GROUP BY status
"""
#: Items that are copied, or put back, in one transaction.
COPIED_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Draft:
    """A plan that this process writes. ``user_id`` and ``key_id``: who asked for it."""

    operation_id: UUID
    organization_id: UUID
    project_id: UUID
    kind: str
    params: dict[str, Any]
    user_id: UUID | None
    key_id: UUID | None
    correlation_id: str
    fence: int
    undoes: UUID | None = None


def claim_planning(*, actor: Actor, operation_id: UUID) -> Draft | None:
    """The plan is begun anew: what an earlier writer, who died, left of it is removed. None: held, done, or tried too often."""
    policies.require(policies.is_system(actor))
    rows = Operation.objects.filter(status=OperationStatus.DRAFT)
    fence = leases.claim(rows, operation_id)
    if fence is None:
        return None
    operation = Operation.objects.get(pk=operation_id)
    if operation.attempts > MAX_ATTEMPTS:
        _fail(actor, operation_id, fence, WORKER_LOST, "")
        return None
    if not _has_dropped_all(operation_id, fence):
        return None
    return Draft(
        operation.pk,
        operation.organization_id,
        operation.project_id,
        operation.kind,
        operation.params,
        operation.requested_by_id,
        operation.key_id,
        operation.correlation_id,
        fence,
        operation.undoes_id,
    )


def _has_dropped_all(operation_id: UUID, fence: int) -> bool:
    """What there is of the plan, a piece at a time, so that no transaction lasts for a million. False: it is not ours any more."""
    with contextlib.suppress(LateWriter):
        while _drop_some(operation_id, fence):
            pass
        return True
    return False


@transaction.atomic
def _drop_some(operation_id: UUID, fence: int) -> bool:
    """Whether there was something to drop. Raises ``LateWriter`` when another writes the plan by now, or somebody cancelled it."""
    drafts = Operation.objects.filter(pk=operation_id, fence=fence, status=OperationStatus.DRAFT)
    operation = drafts.select_for_update().first()
    if operation is None:
        raise LateWriter
    if not operation.total:
        return False
    with connection.cursor() as cursor:
        cursor.execute(_DROP, {"operation": operation_id, "most": COPIED_AT_ONCE})
        gone = dict(cursor.fetchall())
    changes: dict[str, Any] = {status: F(status) - number for status, number in gone.items()}
    Operation.objects.filter(pk=operation_id).update(
        **changes, total=F("total") - sum(gone.values()), lease_until=leases.until(), updated_at=Now()
    )
    return bool(gone)


@transaction.atomic
def append_items(*, actor: Actor, draft: Draft, items: Sequence[PlannedItem]) -> int:
    """The next rows of the plan by ``COPY``; how many there are now. Raises ``LateWriter`` when another writes it by now, ``PlanNotKept``
    for an item that cannot be kept.
    """
    policies.require(policies.is_system(actor))
    operation = Operation.objects.select_for_update().filter(pk=draft.operation_id, fence=draft.fence).first()
    if operation is None or operation.status != OperationStatus.DRAFT:
        raise LateWriter
    copy_items(operation, items)
    total = operation.total + len(items)
    Operation.objects.filter(pk=operation.pk).update(
        total=total, pending=F("pending") + len(items), lease_until=leases.until(), updated_at=Now()
    )
    return total


def copy_items(operation: Operation, items: Sequence[PlannedItem]) -> None:
    now, payloads = operation.created_at, [_payload(*each) for each in enumerate(items, operation.total + 1)]
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for number, (item, payload) in enumerate(zip(items, payloads, strict=True), operation.total + 1):
            copy.write_row(
                (
                    uuid7(),
                    operation.organization_id,
                    operation.pk,
                    number,
                    item.subject_id,
                    payload,
                    "pending",
                    0,
                    0,
                    "",
                    "",
                    "{}",
                    0,
                    0,
                    now,
                )
            )


def _payload(number: int, item: PlannedItem) -> str:
    try:
        return as_json(item.payload)
    except ValueError as error:
        raise PlanNotKept(number) from error


@transaction.atomic
def append_undoing(*, actor: Actor, draft: Draft, before: int | None = None) -> int:
    """As ``append_items``, of an undoing: what succeeded of the next so many items of the operation that it takes back, the last first.

    ``before``: the number that the call before gave (None: none was). Zero: that was all.
    """
    policies.require(policies.is_system(actor))
    operation = Operation.objects.select_for_update().filter(pk=draft.operation_id, fence=draft.fence).first()
    if operation is None or operation.status != OperationStatus.DRAFT:
        raise LateWriter
    if before is None:
        before = Operation.objects.values_list("total", flat=True).get(pk=operation.undoes_id) + 1
    rest = copy_back(operation, before - 1)
    Operation.objects.filter(pk=operation.pk).update(
        total=operation.total, pending=operation.total, lease_until=leases.until(), updated_at=Now()
    )
    return rest


def copy_back(undoing: Operation, up_to: int) -> int:
    """Items for the taking back of those up to a number, as many as fit one piece, behind those that are there; down to which."""
    down_to = max(1, up_to - COPIED_AT_ONCE + 1)
    with connection.cursor() as cursor:
        cursor.execute(
            _COPY_BACK,
            {
                "undoing": undoing.pk,
                "operation": undoing.undoes_id,
                "from": down_to,
                "to": up_to,
                "there": undoing.total,
            },
        )
        undoing.total += cursor.rowcount
    return down_to if down_to > 1 else 0


@transaction.atomic
def finish_planning(*, actor: Actor, draft: Draft, dry_run: dict[str, Any], resource: Resource | None = None) -> bool:
    """The plan is whole: it waits for a person, or starts. False when another writes it by now.

    What is said of money is in the currency in which it is paid; ``BudgetCurrency`` when a budget was given in another. ``PlanNotKept``
    for findings that cannot be kept.
    """
    policies.require(policies.is_system(actor))
    operation = Operation.objects.select_for_update().filter(pk=draft.operation_id, fence=draft.fence).first()
    if operation is None or operation.status != OperationStatus.DRAFT:
        return False
    try:
        dry_run = json.loads(as_json(dry_run))
    except ValueError as error:
        raise PlanNotKept from error
    operation.currency = _currency(operation, dry_run.get("estimate", {}))
    operation.status = OperationStatus.PLANNED
    operation.dry_run, operation.lease_until = dry_run, None
    operation.resource = keep_resource(resource) if resource else ""
    Operation.objects.filter(pk=operation.pk).update(
        status=operation.status,
        dry_run=dry_run,
        currency=operation.currency,
        lease_until=None,
        resource=operation.resource,
        planned_at=Now(),
        updated_at=Now(),
    )
    announce(OperationPlanned(operation.pk, operation.total), operation, actor)
    if operation.starts_itself:
        begin_running(operation, actor)
    return True


def _currency(operation: Operation, estimate: dict[str, Any]) -> str:
    """That in which it is paid, unless it is known to cost nothing."""
    paid, cost = estimate.get("currency") or "", estimate.get("cost")
    if not paid or (cost is not None and not Decimal(cost)):
        return operation.currency
    if operation.budget is not None and operation.currency not in {"", paid}:
        raise BudgetCurrency(operation.currency, paid)
    return paid


def keep_resource(resource: Resource) -> str:
    """What the kind says of it now is what counts from now on, for all operations that share it."""
    SharedResource.objects.update_or_create(
        name=resource.name, defaults={"at_once": resource.at_once, "per_second": resource.per_second}
    )
    return resource.name


def fail_planning(*, actor: Actor, draft: Draft, code: str = UNEXPECTED, detail: str = "") -> None:
    """There is no plan: nothing of the operation will run."""
    policies.require(policies.is_system(actor))
    _fail(actor, draft.operation_id, draft.fence, code, detail)


def _fail(actor: Actor, operation_id: UUID, fence: int, code: str, detail: str) -> None:
    if not _has_dropped_all(operation_id, fence):
        return
    with transaction.atomic():
        drafts = Operation.objects.filter(pk=operation_id, fence=fence, status=OperationStatus.DRAFT)
        if (operation := drafts.select_for_update().first()) is None:
            return
        drafts.update(
            status=OperationStatus.FAILED,
            error_code=code[:60],
            error_detail=storable(detail)[:500],
            lease_until=None,
            finished_at=Now(),
            updated_at=Now(),
        )
        announce(OperationFailed(operation.pk, OperationStatus.FAILED, code), operation, actor)
