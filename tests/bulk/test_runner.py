"""Items that wait for other servers: many at once, called under a fence, their rows written once."""

import threading
import time

import pytest
from django.db import connection
from django.utils import timezone

from apps.accounts.types import SYSTEM
from apps.bulk import runner, services
from apps.bulk.models import Item
from apps.bulk.types import FINAL
from tests.bulk.factories import counts, fresh, planned, teams

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def running():
    runner.runner().submit()
    yield runner.runner()
    runner.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "bulk"]


def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        connection.close()
        time.sleep(0.02)


def test_calls_run_side_by_side_and_their_answers_are_kept(actor, project, running):
    began = time.monotonic()
    operation = planned(actor, project, "sample.calls", count=40, seconds=0.5, call_fails=7)
    running.submit()

    until(lambda: fresh(operation).status == "completed_with_failures")

    assert time.monotonic() - began < 40 * 0.5
    assert (counts(operation), teams()) == ({"succeeded": 39, "failed": 1}, 39)
    item = Item.objects.get(operation=operation, number=3)
    assert item.result["found"] == f"answer to {operation.pk}:3"
    assert item.seconds >= 0.5
    assert Item.objects.get(operation=operation, number=7).error_code == "not_found"


def test_call_that_lost_the_database_is_made_again(actor, project, running):
    """The database, not the item: nobody has to press *Retry*, and it costs no attempt."""
    operation = planned(actor, project, "sample.calls", count=2, loses_database=2)
    running.submit()

    until(lambda: fresh(operation).status == "running" and Item.objects.filter(number=2, put_off__gt=0).exists())
    Item.objects.filter(number=2, status="pending").update(due_at=timezone.now())
    services.wake_due(actor=SYSTEM)
    running.submit()
    until(lambda: fresh(operation).status in FINAL)

    assert (fresh(operation).status, counts(operation), teams()) == ("completed", {"succeeded": 2}, 2)
    assert Item.objects.get(number=2).attempts == 1


def test_cancelled_calls_end_within_five_seconds(actor, project, running):
    operation = planned(actor, project, "sample.calls", count=10, seconds=120)
    running.submit()
    until(lambda: fresh(operation).running == 10)

    began = time.monotonic()
    services.cancel_operation(actor=actor, operation_id=operation.pk)
    until(lambda: fresh(operation).status == "cancelled")

    assert time.monotonic() - began <= 5
    assert (counts(operation), teams()) == ({"cancelled": 10}, 0)


def test_process_that_ends_gives_its_items_back(actor, project, running, settings, monkeypatch):
    monkeypatch.setattr(runner, "DRAIN_SECONDS", 1)
    operation = planned(actor, project, "sample.calls", count=4, seconds=120)
    running.submit()
    until(lambda: fresh(operation).running == 4)

    runner.close()

    assert (fresh(operation).status, counts(operation)) == ("running", {"pending": 4})
    assert set(Item.objects.values_list("attempts", "fence")) == {(0, 1)}


def test_item_that_another_holds_by_now_is_let_go(actor, project, running, monkeypatch):
    monkeypatch.setattr(runner, "RENEW_SECONDS", 0.5)
    planned(actor, project, "sample.calls", count=1, seconds=120)
    running.submit()
    until(lambda: running.calling)

    Item.objects.update(fence=9)

    until(lambda: not running.calling)
    assert Item.objects.get().fence == 9
    Item.objects.update(status="failed")
