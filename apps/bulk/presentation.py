"""An operation as programs and live followers are told of it."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from apps.accounts.types import Actor
from apps.bulk import policies, samples, selectors
from apps.bulk.models import COUNTED, Item, Operation
from apps.bulk.types import DATABASE_WAS_AWAY, GAVE_UP, TRY_LATER, UNEXPECTED, WORKER_LOST
from apps.core.doors.bulk_kinds import bulk_kinds
from apps.core.errors import sentence_of
from apps.core.types import Priority


def priority_name(value: int) -> str:
    return Priority(value).name.lower()


def reads_items(viewer: Actor, operation: Operation) -> bool:
    """Whether the viewer, who sees the operation, sees what is in it."""
    return policies.can_read_items(viewer, bulk_kinds.get(operation.kind))


def operation_data(operation: Operation, viewer: Actor, *, with_samples: bool = False) -> dict[str, Any]:
    """``with_samples``: of one, read by itself; they cost questions. What the viewer may not read is empty, and ``is_withheld`` says so."""
    sees = reads_items(viewer, operation)
    told = samples.dry_run_for if with_samples else samples.without_samples
    undone_by = getattr(operation, "undone_by", None)
    return {
        "id": str(operation.pk),
        "project": str(operation.project_id),
        "kind": operation.kind,
        "params": operation.params if sees else {},
        "is_withheld": not sees,
        "status": operation.status,
        "reason": operation.pause_reason or operation.error_code,
        "detail": operation.error_detail if sees else "",
        "counts": {"total": operation.total, **{name: getattr(operation, name) for name in COUNTED}},
        "progress": {"per_second": operation.items_per_second, "remaining_seconds": operation.remaining_seconds},
        "dry_run": told(viewer, operation),
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


def item_data(item: Item, *, sees: bool) -> dict[str, Any]:
    """``sees``: what ``reads_items`` says of its operation."""
    return {
        "id": str(item.pk),
        "number": item.number,
        "subject": item.subject_id,
        "status": item.status,
        "attempts": item.attempts,
        "payload": item.payload if sees else {},
        "result": item.result if sees else {},
        "code": item.error_code,
        "detail": item.error_detail if sees else "",
        "seconds": item.seconds,
        "cost": str(item.cost),
        "finished_at": item.finished_at,
    }


def causes_data(operation: Operation, viewer: Actor) -> list[dict[str, Any]]:
    """The sentence of a failure may quote what it is about."""
    causes = selectors.list_causes(operation)
    return causes if reads_items(viewer, operation) else [{**each, "example": ""} for each in causes]


def words_of(code: str) -> str:
    """Why an item failed, in a sentence. A code that has none stands for itself."""
    own = {
        WORKER_LOST: _("The workers that had it stopped, three times. Try it again."),
        GAVE_UP: _("It was to be tried again later, three times. Try it again."),
        TRY_LATER: _("It was to be tried again later, three times. Try it again."),
        UNEXPECTED: _(
            "It failed on our side, and nothing of it was kept. Whoever runs this server finds why in the log."
        ),
        DATABASE_WAS_AWAY: _("The database was away again and again. Try it again."),
    }
    return own.get(code) or sentence_of(code) or code


def words_of_skipped(reason: str) -> str:
    """Why an item was left out."""
    whys = {
        "gone": _("It is not there any more."),
        "filled": _("Its field was filled meanwhile."),
        "unchanged": _("It says that already: nothing was to be changed."),
        "changed_since_planned": _("It was changed since this was planned, and is not among those meant any more."),
        "duplicate": _("It is there already, so it was left out."),
        "in_use": _("It is used by now."),
        "decided": _("Somebody decided on it meanwhile."),
    }
    return whys.get(reason, reason)


def _time(value: Any) -> str | None:
    return value.isoformat().replace("+00:00", "Z") if value else None


def _id(value: Any) -> str | None:
    return str(value) if value else None
