"""What must always be true of the call ledger and of budgets (promise I4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from django.db.models import DecimalField, Exists, F, OuterRef, Subquery, Sum, Value
from django.db.models.functions import Coalesce, Now

from apps.core.doors.invariants import Invariant, Violation, invariants
from apps.core.leases import scaled
from apps.llm.models import AttemptStatus, Budget, BudgetReservation, CallAttempt
from apps.llm.services.ledger import LOST_AFTER_SECONDS

#: Past every time-out and the sweep that closes what was lost, which comes every minute.
PATIENCE_SECONDS = LOST_AFTER_SECONDS + 120.0
SHOWN = 20
MONEY = DecimalField(max_digits=24, decimal_places=9)


def check_attempts_are_closed() -> Sequence[Violation]:
    since = Now() - timedelta(seconds=scaled(PATIENCE_SECONDS))
    rows = CallAttempt.objects.filter(status=AttemptStatus.STARTED, started_at__lte=since)[:SHOWN]
    return [
        Violation(f"Call {row.pk} was begun and never closed.", "Is a jobs process running? It closes lost calls.")
        for row in rows
    ]


def check_reservations_add_up() -> Sequence[Violation]:
    still_open = (
        BudgetReservation.objects.filter(budget=OuterRef("pk"), settled_at=None)
        .order_by()
        .values("budget")
        .annotate(total=Sum("amount"))
        .values("total")
    )
    rows = Budget.objects.annotate(
        still_open=Coalesce(Subquery(still_open, output_field=MONEY), Value(Decimal(0)), output_field=MONEY)
    ).exclude(reserved=F("still_open"))[:SHOWN]
    return [
        Violation(
            f"Budget {row.pk} holds {row.reserved} reserved, its open calls add up to {row.still_open}.",
            "Wait for running answers to end; if it stays, report it with the budget's id.",
        )
        for row in rows
    ]


def check_budgets_hold() -> Sequence[Violation]:
    """Whoever reserved since the limit was set last found room for it, and nothing costs more than it reserved.

    A limit that was lowered below what was spent lets nobody reserve; calls that began before there was a limit reserved
    nothing and do not count.
    """
    reservations = BudgetReservation.objects.filter(budget=OuterRef("pk"), created_at__gt=OuterRef("updated_at"))
    unreserved = (
        CallAttempt.objects.filter(organization=OuterRef("organization"), ended_at__gte=OuterRef("updated_at"))
        .exclude(Exists(BudgetReservation.objects.filter(attempt_id=OuterRef("pk"))))
        .order_by()
        .values("organization")
        .annotate(total=Sum("cost"))
        .values("total")
    )
    rows = (
        Budget.objects.filter(Exists(reservations), limit__isnull=False)
        .annotate(unreserved=Coalesce(Subquery(unreserved, output_field=MONEY), Value(Decimal(0)), output_field=MONEY))
        .filter(limit__lt=F("spent") + F("reserved") - F("unreserved"))[:SHOWN]
    )
    return [
        Violation(
            f"Budget {row.pk} spent {row.spent} of {row.limit} and holds {row.reserved} reserved.",
            "Report it with the budget's id.",
        )
        for row in rows
    ]


def register() -> None:
    for name, says, check in (
        ("attempts_closed", "Every call has its end in the ledger.", check_attempts_are_closed),
        ("reservations_add_up", "What budgets hold reserved is what calls reserved.", check_reservations_add_up),
        ("budgets_hold", "No budget is overspent.", check_budgets_hold),
    ):
        invariants.register(f"llm.{name}", Invariant(f"llm.{name}", "I4", says, check))
