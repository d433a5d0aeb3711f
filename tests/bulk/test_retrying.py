"""What is tried again: which limits stay, which room it needs, and how its pace is told."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from apps.accounts.types import SYSTEM
from apps.bulk import engine, selectors, services
from apps.bulk.models import Item, Operation
from apps.bulk.services import operations, planning
from apps.bulk.types import KindIsExclusive, OperationState, TooManyOperations
from tests.bulk.factories import counts, fresh, planned, ran

pytestmark = pytest.mark.django_db


def later(**ahead):
    return timezone.now() + timedelta(**ahead)


def test_deadline_that_is_to_come_stays(actor, project):
    deadline = later(hours=1)
    running = planned(actor, project, count=9, fail_every=3, deadline=deadline)
    batch = services.claim_batch(actor=SYSTEM, lane="inside", at_most=3)
    engine.run_batch(batch)
    assert counts(running) == {"succeeded": 2, "failed": 1, "pending": 6}
    ended = ran(actor, project, count=3, fail_every=3, deadline=deadline)
    over = planned(actor, project, count=3, deadline=deadline)
    Operation.objects.filter(pk=over.pk).update(deadline=later(seconds=-1))
    services.expire_late(actor=SYSTEM)

    for each in (running, ended, over):
        services.retry_failed(actor=actor, operation_id=each.pk)

    assert [fresh(each).deadline for each in (running, ended, over)] == [deadline, deadline, None]


def test_retry_of_what_has_ended_needs_room(actor, project, monkeypatch):
    """As a new one does: no two of an exclusive kind, and so many that are not done."""
    ended = ran(actor, project, "sample.alone", count=2)
    Item.objects.filter(number=1).update(status="failed", error_code="not_found")
    Operation.objects.filter(pk=ended.pk).update(status="completed_with_failures", succeeded=1, failed=1)
    other = planned(actor, project, "sample.alone", start=False, count=1)

    with pytest.raises(KindIsExclusive):
        services.retry_failed(actor=actor, operation_id=ended.pk)
    services.cancel_operation(actor=actor, operation_id=other.pk)
    monkeypatch.setattr(operations, "MAX_OPERATIONS", 1)
    planned(actor, project, start=False, count=1)
    with pytest.raises(TooManyOperations):
        services.retry_failed(actor=actor, operation_id=ended.pk)

    assert (fresh(ended).status, counts(other)) == ("completed_with_failures", {"cancelled": 1})
    monkeypatch.setattr(operations, "MAX_OPERATIONS", 2)
    services.retry_failed(actor=actor, operation_id=ended.pk)
    assert fresh(ended).status == "running"


@pytest.mark.django_db(transaction=True)
def test_of_two_that_take_the_last_place_at_once_one_is_refused(actor, project, monkeypatch):
    ended = [ran(actor, project, count=2, fail_every=2), ran(actor, project, count=2)]
    monkeypatch.setattr(operations, "MAX_OPERATIONS", 1)
    together, said = threading.Barrier(2), []

    def act(service, operation):
        together.wait(30)
        try:
            service(actor=actor, operation_id=operation.pk)
            said.append("done")
        except TooManyOperations:
            said.append("refused")
        finally:
            connection.close()

    threads = [
        threading.Thread(target=act, args=each)
        for each in zip((services.retry_failed, services.undo_operation), ended, strict=True)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)

    assert sorted(said) == ["done", "refused"]


def test_pace_is_counted_from_when_it_went_on(actor, project):
    """Two hours ago, two days ago: what was done then says nothing of how fast it is now."""
    operation = ran(actor, project, count=10, fail_every=2)
    Operation.objects.update(started_at=later(days=-2), pace_at=later(days=-2), finished_at=later(days=-2))

    services.retry_failed(actor=actor, operation_id=operation.pk)
    assert (fresh(operation).items_per_second, fresh(operation).remaining_seconds) == (None, None)
    Operation.objects.update(pace_at=later(seconds=-10))
    engine.run_batch(services.claim_batch(actor=SYSTEM, lane="inside", at_most=2))

    again = fresh(operation)
    assert counts(operation) == {"succeeded": 5, "failed": 2, "pending": 3}
    assert again.items_per_second == pytest.approx(0.2, rel=0.2)
    assert again.remaining_seconds == pytest.approx(15, rel=0.2)


def test_pause_is_no_part_of_the_pace(actor, project):
    operation = planned(actor, project, count=10)
    engine.run_batch(services.claim_batch(actor=SYSTEM, lane="inside", at_most=4))
    services.pause_operation(actor=actor, operation_id=operation.pk)
    Operation.objects.update(pace_at=later(hours=-2))

    services.resume_operation(actor=actor, operation_id=operation.pk)
    Operation.objects.update(pace_at=later(seconds=-10))
    engine.run_batch(services.claim_batch(actor=SYSTEM, lane="inside", at_most=4))

    assert fresh(operation).items_per_second == pytest.approx(0.4, rel=0.2)


def test_time_of_an_item_is_that_of_items_that_ran(actor, project):
    operation = planned(actor, project, count=10)
    engine.run_batch(services.claim_batch(actor=SYSTEM, lane="inside", at_most=2))
    services.cancel_operation(actor=actor, operation_id=operation.pk)
    Operation.objects.update(seconds=4.0)

    each, count = selectors.stats_seconds_each(kind="sample.notes", organization_id=project.organization_id)

    assert (each, count) == (2.0, 2)


def test_what_was_cancelled_offers_no_retry(actor, project, client, owner):
    client.force_login(owner)
    operation = planned(actor, project, count=6, fail_every=2)
    engine.run_batch(services.claim_batch(actor=SYSTEM, lane="inside", at_most=4))
    assert "Retry 2 items" in client.get(f"/operations/{operation.pk}/").content.decode()

    services.cancel_operation(actor=actor, operation_id=operation.pk)

    page = client.get(f"/operations/{operation.pk}/").content.decode()
    assert "Failures by cause" in page
    assert "Retry 2 items" not in page
    with pytest.raises(OperationState):
        services.retry_failed(actor=actor, operation_id=operation.pk)


def test_plan_that_failed_is_removed_in_pieces(actor, project, monkeypatch, django_assert_max_num_queries):
    """In none of its statements a million rows."""
    monkeypatch.setattr(planning, "COPIED_AT_ONCE", 4)
    monkeypatch.setattr(engine, "APPENDED_AT_ONCE", 5)
    monkeypatch.setattr(engine, "MAX_ITEMS", 18)
    sizes, drop = [], planning._drop_some

    def dropped(*args):
        before = Item.objects.count()
        more = drop(*args)
        sizes.append(before - Item.objects.count())
        return more

    monkeypatch.setattr(planning, "_drop_some", dropped)
    operation = planned(actor, project, count=30)

    assert (operation.status, operation.error_code, operation.total) == ("failed", "too_many_items", 0)
    assert not Item.objects.exists()
    assert max(sizes) == 4
    assert sum(sizes) == 15
