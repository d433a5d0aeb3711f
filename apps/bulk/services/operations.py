"""How an operation begins: asked for once, checked by its kind, its plan written by a worker."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.accounts import selectors as accounts
from apps.accounts.types import Actor
from apps.bulk import policies, selectors
from apps.bulk.events import OperationCreated
from apps.bulk.models import Operation
from apps.bulk.types import (
    MAX_OPERATIONS,
    UNFINISHED,
    KindIsExclusive,
    Lane,
    OperationKeyReused,
    TooManyOperations,
    UnknownKind,
)
from apps.core import jobs
from apps.core.correlation import current
from apps.core.doors.bulk_kinds import BulkKind, BulkScope, bulk_kinds
from apps.core.events import emit
from apps.core.ids import uuid7
from apps.core.types import Priority


def find_kind(name: str) -> BulkKind:
    kind = bulk_kinds.get(name)
    if kind is None:
        raise UnknownKind
    return kind


@transaction.atomic
def create_operation(
    *,
    actor: Actor,
    project_id: UUID,
    kind: str,
    params: dict[str, Any] | None = None,
    priority: int = Priority.NORMAL,
    concurrency: int | None = None,
    rate_per_second: float | None = None,
    budget: Decimal | None = None,
    currency: str = "",
    deadline: datetime | None = None,
    key: str = "",
    start: bool = False,
) -> Operation:
    """A draft whose plan a worker writes; it waits for ``start_operation`` unless ``start``.

    The same ``key`` with the same request is the same operation; with another ``OperationKeyReused``. The kind's ``check`` may refuse.
    """
    project = accounts.get_project(project_id, actor)
    policies.require(policies.can_begin(actor, accounts.role_in(actor, project)))
    if priority == Priority.CRITICAL:
        policies.require(policies.can_be_urgent(actor))
    found_kind = find_kind(kind)
    digest = _digest(project_id, kind, params, priority, concurrency, rate_per_second, budget, currency, deadline)
    if earlier := _find_by_key(actor, project.organization_id, key, digest):
        return earlier
    operation_id = uuid7()
    # A kind may read a file here: nobody else who writes in the project waits for that.
    kept = found_kind.check(BulkScope(operation_id, project.organization_id, project.pk, actor, params or {}))
    project = accounts.lock_project(project_id, actor)
    policies.require(policies.can_begin(actor, accounts.role_in(actor, project)))
    if earlier := _find_by_key(actor, project.organization_id, key, digest):
        return earlier
    require_room(found_kind, project.pk)
    operation = Operation.objects.create(
        id=operation_id,
        organization_id=project.organization_id,
        project_id=project.pk,
        requested_by_id=actor.user_id,
        key_id=actor.key_id,
        kind=found_kind.name,
        params=kept,
        priority=priority,
        lane=Lane.OUTSIDE if found_kind.is_outside else Lane.INSIDE,
        concurrency=concurrency,
        rate_per_second=rate_per_second,
        budget=budget,
        currency=currency,
        deadline=deadline,
        idempotency_key=key,
        request_digest=digest,
        starts_itself=start,
        correlation_id=current().correlation_id,
    )
    announce(OperationCreated(operation.pk, operation.kind), operation, actor)
    jobs.after_commit("bulk.plan_operation", operation_id=operation.pk)
    return selectors.get_operation(operation_id=operation.pk, viewer=actor)


def announce(fact: Any, operation: Operation, actor: Actor) -> None:
    emit(fact, actor=actor, scope=operation.scope, subject=("operation", operation.pk))


def require_room(kind: BulkKind, project_id: UUID) -> None:
    """Under the lock of the project: two requests at once cannot both find nothing."""
    unfinished = Operation.objects.filter(project_id=project_id, status__in=UNFINISHED)
    if kind.is_exclusive and unfinished.filter(kind=kind.name).exists():
        raise KindIsExclusive
    if unfinished.count() >= MAX_OPERATIONS:
        raise TooManyOperations


def _digest(*asked: Any) -> bytes:
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).digest()


def _find_by_key(actor: Actor, organization_id: UUID, key: str, digest: bytes) -> Operation | None:
    """What the same person asked for under this key before. ``OperationKeyReused`` where it was something else."""
    if not key:
        return None
    rows = Operation.objects.filter(organization_id=organization_id, requested_by_id=actor.user_id, idempotency_key=key)
    if (earlier := rows.first()) is None:
        return None
    if bytes(earlier.request_digest) != digest:
        raise OperationKeyReused
    return selectors.get_operation(operation_id=earlier.pk, viewer=actor)
