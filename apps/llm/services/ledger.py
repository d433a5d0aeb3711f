"""The ledger: a row before each attempt, its outcome after it, and the budget's money in between.

Plain SQL: both statements lie on the way to the first token or run once for every answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Now
from psycopg.types.json import Jsonb

from apps.accounts.types import SYSTEM, Actor
from apps.core.db import prepared
from apps.core.ids import uuid7
from apps.core.leases import scaled
from apps.llm import policies, tokens
from apps.llm.errors import BudgetReached
from apps.llm.models import AttemptStatus, BudgetReservation, CallAttempt
from apps.llm.routes import ModelRoute, Prices
from apps.llm.types import CompletionRequest, Timeouts, Usage

LOST_AFTER_SECONDS = Timeouts().total_seconds + 60


@dataclass(frozen=True, slots=True)
class Opening:
    """``reserve`` is what the call may cost at most; zero takes nothing from the budget."""

    id: UUID
    request: CompletionRequest
    route: ModelRoute
    attempt: int
    expected_input_tokens: int
    reserve: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Closing:
    id: UUID
    organization_id: UUID
    status: AttemptStatus
    usage: Usage
    cost: Decimal
    currency: str
    duration_ms: int
    first_token_ms: int | None = None
    error_code: str = ""
    error_said: str = ""
    provider_status: int | None = None


_OPEN = """
INSERT INTO llm_callattempt (
  id, updated_at, organization_id, turn_id, project_id, user_id, provider_id, model_id, provider_name, model_name, purpose,
  attempt, status, error_code, error_said, input_tokens, output_tokens, cached_tokens, reasoning_tokens, estimated, cost,
  currency, prices, expected_input_tokens, correlation_id, started_at
) VALUES (
  %(id)s, now(), %(organization)s, %(turn)s::uuid, %(project)s, %(user)s, %(provider)s, %(model)s, %(provider_name)s,
  %(model_name)s, %(purpose)s::text,
  CASE WHEN %(turn)s::uuid IS NULL THEN %(attempt)s ELSE 1 + COALESCE(
    (SELECT max(attempt) FROM llm_callattempt WHERE turn_id = %(turn)s::uuid AND purpose = %(purpose)s::text), 0) END,
  'started', '', '', 0, 0, 0, 0, false, 0, %(currency)s, %(prices)s, %(expected)s, %(correlation)s, clock_timestamp()
) ON CONFLICT (id) DO NOTHING RETURNING attempt
"""

_CLOSE = """
UPDATE llm_callattempt SET
  status = %(status)s, error_code = %(code)s, error_said = %(said)s, provider_status = %(provider_status)s,
  input_tokens = %(input)s, output_tokens = %(output)s, cached_tokens = %(cached)s, reasoning_tokens = %(reasoning)s,
  estimated = %(estimated)s, cost = %(cost)s, currency = %(currency)s, first_token_ms = %(first)s, duration_ms = %(duration)s,
  ended_at = clock_timestamp(), updated_at = now()
WHERE id = %(id)s AND status = 'started'
"""

# The condition and the change are one statement: of a hundred parallel calls at the edge none sees an old sum.
_RESERVE = """
WITH taken AS (
  UPDATE llm_budget SET reserved = reserved + %(amount)s
  WHERE organization_id = %(organization)s AND month = date_trunc('month', now() AT TIME ZONE 'utc')::date
    AND ("limit" IS NULL OR spent + reserved + %(amount)s <= "limit")
  RETURNING id
)
INSERT INTO llm_budgetreservation (id, updated_at, organization_id, budget_id, attempt_id, amount)
SELECT %(id)s, now(), %(organization)s, taken.id, %(attempt)s, %(amount)s FROM taken RETURNING id
"""

_BEGIN_MONTH = """
INSERT INTO llm_budget (id, updated_at, organization_id, version, month, "limit", spent, reserved, currency)
SELECT %(id)s, now(), organization_id, 1, date_trunc('month', now() AT TIME ZONE 'utc')::date, "limit", 0, 0, currency
FROM llm_budget WHERE organization_id = %(organization)s AND month < date_trunc('month', now() AT TIME ZONE 'utc')::date
ORDER BY month DESC LIMIT 1 ON CONFLICT DO NOTHING
"""

_SETTLE = """
WITH settled AS (
  UPDATE llm_budgetreservation SET settled_at = now(), updated_at = now()
  WHERE attempt_id = %(id)s AND settled_at IS NULL RETURNING budget_id, amount
)
UPDATE llm_budget AS budget SET reserved = budget.reserved - settled.amount, spent = budget.spent + %(cost)s
FROM settled WHERE budget.id = settled.budget_id
"""

_SPEND = """
UPDATE llm_budget SET spent = spent + %(cost)s
WHERE organization_id = %(organization)s AND month = date_trunc('month', now() AT TIME ZONE 'utc')::date
  AND NOT EXISTS (SELECT 1 FROM llm_budgetreservation WHERE attempt_id = %(id)s)
