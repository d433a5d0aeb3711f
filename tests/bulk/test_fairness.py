"""Who is served next: tenants in turn, priority within a tenant, limits of operations and of what all share."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from apps.accounts.types import SYSTEM
from apps.bulk import engine, services
from apps.bulk.models import Operation, SharedResource
from apps.bulk.types import ItemEnd, ItemStatus
from apps.core.doors.bulk_kinds import Estimate, bulk_kinds
from tests.accounts.factories import ProjectFactory, UserFactory, actor_of
from tests.bulk.factories import counts, fresh, planned

pytestmark = pytest.mark.django_db


@pytest.fixture
def second():
    """Another tenant."""
    user = UserFactory()
    return actor_of(user), ProjectFactory(owner=user)


def claim(lane="outside", at_most=1):
    return services.claim_batch(actor=SYSTEM, lane=lane, at_most=at_most)


def end(batch, status=ItemStatus.SUCCEEDED, **fields):
    ends = [ItemEnd(item.item_id, item.fence, status, **fields) for item in batch.items]
    services.end_items(actor=SYSTEM, batch=batch, ends=ends)


def served(times):
    """A provider that is saturated: one place, taken as soon as it is free."""
    order = []
    for _time in range(times):
        batch = claim()
        order.append(batch.operation_id)
        end(batch)
    return order


def test_two_tenants_get_half_each_of_what_both_want(actor, project, second):
    first = planned(actor, project, "sample.calls", count=200)
    served(40)
    other = planned(*second, "sample.calls", count=200)

    order = served(60)

    assert order[:2].count(other.pk) >= 1, "who comes later does not wait behind what came before"
    assert order.count(first.pk) == order.count(other.pk) == 30


def test_many_operations_are_no_more_than_one_tenant(actor, project, second):
    mine = [planned(actor, project, "sample.calls", count=50).pk for _time in range(3)]
    other = planned(*second, "sample.calls", count=50)

    order = served(60)

    assert order.count(other.pk) == 30
    assert [order.count(pk) for pk in mine] == [10, 10, 10]


def test_idle_time_is_no_credit(actor, project, second):
    planned(*second, "sample.calls", count=1)
    served(1)
    first = planned(actor, project, "sample.calls", count=200)
    served(100)
    again = planned(*second, "sample.calls", count=100)

    order = served(20)

    assert order.count(first.pk) == order.count(again.pk) == 10


def test_tenant_whose_operation_is_held_back_saves_nothing_up(actor, project, second):
    planned(actor, project, "sample.calls", count=50, concurrency=1)
    other = planned(*second, "sample.calls", count=300)
    held = next(batch for batch in iter(claim, None) if batch.organization_id == project.organization_id)
    served(100)
    more = planned(actor, project, "sample.calls", count=100)

    order = served(20)

    assert held.items
    assert order.count(more.pk) == order.count(other.pk) == 10


def test_operation_that_is_held_back_saves_nothing_up_among_its_siblings(actor, project):
    stuck = planned(actor, project, "sample.calls", count=100, concurrency=1)
    held = claim()
    other = planned(actor, project, "sample.calls", count=300)
    served(100)
    services.change_pace(actor=actor, operation_id=stuck.pk, changes={"concurrency": None})

    order = served(20)

    assert held.operation_id == stuck.pk
    assert abs(order.count(stuck.pk) - order.count(other.pk)) <= 2


def test_who_shares_what_is_scarce_alternates_beside_somebody_who_does_not(actor, project, second):
    """Whoever is not held back draws the clock far ahead of the others, the first of whom has the higher priority."""
    user = UserFactory()
    scarce = {"resource": "provider:x", "at_once": 1}
    first = planned(actor, project, "sample.calls", count=100, priority=1, **scarce)
    other = planned(*second, "sample.calls", count=100, **scarce)
    free = planned(actor_of(user), ProjectFactory(owner=user), "sample.calls", count=300)
    order = []
    for _turn in range(20):
        batch = next(each for each in iter(claim, None) if each.operation_id != free.pk)
        order.append(batch.operation_id)
        for _time in range(3):
            assert claim().operation_id == free.pk
        end(batch)

    assert order.count(first.pk) == order.count(other.pk) == 10


def test_urgent_ten_behind_many_end_first(actor, project):
    many = planned(actor, project, "sample.calls", count=300)
    served(5)
    urgent = planned(actor, project, "sample.calls", count=10, priority=1)

    order = served(15)

    assert order == [urgent.pk] * 10 + [many.pk] * 5
    assert fresh(urgent).status == "completed"


def test_priority_can_be_changed_while_it_runs(actor, project):
    first = planned(actor, project, "sample.calls", count=10)
    second_one = planned(actor, project, "sample.calls", count=10)
    services.change_pace(actor=actor, operation_id=second_one.pk, changes={"priority": 1})

    assert served(3) == [second_one.pk] * 3
    services.change_pace(actor=actor, operation_id=second_one.pk, changes={"priority": 3})
    assert served(2) == [first.pk] * 2


def test_urgent_of_one_tenant_does_not_shut_the_other_out(actor, project, second):
    planned(actor, project, "sample.calls", count=100, priority=1)
    other = planned(*second, "sample.calls", count=100, priority=3)

    assert served(20).count(other.pk) == 10


def test_concurrency_of_an_operation_is_kept(actor, project):
    planned(actor, project, "sample.calls", count=10, concurrency=2)

    first = claim(at_most=5)

    assert len(first.items) == 2
    assert claim(at_most=5) is None
    end(first)
    assert len(claim(at_most=5).items) == 2


def test_shared_resource_is_shared_by_all_tenants(actor, project, second):
    planned(actor, project, "sample.calls", count=50, resource="provider:x", at_once=4)
    planned(*second, "sample.calls", count=50, resource="provider:x", at_once=4)
    planned(actor, project, "sample.calls", count=2)

    held = [claim() for _time in range(6)]

    assert claim() is None
    assert SharedResource.objects.get().at_once == 4
    shared = [batch for batch in held if Operation.objects.get(pk=batch.operation_id).resource]
    assert len(shared) == 4
    assert len({batch.organization_id for batch in shared}) == 2


def test_what_is_tired_rests_for_all_who_share_it(actor, project, second):
    tired = {"resource": "provider:x", "at_once": 8}
    first = planned(actor, project, "sample.calls", count=5, **tired)
    planned(*second, "sample.calls", count=5, **tired)
    end(claim(), ItemStatus.PENDING, delay_seconds=60, put_off=60, rests_seconds=60)
    end_one = planned(actor, project, "sample.calls", count=1)

    assert [batch.operation_id for batch in iter(claim, None)] == [end_one.pk]
    SharedResource.objects.update(rests_until=timezone.now())
    assert {batch.organization_id for batch in iter(claim, None)} == {
        project.organization_id,
        second[1].organization_id,
    }
    assert counts(first) == {"running": 4, "pending": 1}


def test_rate_is_a_bucket_of_one_second(actor, project):
    operation = planned(actor, project, "sample.calls", count=50, rate_per_second=5)
    Operation.objects.update(tokens=5, tokens_at=timezone.now())

    taken = 0
    while batch := claim(at_most=3):
        taken += len(batch.items)
        if taken > 20:
            break

    assert 5 <= taken <= 6
    Operation.objects.filter(pk=operation.pk).update(tokens=0, tokens_at=timezone.now() - timedelta(seconds=30))
    assert len(claim(at_most=50).items) == 5, "what was not used is not saved up"


def test_rate_of_a_shared_resource_is_kept(actor, project, second):
    for who in ((actor, project), second):
        planned(*who, "sample.calls", count=50, resource="provider:y", per_second=4)
    SharedResource.objects.update(tokens=4, tokens_at=timezone.now())

    taken = sum(len(batch.items) for batch in iter(claim, None))

    assert 4 <= taken <= 5


def test_budget_is_never_passed(actor, project):
    operation = planned(actor, project, "sample.calls", count=50, budget="1.00", cost="0.3")

    while batch := claim(at_most=10):
        end(batch, cost=Decimal("0.3"))

    row = fresh(operation)
    assert (row.status, row.pause_reason) == ("paused", "budget")
    assert row.cost <= row.budget
    assert counts(operation)["succeeded"] == 3
    services.change_pace(actor=actor, operation_id=operation.pk, changes={"budget": None})
    services.resume_operation(actor=actor, operation_id=operation.pk)
    assert claim() is not None


def test_budget_is_a_ceiling_before_anything_was_paid(actor, project):
    """The first items cost nothing (their record was gone, the answer was known); those after them do."""
    operation = planned(actor, project, "sample.calls", count=50, budget="1.00")

    for _time in range(2):
        end(claim(at_most=10))
    batch = claim(at_most=10)

    assert len(batch.items) == 1
    assert claim(at_most=10) is None
    end(batch, cost=Decimal("0.4"))
    assert len(claim(at_most=10).items) == 1
    assert counts(operation) == {"succeeded": 3, "running": 1, "pending": 46}


def test_dearest_item_is_what_a_budget_reckons_with(actor, project):
    operation = planned(actor, project, "sample.calls", count=50, budget="1.00")
    for cost in ("0.3", "0.001", "0.001", "0"):
        batch = claim(at_most=1)
        end(batch, cost=Decimal(cost))

    assert len(claim(at_most=10).items) == 2
    assert fresh(operation).dearest == Decimal("0.3")


def test_what_costs_nothing_needs_no_budget(actor, project, kinds, monkeypatch):
    says_free = replace(kinds["sample.calls"], estimate=lambda scope, total: Estimate(Decimal(0), "USD"))
    monkeypatch.setitem(bulk_kinds._items, "sample.calls", says_free)
    planned(actor, project, "sample.calls", count=50, budget="1.00")

    assert len(claim(at_most=10).items) == 10


def test_estimate_that_passes_the_budget_pauses_before_the_first_item(actor, project):
    operation = planned(actor, project, count=4, cost="2", budget="1.00")

    assert (operation.status, operation.pause_reason) == ("paused", "budget")
    services.resume_operation(actor=actor, operation_id=operation.pk)
    assert fresh(operation).status == "paused"
    services.change_pace(actor=actor, operation_id=operation.pk, changes={"budget": Decimal(9)})
    services.resume_operation(actor=actor, operation_id=operation.pk)
    engine.run_all()
    assert (fresh(operation).status, fresh(operation).cost) == ("completed", 8)


def test_budget_that_is_lowered_below_what_was_spent_pauses(actor, project):
    operation = planned(actor, project, "sample.calls", count=9, budget="9")
    end(claim(), cost=Decimal(1))

    services.change_pace(actor=actor, operation_id=operation.pk, changes={"budget": Decimal("1.5")})

    assert (fresh(operation).status, fresh(operation).pause_reason) == ("paused", "budget")


def test_budget_is_in_the_currency_that_is_paid(actor, project):
    """The sample says what it costs in euros."""
    dollars = planned(actor, project, count=4, cost="0.5", budget="9", currency="USD")
    unsaid = planned(actor, project, start=False, count=4, cost="0.5", budget="9")
    free = planned(actor, project, start=False, count=4, budget="9", currency="USD")

    assert (dollars.status, dollars.error_code) == ("failed", "budget_currency")
    assert dollars.error_detail == "The budget is in USD, but this is paid in EUR."
    assert [(each.status, each.currency) for each in (unsaid, free)] == [("planned", "EUR"), ("planned", "USD")]


def test_operation_past_its_deadline_ends_as_out_of_time(actor, project):
    operation = planned(actor, project, count=5, deadline=timezone.now() + timedelta(hours=1))
    Operation.objects.update(deadline=timezone.now() - timedelta(seconds=1))

    assert engine.run_all() == 0
    services.expire_late(actor=SYSTEM)

    assert (fresh(operation).status, counts(operation)) == ("expired", {"expired": 5})
    services.retry_failed(actor=actor, operation_id=operation.pk)
    engine.run_all()
    assert (fresh(operation).status, counts(operation)) == ("completed", {"succeeded": 5})
