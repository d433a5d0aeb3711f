"""What must always be true of the call ledger and of budgets (promise I4)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import DecimalField, F, OuterRef, Subquery, Sum, Value
from django.db.models.functions import Coalesce, Now

from apps.core.doors.invariants import Invariant, Violation, invariants
from apps.core.leases import patience
from apps.llm.models import AttemptStatus, Budget, BudgetReservation, CallAttempt
from apps.llm.types import Timeouts

#: Past every time-out and the sweep that closes what was lost, which comes every minute.
PATIENCE_SECONDS = Timeouts().total_seconds + 180
SHOWN = 20


def check_attempts_are_closed() -> Sequence[Violation]:
    since = Now() - patience(PATIENCE_SECONDS)
    rows = CallAttempt.objects.filter(status=AttemptStatus.STARTED, started_at__lte=since)[:SHOWN]
    return [
        Violation(f"Call {row.pk} was begun and never closed.", "Is a jobs process running? It closes lost calls.")
        for row in rows
    ]


def check_reservations_add_up() -> Sequence[Violation]:
    money = DecimalField(max_digits=20, decimal_places=8)
    still_open = (
        BudgetReservation.objects.filter(budget=OuterRef("pk"), settled_at=None)
        .order_by()
        .values("budget")
        .annotate(total=Sum("amount"))
        .values("total")
    )
    rows = Budget.objects.annotate(
        still_open=Coalesce(Subquery(still_open, output_field=money), Value(Decimal(0)), output_field=money)
    ).exclude(reserved=F("still_open"))[:SHOWN]
    return [
        Violation(
            f"Budget {row.pk} holds {row.reserved} reserved, its open calls add up to {row.still_open}.",
            "Wait for running answers to end; if it stays, report it with the budget's id.",
        )
        for row in rows
    ]


#: What a month's calls cost: those that reserved from it, and those beside it that began or ended in it. One statement, so that
#: a call that ends meanwhile is in both sums or in none.
_CHARGED = """
SELECT budget.id, budget.spent, ledger.cost FROM llm_budget budget
CROSS JOIN LATERAL (
  SELECT coalesce(sum(call.cost), 0) AS cost FROM llm_callattempt call
  LEFT JOIN llm_budgetreservation held ON held.attempt_id = call.id
  WHERE call.organization_id = budget.organization_id AND (held.budget_id = budget.id OR (held.id IS NULL AND (
    date_trunc('month', call.started_at AT TIME ZONE 'utc') = budget.month
    OR date_trunc('month', call.updated_at AT TIME ZONE 'utc') = budget.month)))
) ledger
WHERE budget.spent > ledger.cost LIMIT 20
"""

#: Over the limit, although a call was let in after the limit was last changed, and more than what went beside the budget since.
_OVER = """
SELECT budget.id, budget.spent, budget.reserved, budget."limit" FROM llm_budget budget
CROSS JOIN LATERAL (
  SELECT coalesce(max(occurred_at), budget.created_at) AS at FROM core_event
  WHERE type = 'llm.budget_set' AND subject_id = budget.id
) changed
WHERE budget.spent + budget.reserved > budget."limit" + (
    SELECT coalesce(sum(call.cost), 0) FROM llm_callattempt call
    WHERE call.organization_id = budget.organization_id AND call.ended_at >= changed.at
      AND NOT EXISTS (SELECT FROM llm_budgetreservation held WHERE held.attempt_id = call.id))
  AND EXISTS (SELECT FROM llm_budgetreservation held WHERE held.budget_id = budget.id AND held.created_at > changed.at)
LIMIT 20
"""


def _rows(statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def check_nothing_is_charged_twice() -> Sequence[Violation]:
    return [
        Violation(
            f"Budget {budget} was charged {spent}, its calls cost {cost}.",
            "Report it with the budget's id, and compare backups.",
        )
        for budget, spent, cost in _rows(_CHARGED)
    ]


def check_budgets_hold() -> Sequence[Violation]:
    """An admin may set a limit below what was spent: then no call is let in any more, and that is all."""
    return [
        Violation(
            f"Budget {budget} allows {limit}, and {spent} is spent and {reserved} reserved.",
            "Do the prices of its models agree with the provider's bill? Else report it with the budget's id.",
        )
        for budget, spent, reserved, limit in _rows(_OVER)
    ]


def register() -> None:
    for name, says, check in (
        ("attempts_closed", "Every call has its end in the ledger.", check_attempts_are_closed),
        ("reservations_add_up", "What budgets hold reserved is what calls reserved.", check_reservations_add_up),
        ("charged_once", "No call is charged twice.", check_nothing_is_charged_twice),
        ("budgets_hold", "No budget is overspent.", check_budgets_hold),
    ):
        invariants.register(f"llm.{name}", Invariant(f"llm.{name}", "I4", says, check))
