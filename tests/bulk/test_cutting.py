"""An item inside our own code that goes on after its operation was cancelled: cut at a statement, and nothing of it is true."""

import contextlib
import threading
import time
from dataclasses import replace

import psycopg
import pytest
from django.db import connection, connections, transaction

from apps.accounts.models import Team
from apps.accounts.types import SYSTEM
from apps.bulk import cutting, engine, services
from apps.bulk.models import Item
from apps.bulk.types import ItemStatus
from apps.core.doors.bulk_kinds import bulk_kinds
from apps.core.ids import uuid7
from tests.bulk.factories import counts, fresh, planned, teams

pytestmark = pytest.mark.django_db(transaction=True)
SLEEPS = "SELECT pg_sleep(14)"  # below the time-out of a statement


def in_one_statement():
    with connection.cursor() as cursor:
        cursor.execute(SLEEPS)


def in_many():
    for _each in range(1400):
        time.sleep(0.01)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT 1")


def catching_all():
    """Who takes every error for its own goes no further than to its next statement."""
    for _each in range(2):
        try:
            with transaction.atomic():
                in_one_statement()
        except Exception:  # noqa: BLE001
            pass
    Team.objects.exists()


@pytest.mark.parametrize("lasts", [in_one_statement, in_many, catching_all])
def test_item_that_goes_on_is_cut_and_taken_back(actor, project, kinds, lasts):
    kind, is_at_it = kinds["sample.notes"], threading.Event()

    def apply(work, found):
        done = kind.apply(work, found)
        if work.payload["number"] == 2:
            is_at_it.set()
            lasts()
        return done

    bulk_kinds._items["sample.notes"] = replace(kind, apply=apply)
    operation = planned(actor, project, count=3)

    def cancel():
        is_at_it.wait(30)
        services.cancel_operation(actor=actor, operation_id=operation.pk)
        connections.close_all()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    began = time.monotonic()
    engine.run_all()
    took = time.monotonic() - began
    canceller.join(30)
    services.close_stopping(actor=SYSTEM)

    assert (fresh(operation).status, counts(operation)) == ("cancelled", {"succeeded": 1, "cancelled": 2})
    assert Item.objects.get(operation=operation, number=2).status == "cancelled"
    assert teams() == 1
    assert took < 12


def test_item_that_ends_in_time_is_left_alone(actor, project, kinds):
    """It may end within the grace, and what it did is kept."""
    kind, is_at_it = kinds["sample.notes"], threading.Event()

    def apply(work, found):
        done = kind.apply(work, found)
        is_at_it.set()
        time.sleep(2.0)
        assert Team.objects.exists()
        return done

    bulk_kinds._items["sample.notes"] = replace(kind, apply=apply)
    operation = planned(actor, project, count=1)
    canceller = threading.Thread(
        target=lambda: (
            is_at_it.wait(30),
            services.cancel_operation(actor=actor, operation_id=operation.pk),
            connections.close_all(),
        )
    )
    canceller.start()
    engine.run_all()
    canceller.join(30)

    assert (fresh(operation).status, counts(operation), teams()) == ("cancelled", {"succeeded": 1}, 1)


def test_nothing_is_cut_after_its_item_left():
    """The watcher found it while it still ran. What the connection does by now is another item's, or another tenant's."""
    with transaction.atomic(), cutting.watched(uuid7()):
        running = cutting._running[threading.get_ident()]
    with connection.cursor() as cursor:
        sleeping = threading.Thread(target=lambda: (time.sleep(0.3), cutting._cut(running, ItemStatus.CANCELLED)))
        sleeping.start()
        cursor.execute("SELECT pg_sleep(0.8)")
        sleeping.join(10)

    assert (running.has_left, running.ends_as) == (True, None)


def test_item_does_not_leave_while_it_is_cut():
    """The cancelling reaches the statement of this item, though that ends in the same moment."""
    left, cancels = threading.Event(), threading.Event()
    cut = {}

    def work():
        with contextlib.suppress(cutting.Cut), transaction.atomic(), cutting.watched(uuid7()):
            cut["running"] = cutting._running[threading.get_ident()]
            cancels.wait(10)
        left.set()
        connections.close_all()

    class Slow:
        """A connection whose cancelling takes its time."""

        pgconn = type("pgconn", (), {"transaction_status": psycopg.pq.TransactionStatus.ACTIVE})

        def cancel_safe(self, *, timeout):
            cancels.set()
            cut["had_left"] = left.wait(0.5)

    working = threading.Thread(target=work)
    working.start()
    while "running" not in cut:
        time.sleep(0.01)
    cut["running"].raw = Slow()
    cutting._cut(cut["running"], ItemStatus.CANCELLED)
    working.join(10)

    assert cut["had_left"] is False
    assert left.is_set()


def test_watcher_that_cannot_look_says_so_and_looks_again(caplog):
    """What it asks for is no id, which the database refuses each time."""

    def said():
        return [each.levelname for each in caplog.records if each.msg == "bulk_not_watched"]

    with transaction.atomic(), cutting.watched("no id"):
        until = time.monotonic() + 20
        while len(said()) < 2 and time.monotonic() < until:
            time.sleep(0.05)

    assert said()[:2] == ["WARNING", "WARNING"]
