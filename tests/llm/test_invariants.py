"""What ``doctor`` says about the ledger and the budgets."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from apps.core.events import emit
from apps.core.ids import uuid7
from apps.core.types import SYSTEM, Scope
from apps.llm import invariants
from apps.llm.events import BudgetSet
from apps.llm.models import Budget, BudgetReservation, CallAttempt
from tests.accounts.factories import OrganizationFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def budget():
    """A month with one call on its way."""
    organization = OrganizationFactory()
    made = Budget.objects.create(
        organization=organization, month=date(2030, 1, 1), limit=Decimal(10), spent=Decimal(4), reserved=Decimal(2)
    )
    BudgetReservation.objects.create(organization=organization, budget=made, attempt_id=uuid7(), amount=Decimal(2))
    spent = call(organization, cost=Decimal(4), status="completed", ended_at=Now())
    BudgetReservation.objects.create(
        organization=organization, budget=made, attempt_id=spent.pk, amount=Decimal(5), settled_at=Now()
    )
    call(organization)
    return made


def call(organization, **fields):
    return CallAttempt.objects.create(
        organization=organization,
        provider_id=uuid7(),
        model_id=uuid7(),
        provider_name="p",
        model_name="m",
        purpose="title",
        attempt=1,
        started_at=Now(),
        **fields,
    )


def broken():
    checks = (
        invariants.check_attempts_are_closed,
        invariants.check_reservations_add_up,
        invariants.check_nothing_is_charged_twice,
        invariants.check_budgets_hold,
    )
    return {check.__name__ for check in checks if check()}


def test_sound_ledger_passes(budget):
    assert broken() == set()


def test_reserved_money_without_a_call_is_found(budget):
    BudgetReservation.objects.update(settled_at=Now())

    assert broken() == {"check_reservations_add_up"}


def test_call_that_never_ended_is_found(budget):
    CallAttempt.objects.update(started_at=Now() - timedelta(hours=1))

    assert broken() == {"check_attempts_are_closed"}


def spend(budget, amount):
    """A call beside what the month has reserved, so that the sum is right and only the limit is passed."""
    Budget.objects.filter(pk=budget.pk).update(spent=F("spent") + amount)
    made = call(budget.organization, cost=amount, status="completed", ended_at=Now())
    BudgetReservation.objects.create(
        organization=budget.organization, budget=budget, attempt_id=made.pk, amount=Decimal(1), settled_at=Now()
    )


def test_month_that_was_charged_more_than_its_calls_cost_is_found(budget):
    Budget.objects.update(spent=Decimal(8))

    assert broken() == {"check_nothing_is_charged_twice"}
    assert str(budget.pk) in invariants.check_nothing_is_charged_twice()[0].detail


@pytest.mark.django_db(transaction=True)
def test_overspent_budget_is_found_also_at_rest(budget):
    spend(budget, Decimal(7))
    BudgetReservation.objects.update(settled_at=Now())
    Budget.objects.update(reserved=0)

    assert broken() == {"check_budgets_hold"}
    assert str(budget.pk) in invariants.check_budgets_hold()[0].detail


@pytest.mark.django_db(transaction=True)
def test_limit_set_below_what_was_spent_is_fine_until_a_call_is_let_in(budget):
    with transaction.atomic():
        emit(
            BudgetSet(budget_id=budget.pk, old_limit=Decimal(10), new_limit=Decimal(1)),
            actor=SYSTEM,
            scope=Scope("organization:1"),
            subject=("llm.budget", budget.pk),
        )
    Budget.objects.update(limit=Decimal(1))
    assert broken() == set()

    spend(budget, Decimal(1))

    assert broken() == {"check_budgets_hold"}


@pytest.mark.django_db(transaction=True)
def test_calls_that_began_before_there_was_a_limit_are_fine(budget):
    call(budget.organization, cost=Decimal(9), status="completed", ended_at=Now())
    Budget.objects.update(spent=Decimal(13), month=timezone.now().date().replace(day=1))

    assert broken() == set()