"""


def open_attempt(*, actor: Actor, opening: Opening) -> int:
    """Reserve, write the row, return its number among the turn's attempts. Raises ``BudgetReached``; a repeat does nothing."""
    policies.require(policies.can_record_calls(actor))
    request, route = opening.request, opening.route
    values = {
        "id": opening.id,
        "organization": request.organization_id,
        "turn": request.turn_id,
        "project": request.project_id,
        "user": request.user_id,
        "provider": route.provider.id,
        "model": route.id,
        "provider_name": route.provider.name,
        "model_name": route.name,
        "purpose": request.purpose.value,
        "attempt": opening.attempt,
        "currency": route.prices.currency,
        "prices": Jsonb(route.prices.snapshot()),
        "expected": opening.expected_input_tokens,
        "correlation": request.correlation_id[:64],
    }
    if not opening.reserve:
        return _insert(values) or opening.attempt
    with transaction.atomic():
        _reserve(request.organization_id, opening.id, opening.reserve)
        return _insert(values) or opening.attempt


def _insert(values: dict[str, Any]) -> int | None:
    with prepared() as cursor:
        cursor.execute(_OPEN, values)
        row = cursor.fetchone()
    return int(row[0]) if row else None


def _reserve(organization_id: UUID, attempt_id: UUID, amount: Decimal) -> None:
    values: dict[str, Any] = {"organization": organization_id, "attempt": attempt_id, "amount": amount, "id": uuid7()}
    with prepared() as cursor:
        cursor.execute(_RESERVE, values)
        if cursor.fetchone():
            return
        # The first call of a month finds no row yet: the limit goes on from the month before.
        cursor.execute(_BEGIN_MONTH, {"organization": organization_id, "id": uuid7()})
        cursor.execute(_RESERVE, values)
        if cursor.fetchone():
            return
        cursor.execute(
            "SELECT 1 FROM llm_budget WHERE organization_id = %s"
            " AND month = date_trunc('month', now() AT TIME ZONE 'utc')::date",
            [organization_id],
        )
        if cursor.fetchone():
            raise BudgetReached


@transaction.atomic
def close_attempt(*, actor: Actor, closing: Closing) -> bool:
    """Write the outcome and settle the budget. False when the attempt was closed before: nothing is charged twice."""
    policies.require(policies.can_record_calls(actor))
    usage = closing.usage
    with prepared() as cursor:
        cursor.execute(
            _CLOSE,
            {
                "id": closing.id,
                "status": closing.status.value,
                "code": closing.error_code[:40],
                "said": closing.error_said.replace("\x00", "")[:500],
                "provider_status": closing.provider_status,
                "input": usage.input_tokens,
                "output": usage.output_tokens,
                "cached": usage.cached_tokens,
                "reasoning": usage.reasoning_tokens,
                "estimated": usage.estimated,
                "cost": closing.cost,
                "currency": closing.currency,
                "first": closing.first_token_ms,
                "duration": closing.duration_ms,
            },
        )
        if not cursor.rowcount:
            return False
        values: dict[str, Any] = {"id": closing.id, "cost": closing.cost, "organization": closing.organization_id}
        cursor.execute(_SETTLE, values)
        if not cursor.rowcount and closing.cost:
            cursor.execute(_SPEND, values)
    return True


def settle_lost_attempts(*, actor: Actor, turn_id: UUID, text: str = "") -> int:
    """A worker died: close what it had open, with the tokens of what was shown as an estimate. Returns how many."""
    policies.require(policies.can_record_calls(actor))
    return sum(_settle_lost(row, text) for row in CallAttempt.objects.filter(turn_id=turn_id, status="started"))


def sweep_lost_attempts(*, actor: Actor) -> int:
    """Attempts that nobody closed long after every time-out, and reservations whose attempt was never written."""
    policies.require(policies.can_record_calls(actor))
    old = Now() - timedelta(seconds=scaled(LOST_AFTER_SECONDS))
    rows = CallAttempt.objects.filter(status=AttemptStatus.STARTED, started_at__lt=old)[:500]
    closed = sum(_settle_lost(row, "") for row in rows)
    open_ones = BudgetReservation.objects.filter(settled_at=None, created_at__lt=old)[:500]
    for reservation in open_ones:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_SETTLE, {"id": reservation.attempt_id, "cost": 0})
    return closed


def _settle_lost(row: CallAttempt, text: str) -> bool:
    prices = Prices(
        input=_price(row, "input"), output=_price(row, "output"), cached=_price(row, "cached"), currency=row.currency
    )
    usage = Usage(
        input_tokens=row.expected_input_tokens, output_tokens=tokens.of_text(text) if text else 0, estimated=True
    )
    closing = Closing(
        id=row.pk,
        organization_id=row.organization_id,
        status=AttemptStatus.LOST,
        usage=usage,
        cost=prices.cost_of(usage),
        currency=row.currency,
        duration_ms=0,
        error_code="worker_lost",
    )
    return close_attempt(actor=SYSTEM, closing=closing)


def _price(row: CallAttempt, name: str) -> Decimal | None:
    return Decimal(row.prices[name]) if name in row.prices else None
