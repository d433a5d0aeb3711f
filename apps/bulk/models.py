"""Operations, their items, and the two clocks of fairness: what each tenant was served, what a shared resource still gives."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import TenantModel
from apps.bulk.types import FINAL, ItemStatus, Lane, OperationStatus, PauseReason
from apps.core.models import BaseModel, LeasedModel
from apps.core.types import Priority, Scope

#: Counters of an operation: one for each state of an item.
COUNTED = tuple(ItemStatus.values)


class Operation(TenantModel, LeasedModel):
    """What was asked for, its counts, its pace. Lease, fence and attempts belong to the writing of its plan.

    Counters change in the transaction that changes the items, so they are exact; a constraint says that they add up. ``cursor``: no
    item up to this number waits for a worker, except those with a time in ``due_at``. ``served`` is its virtual time among the
    operations of its tenant. Its pace is counted from ``pace_at``, when it began or went on last, and from what had ended by then.
    """

    project = models.ForeignKey("accounts.Project", on_delete=models.PROTECT, related_name="+", editable=False)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", editable=False
    )
    # Plain, as in the log: a key whose row is gone may do nothing more, which is all a worker asks of it.
    key_id = models.UUIDField(null=True, editable=False)
    # Who confirmed it before its plan was whole: the log names them when it starts by itself. None: who asked did.
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", db_index=False, editable=False
    )
    kind = models.CharField(_("kind"), max_length=60)
    params = models.JSONField(default=dict)
    status = models.CharField(max_length=24, choices=OperationStatus.choices, default=OperationStatus.DRAFT)
    stops_as = models.CharField(max_length=24, choices=OperationStatus.choices, blank=True, default="")
    pause_reason = models.CharField(max_length=12, choices=PauseReason.choices, blank=True, default="")
    error_code = models.CharField(max_length=60, blank=True, default="")
    error_detail = models.CharField(max_length=500, blank=True, default="")
    starts_itself = models.BooleanField(default=False)
    undoes = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="undone_by", editable=False)

    priority = models.SmallIntegerField(default=Priority.NORMAL.value)
    lane = models.CharField(max_length=8, choices=Lane.choices)
    resource = models.CharField(max_length=100, blank=True, default="")
    concurrency = models.PositiveIntegerField(null=True, blank=True)
    rate_per_second = models.FloatField(null=True, blank=True)
    tokens = models.FloatField(default=1)
    tokens_at = models.DateTimeField(db_default=Now())
    budget = models.DecimalField(max_digits=18, decimal_places=8, null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True, default="")
    deadline = models.DateTimeField(null=True, blank=True)
    idempotency_key = models.CharField(max_length=100, blank=True, default="")
    request_digest = models.BinaryField(max_length=32, editable=False)
    dry_run = models.JSONField(default=dict)

    total = models.PositiveIntegerField(default=0)
    pending = models.PositiveIntegerField(default=0)
    running = models.PositiveIntegerField(default=0)
    succeeded = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    cancelled = models.PositiveIntegerField(default=0)
    expired = models.PositiveIntegerField(default=0)
    # Of ``failed``, how many for which reason: {code: number}.
    causes = models.JSONField(default=dict, db_default={}, editable=False)
    # Of ``skipped``, how many were left out for which reason: {reason: number}.
    skips = models.JSONField(default=dict, db_default={}, editable=False)
    cursor = models.PositiveIntegerField(default=0)
    served = models.FloatField(default=0)
    seconds = models.FloatField(default=0)
    cost = models.DecimalField(max_digits=18, decimal_places=8, default=0)
    # The most that one start of an item cost so far: what the next ones are reckoned with.
    dearest = models.DecimalField(max_digits=18, decimal_places=8, default=0, db_default=0)
    # Items that had ended badly by ``retry_at`` are being put back, up to the number ``retry_after`` so far; the operation ends not before all are.
    retry_at = models.DateTimeField(null=True)
    retry_after = models.PositiveIntegerField(default=0, db_default=0)
    retry_cancelled = models.BooleanField(default=False, db_default=False)
    told_at = models.DateTimeField(null=True)
    told_ended = models.PositiveIntegerField(default=0)
    correlation_id = models.CharField(max_length=64, blank=True, default="")
    planned_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    pace_at = models.DateTimeField(null=True)
    pace_ended = models.IntegerField(default=0, db_default=0)

    class Meta:
        verbose_name = _("bulk operation")
        verbose_name_plural = _("bulk operations")
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    total=F("pending")
                    + F("running")
                    + F("succeeded")
                    + F("failed")
                    + F("skipped")
                    + F("cancelled")
                    + F("expired")
                ),
                name="bulk_operation_counts_add_up",
            ),
            models.CheckConstraint(condition=Q(status__in=OperationStatus.values), name="bulk_operation_status"),
            models.UniqueConstraint(
                fields=["organization", "requested_by", "idempotency_key"],
                name="bulk_operation_once",
                condition=~Q(idempotency_key=""),
                nulls_distinct=False,
            ),
        ]
        indexes = [
            models.Index(fields=["project", "-created_at", "-id"], name="bulk_operation_list"),
            models.Index(fields=["organization", "kind", "-created_at"], name="bulk_operation_kind"),
            models.Index(fields=["lane", "status"], name="bulk_operation_active", condition=~Q(status__in=FINAL)),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def scope(self) -> Scope:
        return Scope(f"operation:{self.pk}", self.organization_id, self.project_id)

    @property
    def ended(self) -> int:
        return self.total - self.pending - self.running

    #: States in which failed items may be put back.
    RETRYABLE: ClassVar = frozenset(
        {
            OperationStatus.COMPLETED_WITH_FAILURES,
            OperationStatus.EXPIRED,
            OperationStatus.RUNNING,
            OperationStatus.PAUSED,
        }
    )

    @property
    def is_half_planned(self) -> bool:
        """An undoing that ended before its plan was whole: it is planned anew."""
        return self.undoes_id is not None and self.planned_at is None and self.status in FINAL

    @property
    def retried(self) -> tuple[str, ...]:
        """Of which items a retry puts back. Half undone is no end: of an undoing also those that were cancelled."""
        is_half_undone = self.undoes_id is not None and self.status == OperationStatus.CANCELLED
        return ("failed", "expired", "cancelled") if is_half_undone else ("failed", "expired")

    @property
    def is_retryable(self) -> bool:
        """Whether there is something to put back, unless it was undone."""
        if self.status in self.RETRYABLE or "cancelled" in self.retried:
            return any(getattr(self, status) for status in self.retried)
        return False

    @property
    def bad_from(self) -> int:
        """Where failures begin in the picture of the counts."""
        return self.succeeded + self.skipped

    @property
    def run_from(self) -> int:
        return self.bad_from + self.failed

    @property
    def shown_currency(self) -> str:
        return self.currency or self.dry_run.get("estimate", {}).get("currency") or "USD"

    @property
    def most_a_minute(self) -> float | None:
        return self.rate_per_second * 60 if self.rate_per_second is not None else None

    @property
    def items_per_second(self) -> float | None:
        """Since it began, or went on last; None while there is nothing to tell it from."""
        since, ended = self.pace_at or self.started_at, self.ended - self.pace_ended
        if since is None or ended <= 0:
            return None
        took = ((self.finished_at or timezone.now()) - since).total_seconds()
        return round(ended / took, 3) if took > 0 else None

    @property
    def remaining_seconds(self) -> float | None:
        """At the rate so far; None while it does not run."""
        rate = self.items_per_second
        if self.status != OperationStatus.RUNNING or not rate:
            return None
        return round((self.pending + self.running) / rate, 1)


class Item(TenantModel):
    """One row of the frozen plan. ``number`` is its place in the plan, from 1.

    No index holds a status that every item passes through, so that most updates stay on their page.
    """

    operation = models.ForeignKey(Operation, on_delete=models.CASCADE, related_name="+", db_index=False, editable=False)
    number = models.PositiveIntegerField()
    subject_id = models.UUIDField(null=True)
    payload = models.JSONField(default=dict)
    status = models.CharField(max_length=9, choices=ItemStatus.choices, default=ItemStatus.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0)
    # Seconds that whom it asks made it wait, one after the other: its patience ends.
    put_off = models.FloatField(default=0, db_default=0)
    lease_until = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)
    error_code = models.CharField(max_length=60, blank=True, default="")
    error_detail = models.CharField(max_length=500, blank=True, default="")
    result = models.JSONField(default=dict)
    seconds = models.FloatField(default=0)
    cost = models.DecimalField(max_digits=18, decimal_places=8, default=0)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("item of a bulk operation")
        verbose_name_plural = _("items of bulk operations")
        constraints = [
            models.UniqueConstraint(fields=["operation", "number"], name="bulk_item_number"),
            models.CheckConstraint(condition=Q(status__in=ItemStatus.values), name="bulk_item_status"),
        ]
        indexes = [
            models.Index(fields=["lease_until"], name="bulk_item_leases", condition=Q(lease_until__isnull=False)),
            models.Index(fields=["due_at"], name="bulk_item_due", condition=Q(due_at__isnull=False)),
            models.Index(
                fields=["operation", "error_code", "number"], name="bulk_item_failures", condition=~Q(error_code="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.operation_id}#{self.number}"


class Share(TenantModel):
    """How much of a lane a tenant was served, in virtual time: the least served comes next.

    ``clock`` is the virtual time among its operations there: who could take nothing for a while comes in at that time.
    """

    lane = models.CharField(max_length=8, choices=Lane.choices)
    served = models.FloatField(default=0)
    clock = models.FloatField(default=0, db_default=0)

    class Meta:
        verbose_name = _("share of a tenant")
        verbose_name_plural = _("shares of tenants")
        constraints = [models.UniqueConstraint(fields=["organization", "lane"], name="bulk_share_once")]

    def __str__(self) -> str:
        return f"{self.organization_id} {self.lane} {self.served}"


class LaneClock(BaseModel):
    """The virtual time of a lane: when the tenant that was served last began to be. Who could take nothing saves nothing up."""

    lane = models.CharField(max_length=8, choices=Lane.choices, unique=True)
    served = models.FloatField(default=0)

    class Meta:
        verbose_name = _("clock of a lane")
        verbose_name_plural = _("clocks of lanes")

    def __str__(self) -> str:
        return f"{self.lane} {self.served}"


class SharedResource(BaseModel):
    """What all tenants take from, such as a provider's limits: at once, and a second (a token bucket of one second).

    Until ``rests_until`` it takes nothing: it said so itself.
    """

    name = models.CharField(max_length=100, unique=True)
    at_once = models.PositiveIntegerField(null=True)
    per_second = models.FloatField(null=True)
    tokens = models.FloatField(default=1)
    tokens_at = models.DateTimeField(db_default=Now())
    rests_until = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("shared resource")
        verbose_name_plural = _("shared resources")

    def __str__(self) -> str:
        return self.name
