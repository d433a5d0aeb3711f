"""What ``doctor`` says about the ledger and the budgets."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db.models.functions import Now

from apps.core.ids import uuid7
from apps.llm import invariants
from apps.llm.models import Budget, BudgetReservation, CallAttempt
from tests.accounts.factories import OrganizationFactory
from tests.llm.factories import CallAttemptFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def budget():
    """A month with one call on its way."""
    organization = OrganizationFactory()
    made = Budget.objects.create(
        organization=organization, month=date(2030, 1, 1), limit=Decimal(10), spent=Decimal(4), reserved=Decimal(2)
    )
    BudgetReservation.objects.create(organization=organization, budget=made, attempt_id=uuid7(), amount=Decimal(2))
    settled = {"attempt_id": uuid7(), "amount": Decimal(3), "settled_at": Now()}
    BudgetReservation.objects.create(organization=organization, budget=made, **settled)
    CallAttemptFactory(organization=organization)
    return made


def broken():
    checks = (invariants.check_attempts_are_closed, invariants.check_reservations_add_up, invariants.check_budgets_hold)
    return {check.__name__ for check in checks if check()}


def test_sound_ledger_passes(budget):
    assert broken() == set()


def test_reserved_money_without_a_call_is_found(budget):
    BudgetReservation.objects.update(settled_at=Now())

    assert broken() == {"check_reservations_add_up"}


def test_call_that_never_ended_is_found(budget):
    CallAttempt.objects.update(started_at=Now() - timedelta(hours=1))

    assert broken() == {"check_attempts_are_closed"}


@pytest.mark.parametrize("reserved", [2, 0])
def test_overspent_budget_is_found_also_when_nothing_is_reserved(budget, reserved):
    if not reserved:
        BudgetReservation.objects.filter(settled_at=None).update(settled_at=Now())
    Budget.objects.update(spent=Decimal(11), reserved=reserved)

    assert broken() == {"check_budgets_hold"}


def test_reserved_beyond_the_limit_is_found(budget):
    Budget.objects.update(spent=Decimal("8.5"))

    assert broken() == {"check_budgets_hold"}


def test_limit_lowered_below_what_was_spent_is_sound(budget):
    Budget.objects.update(limit=Decimal(1), updated_at=Now())

    assert broken() == set()


def test_calls_from_before_the_limit_are_not_held_against_it(budget):
    CallAttempt.objects.update(status="completed", cost=Decimal(7), ended_at=Now())
    Budget.objects.update(spent=Decimal(11))

    assert broken() == set()
