"""Facts about operations: ids, enums and counts. Items are rows, not events: there may be a million."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from apps.core.events import event


@event("bulk.operation_created.v1", label=_("Prepared a bulk operation"))
@dataclass(frozen=True, slots=True)
class OperationCreated:
    operation_id: UUID
    kind: str


@event("bulk.operation_planned.v1")
@dataclass(frozen=True, slots=True)
class OperationPlanned:
    """Its items are there; unless it was told to start by itself it waits for somebody to confirm."""

    operation_id: UUID
    total: int


@event("bulk.operation_started.v1", label=_("Started a bulk operation"))
@dataclass(frozen=True, slots=True)
class OperationStarted:
    operation_id: UUID
    total: int


@event("bulk.operation_progressed.v1")
@dataclass(frozen=True, slots=True)
class OperationProgressed:
    """Told about once a second, less often for long ones: the counts are in the row."""

    operation_id: UUID
    ended: int
    total: int


@event("bulk.operation_changed.v1", label=_("Changed a bulk operation"))
@dataclass(frozen=True, slots=True)
class OperationChanged:
    """``change``: paused, resumed, stopping, retried, undone, priority or pace."""

    operation_id: UUID
    change: str


@event("bulk.operation_completed.v1", public="job.completed")
@dataclass(frozen=True, slots=True)
class OperationCompleted:
    """All items have an end; ``failed`` of them failed."""

    operation_id: UUID
    status: str
    succeeded: int
    failed: int
    skipped: int


@event("bulk.operation_failed.v1", public="job.failed")
@dataclass(frozen=True, slots=True)
class OperationFailed:
    """It could not be planned, was cancelled, or ran out of time."""

    operation_id: UUID
    status: str
    reason_code: str


@event("bulk.item_gave_up.v1")
@dataclass(frozen=True, slots=True)
class ItemGaveUp:
    """An item whose workers died as often as items may be started: it is set aside and holds up nothing."""

    operation_id: UUID
    item_id: UUID
    attempts: int
