"""What operations and items can be, what can be wrong with a request for one, and what workers pass around."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.errors import Conflict, DomainError, Invalid, LimitReached, Unprocessable


class OperationStatus(models.TextChoices):
    """``draft``: its plan is being written. ``planned``: waits for somebody to confirm. ``stopping``: takes no new items, ends soon."""

    DRAFT = "draft", _("Being planned")
    PLANNED = "planned", _("Waits for you")
    RUNNING = "running", _("Running")
    PAUSED = "paused", _("Paused")
    STOPPING = "stopping", _("Stopping")
    COMPLETED = "completed", _("Completed")
    COMPLETED_WITH_FAILURES = "completed_with_failures", _("Completed with failures")
    CANCELLED = "cancelled", _("Cancelled")
    EXPIRED = "expired", _("Out of time")
    FAILED = "failed", _("Could not be planned")


#: Nothing more happens to it by itself.
FINAL = frozenset(
    {
        OperationStatus.COMPLETED,
        OperationStatus.COMPLETED_WITH_FAILURES,
        OperationStatus.CANCELLED,
        OperationStatus.EXPIRED,
        OperationStatus.FAILED,
    }
)
STARTABLE = frozenset({OperationStatus.DRAFT, OperationStatus.PLANNED})
UNFINISHED = frozenset(OperationStatus) - FINAL


class ItemStatus(models.TextChoices):
    PENDING = "pending", _("Waiting")
    RUNNING = "running", _("Running")
    SUCCEEDED = "succeeded", _("Succeeded")
    FAILED = "failed", _("Failed")
    SKIPPED = "skipped", _("Skipped")
    CANCELLED = "cancelled", _("Cancelled")
    EXPIRED = "expired", _("Out of time")


class PauseReason(models.TextChoices):
    NONE = "", ""
    PERSON = "person", _("Paused by a person")
    BUDGET = "budget", _("The budget is used up")


class Lane(models.TextChoices):
    """``inside``: the work is in our database. ``outside``: it waits for other servers, many items at once."""

    INSIDE = "inside", _("inside")
    OUTSIDE = "outside", _("outside")


MAX_ITEMS = 1_000_000
#: Of a project, that are not done yet.
MAX_OPERATIONS = 50
#: Starts of one item: the first, and two after its worker died or asked for later.
MAX_ATTEMPTS = 3
#: So long an item may be put off by whom it asks, all waits together; a wait that the other did not ask for counts as a sixth of it at least.
PATIENCE_SECONDS = 3600.0
LEAST_PATIENCE = PATIENCE_SECONDS / 6
#: More than enough for a page of results; what is larger belongs into rows of the kind's own.
MAX_RESULT_BYTES = 65_536
SAMPLES = 5

WORKER_LOST = "worker_lost"
GAVE_UP = "gave_up"
TRY_LATER = "try_later"
UNEXPECTED = "internal_error"
DATABASE_WAS_AWAY = "database_away"


@dataclass(frozen=True, slots=True)
class HeldItem:
    """An item with the fence under which its end may be written."""

    item_id: UUID
    number: int
    payload: dict[str, Any]
    subject_id: UUID | None
    attempt: int
    fence: int
    put_off: float = 0.0  # seconds of its patience that are used up


@dataclass(frozen=True, slots=True)
class Batch:
    """Items of one operation that one worker holds until ``lease_until``."""

    operation_id: UUID
    organization_id: UUID
    project_id: UUID
    kind: str
    params: dict[str, Any]
    is_undo: bool
    user_id: UUID | None
    key_id: UUID | None
    correlation_id: str
    items: tuple[HeldItem, ...]


@dataclass(frozen=True, slots=True)
class ItemEnd:
    """What became of one held item. ``pending`` with ``delay_seconds`` puts it back.

    ``put_off``: how much of its patience is used up by now. ``rests_seconds``: so long nobody asks the operation's resource.
    """

    item_id: UUID
    fence: int
    status: ItemStatus
    seconds: float = 0.0
    error_code: str = ""
    error_detail: str = ""
    result: dict[str, Any] = field(default_factory=dict)
    cost: Decimal = Decimal(0)
    delay_seconds: float = 0.0
    put_off: float = 0.0
    rests_seconds: float = 0.0


class UnknownKind(Invalid):
    code = "unknown_kind"
    default_detail = _("There is no operation of this kind here.")


class OperationState(Conflict):
    """``status`` is the one that is in the way."""

    code = "operation_state"
    title = _("Not in this state")

    def __init__(self, status: str) -> None:
        super().__init__(
            _("This cannot be done now: the operation is “%(status)s”.") % {"status": OperationStatus(status).label},
            status_of_operation=status,
        )


class OperationKeyReused(Unprocessable):
    code = "operation_key_reused"
    default_detail = _("This key belongs to another operation. Use a new one.")


class KindIsExclusive(Conflict):
    code = "kind_is_exclusive"
    default_detail = _("An operation of this kind is under way in the project. Wait for its end, or cancel it.")


class UndoNotPossible(Conflict):
    code = "undo_not_possible"
    default_detail = _("This operation cannot be undone: its kind knows no way back, or nothing of it is left to undo.")


class OperationUndone(Conflict):
    code = "operation_undone"
    default_detail = _("This operation was undone. What would be tried again now could not be taken back.")


class TooManyOperations(LimitReached):
    code = "too_many_operations"
    default_detail = _("Fifty operations of this project are not done yet. Wait for one of them, or cancel one.")
    limit = "operations"
    most = MAX_OPERATIONS
    reason = "places"


class NothingToRetry(Conflict):
    code = "nothing_to_retry"
    default_detail = _("No item of this operation failed.")


class BudgetCurrency(Invalid):
    """``currency`` is the one in which its items are paid."""

    code = "budget_currency"
    default_detail = _("The budget is in another currency than the one in which this is paid.")

    def __init__(self, said: str, paid: str) -> None:
        super().__init__(
            _("The budget is in %(said)s, but this is paid in %(paid)s.") % {"said": said, "paid": paid}, currency=paid
        )


class CallTimedOut(DomainError):
    code = "call_timeout"
    status = 504
    title = _("It took too long")
    default_detail = _("This took longer than an item of this kind may.")


class ResultNotKept(DomainError):
    """Of one item: nothing that it did is true."""

    code = "result_not_kept"
    status = 500
    title = _("The result cannot be kept")
    default_detail = _(
        "What came of this cannot be kept: it holds a number that is none (NaN, infinity), or something that JSON cannot say."
    )


class PlanNotKept(DomainError):
    """Of one item, by its number; 0: of what the plan found."""

    code = "plan_not_kept"
    status = 500
    title = _("The plan cannot be kept")
    default_detail = _(
        "What the plan found cannot be kept: it holds a number that is none (NaN, infinity), or something that JSON cannot say."
    )

    def __init__(self, number: int = 0) -> None:
        said = _(
            "Item %(number)d of the plan cannot be kept: it holds a number that is none (NaN, infinity), or something that JSON cannot say."
        )
        super().__init__(said % {"number": number} if number else None, item=number)


class TooManyItems(Invalid):
    code = "too_many_items"
    default_detail = _("This would be more items than one operation may have.")


class LateWriter(Exception):
    """Somebody else holds the items by now; nothing was written."""
