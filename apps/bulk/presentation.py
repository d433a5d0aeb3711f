"""An operation as programs and live followers are told of it."""

from __future__ import annotations

from typing import Any

from apps.bulk.models import COUNTED, Operation
from apps.core.types import Priority


def priority_name(value: int) -> str:
    return Priority(value).name.lower()


def operation_data(operation: Operation) -> dict[str, Any]:
    undone_by = getattr(operation, "undone_by", None)
    return {
        "id": str(operation.pk),
        "project": str(operation.project_id),
        "kind": operation.kind,
        "params": operation.params,
        "status": operation.status,
        "reason": operation.pause_reason or operation.error_code,
        "detail": operation.error_detail,
        "counts": {"total": operation.total, **{name: getattr(operation, name) for name in COUNTED}},
        "progress": {"per_second": operation.items_per_second, "remaining_seconds": operation.remaining_seconds},
        "dry_run": operation.dry_run or None,
        "priority": priority_name(operation.priority),
        "concurrency": operation.concurrency,
        "rate_per_second": operation.rate_per_second,
        "budget": str(operation.budget) if operation.budget is not None else None,
        "cost": str(operation.cost),
        "currency": operation.currency,
        "deadline": _time(operation.deadline),
        "requested_by": _id(operation.requested_by_id),
        "undoes": _id(operation.undoes_id),
        "undone_by": _id(undone_by.pk) if undone_by else None,
        "created_at": _time(operation.created_at),
        "started_at": _time(operation.started_at),
        "finished_at": _time(operation.finished_at),
    }


def _time(value: Any) -> str | None:
    return value.isoformat().replace("+00:00", "Z") if value else None


def _id(value: Any) -> str | None:
    return str(value) if value else None
