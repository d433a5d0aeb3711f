"""Claims beside others: what is given back at the same moment is not passed by; and a worker that dies in the middle of a chunk."""

import os
import signal
import threading
from dataclasses import replace

import pytest
from django.db import connection, connections, transaction

from apps.accounts.types import SYSTEM
from apps.bulk import engine, services
from apps.bulk.models import Item
from apps.core import failpoints
from apps.core.doors.bulk_kinds import Done, bulk_kinds
from apps.core.failpoints import Failpoints
from tests.bulk.factories import counts, fresh, planned, teams

pytestmark = pytest.mark.django_db(transaction=True)


def claim(at_most=1):
    return services.claim_batch(actor=SYSTEM, lane="outside", at_most=at_most)


def test_items_given_back_while_others_are_claimed_are_not_passed_by(actor, project):
    """Whoever gives back commits while the claimant waits for the operation's row: it goes on from where the cursor is by then."""
    operation = planned(actor, project, "sample.calls", count=9)
    held = claim(at_most=4)
    claimed = threading.Thread(target=lambda: (found.append(claim(at_most=3)), connection.close()))
    found = []

    with transaction.atomic():
        services.give_back(actor=SYSTEM, batch=held, items=held.items)
        claimed.start()
        claimed.join(1.0)
        assert claimed.is_alive()
    claimed.join(30)

    assert [item.number for item in found[0].items] == [1, 2, 3]
    rest = [item.number for batch in iter(claim, None) for item in batch.items]
    assert sorted(rest) == [4, 5, 6, 7, 8, 9]
    assert counts(operation) == {"running": 9}


def test_operation_that_was_paused_a_moment_ago_is_passed_by(actor, project):
    operation = planned(actor, project, "sample.calls", count=9)
    found = []
    claimed = threading.Thread(target=lambda: (found.append(claim()), connection.close()))

    with transaction.atomic():
        services.pause_operation(actor=actor, operation_id=operation.pk)
        claimed.start()
        claimed.join(1.0)
    claimed.join(30)

    assert found == [None]
    assert counts(operation) == {"pending": 9}


def killed(operation, place):
    """A process of its own works and is killed after so many items of its chunk."""
    connections.close_all()  # nobody shares a socket
    pid = os.fork()
    if pid == 0:
        try:
            failpoints.hit = Failpoints(f"mid_flush=kill@{place}").hit
            engine.run_all()
        finally:
            os._exit(0)
    _pid, status = os.waitpid(pid, 0)
    Item.objects.filter(operation=operation, status="running").update(lease_until="2020-01-01T00:00:00Z")
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


@pytest.mark.parametrize("place", [1, 7, 23])
def test_killed_in_the_middle_of_a_chunk_each_effect_is_there_once(actor, project, place):
    operation = planned(actor, project, count=30)

    assert killed(operation, place)
    counted = counts(operation)
    assert counted.get("succeeded", 0) == teams()
    services.reap_lapsed(actor=SYSTEM)
    engine.run_all()

    assert (fresh(operation).status, counts(operation), teams()) == ("completed", {"succeeded": 30}, 30)


def test_result_that_speaks_of_an_escape_is_kept_as_it_is(actor, project, kinds, monkeypatch):
    """The six characters of an escape in a title are no escape; what no column keeps goes."""
    said = {"title": r"\u0000", "odd": "a\0b\ud800", "nested": [{"x\0": r"C:\u0000\d"}]}
    kind = replace(kinds["sample.notes"], apply=lambda work, found: Done(said))
    monkeypatch.setitem(bulk_kinds._items, "sample.notes", kind)
    operation = planned(actor, project, count=2)

    engine.run_all()

    assert counts(operation) == {"succeeded": 2}
    assert Item.objects.first().result == {
        "title": r"\u0000",
        "odd": "ab\ufffd",
        "nested": [{"x": r"C:\u0000\d"}],
    }
