"""Calls of a provider that is tired, slow, or answers somebody who may not ask any more; and the clock of the real runner."""

import asyncio
import threading
from dataclasses import replace
from decimal import Decimal

import pytest
from django.db import connection

from apps.accounts.types import SYSTEM, ProjectRole
from apps.bulk import engine, runner, services, types
from apps.bulk.models import Item, Operation, SharedResource
from apps.core.doors.bulk_kinds import BulkKind, TryLater, bulk_kinds
from tests.accounts.factories import ProjectFactory, UserFactory, actor_of, add_to_project, member_of
from tests.bulk.factories import counts, fresh, planned, teams
from tests.bulk.test_runner import running, until

__all__ = ["running"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def calls(kinds, monkeypatch):
    """The sample kind with a call of one's own."""

    def make(call, **fields):
        kind = replace(kinds["sample.calls"], call=call, **fields)
        monkeypatch.setitem(bulk_kinds._items, "sample.calls", kind)

    return make


def awaken():
    """As the sweep of the coordinator, and with the time that has passed."""
    SharedResource.objects.update(rests_until=None)
    Item.objects.filter(due_at__isnull=False).update(due_at="2020-01-01T00:00:00Z")
    services.wake_due(actor=SYSTEM)
    runner.runner().submit()


def ended(operation):
    awaken()
    return fresh(operation).finished_at is not None


def test_tired_provider_slows_items_and_fails_none(actor, project, running, calls):
    asked = []

    async def call(work):
        asked.append(work.number)
        if asked.count(work.number) <= 6:
            raise TryLater(30, code="rate_limited", rests=True)
        return "answer"

    calls(call)
    operation = planned(actor, project, "sample.calls", count=12, resource="provider:x", at_once=4)

    running.submit()
    until(lambda: fresh(operation).running == 0 and asked)
    rests = SharedResource.objects.get().rests_until
    assert rests is not None
    assert len(asked) <= 4, "nobody else asks while it rests"
    until(lambda: ended(operation))

    assert (counts(operation), teams()) == ({"succeeded": 12}, 12)
    assert set(Item.objects.values_list("attempts", "put_off")) == {(1, 0.0)}


def test_patience_ends_and_says_what_it_waited_for(actor, project, running, calls):
    """After an hour of what the provider asked for."""
    asked = []

    async def call(work):
        asked.append(work.number)
        raise TryLater(900, code="rate_limited", rests=True)

    calls(call)
    operation = planned(actor, project, "sample.calls", count=1, resource="provider:x")
    running.submit()

    until(lambda: ended(operation))

    item = Item.objects.get()
    assert (len(asked), item.status, item.error_code) == (4, "failed", "rate_limited")
    assert "put off again and again" in item.error_detail
    assert (fresh(operation).causes, item.attempts) == ({"rate_limited": 1}, 1)


def test_short_waits_that_nobody_asked_for_count_as_ten_minutes(actor, project, running, calls):
    asked = []

    async def call(work):
        asked.append(work.number)
        raise TryLater(1, code="timeout", is_put_off=True)

    calls(call)
    operation = planned(actor, project, "sample.calls", count=1)
    running.submit()

    until(lambda: ended(operation))

    assert (len(asked), Item.objects.get().error_code) == (6, "timeout")


def test_what_was_begun_in_between_gives_patience_back(actor, project):
    operation = planned(actor, project, "sample.calls", count=1)
    for end, left in (
        (types.ItemEnd(None, 0, types.ItemStatus.PENDING, put_off=50.0), 50.0),
        (types.ItemEnd(None, 0, types.ItemStatus.PENDING), 0.0),
    ):
        batch = services.claim_batch(actor=SYSTEM, lane="outside")
        [item] = batch.items
        services.end_items(actor=SYSTEM, batch=batch, ends=[replace(end, item_id=item.item_id, fence=item.fence)])
        assert Item.objects.get().put_off == left
    assert counts(operation) == {"pending": 1}


def test_call_that_takes_too_long_is_cut_and_says_so(actor, project, running, calls):
    async def call(work):
        if work.number == 2:
            raise TimeoutError  # of its own
        await asyncio.sleep(60)

    calls(call, call_seconds=0.3)
    operation = planned(actor, project, "sample.calls", count=2)

    running.submit()
    until(lambda: fresh(operation).status == "completed_with_failures")

    assert fresh(operation).causes == {"call_timeout": 1, "internal_error": 1}
    assert Item.objects.get(number=1).error_detail == "This took longer than an item of this kind may."


def test_kinds_say_how_long_a_call_may_take_within_bounds():
    assert bulk_kinds.get("extraction.from_files").call_seconds > 3600
    with pytest.raises(ValueError, match="may not last"):
        BulkKind("sample.endless", "Endless", lambda scope: iter(()), lambda work, found: None, call_seconds=1e9)


def test_who_loses_their_rights_during_a_call_has_nothing_done_and_the_call_counted(project, running, calls):
    editor = member_of(project)
    goes_on = threading.Event()

    async def call(work):
        work.meter.add("0.25")
        await asyncio.to_thread(goes_on.wait, 30)
        return "answer"

    calls(call)
    operation = planned(actor_of(editor), project, "sample.calls", count=2)
    running.submit()
    until(lambda: fresh(operation).running == 2 and len(running.calling) == 2)

    add_to_project(editor, project, role=ProjectRole.VIEWER)
    goes_on.set()
    until(lambda: fresh(operation).running == 0, seconds=8)  # long before their leases lapse
    services.close_stopping(actor=SYSTEM)

    assert (counts(operation), teams()) == ({"cancelled": 2}, 0)
    assert (fresh(operation).status, fresh(operation).error_code) == ("cancelled", "forbidden")
    assert fresh(operation).cost == Decimal("0.5")


def test_second_tenant_does_not_wait_behind_the_first(actor, project, running):
    """Usually a fifth of a second on this class of machine; promised are two."""
    scarce = {"resource": "provider:x", "at_once": 4, "seconds": 0.1}
    first = planned(actor, project, "sample.calls", count=400, **scarce)
    running.submit()
    until(lambda: fresh(first).running == 4)

    user = UserFactory()
    second = planned(actor_of(user), ProjectFactory(owner=user), "sample.calls", count=10, **scarce)
    running.submit()
    until(lambda: fresh(second).status == "completed", seconds=60)

    begun = Item.objects.filter(operation=second).order_by("started_at").values_list("started_at", flat=True)[0]
    assert (begun - fresh(second).started_at).total_seconds() <= 2
    assert fresh(first).pending > 0
    services.cancel_operation(actor=actor, operation_id=first.pk)
    until(lambda: fresh(first).running == 0)


def test_urgent_ten_end_before_the_many_that_came_first(actor, project, running):
    scarce = {"resource": "provider:x", "at_once": 4, "seconds": 0.05}
    many = planned(actor, project, "sample.calls", count=400, **scarce)
    running.submit()
    until(lambda: fresh(many).running == 4)

    urgent = planned(actor, project, "sample.calls", count=10, priority=1, **scarce)
    running.submit()
    until(lambda: fresh(urgent).status == "completed", seconds=60)

    row = fresh(many)
    taken = Item.objects.filter(operation=many, started_at__gte=fresh(urgent).started_at).count()
    assert row.pending > 300
    assert taken <= 8, "what was under way, and what took the places that the last of the ten left"
    services.cancel_operation(actor=actor, operation_id=many.pk)
    until(lambda: fresh(many).running == 0)


def test_same_key_twenty_times_at_once_is_one_operation(actor, project):
    together, found = threading.Barrier(20), []

    def ask():
        together.wait(60)
        try:
            operation = services.create_operation(
                actor=actor, project_id=project.pk, kind="sample.notes", params={"count": 3}, key="once", start=True
            )
            found.append(operation.pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _each in range(20)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(120)

    assert len(found) == 20
    assert set(found) == {Operation.objects.get().pk}
    engine.plan_operation(operation_id=found[0])
    engine.run_all()
    assert (counts(Operation.objects.get()), teams()) == ({"succeeded": 3}, 3)
