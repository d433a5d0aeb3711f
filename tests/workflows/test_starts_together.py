"""One run for each time, whoever dies and however many look."""

import os
import signal
import threading
from contextlib import closing
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.utils import timezone

from apps.accounts.types import SYSTEM
from apps.core import failpoints
from apps.core.failpoints import Failpoints
from apps.core.models import Event
from apps.workflows import services
from apps.workflows.models import Run, Start
from tests.extraction.factories import people
from tests.extraction.factories import record as recorded
from tests.workflows.factories import defined, logged

pytestmark = pytest.mark.django_db(transaction=True)
DO = [{"keep": {"set": "${ . }"}}]


def due(actor, project):
    definition = defined(actor, project, DO, schedule={"every": {"minutes": 5}})
    Start.objects.update(next_at=timezone.now() - timedelta(seconds=1))
    return Start.objects.get(definition=definition)


def killed(call, place):
    """A process of its own is killed where it tells of something for this many times. Whether it came so far."""
    connections.close_all()
    pid = os.fork()
    if pid == 0:
        try:
            failpoints.hit = Failpoints(f"before_commit=kill@{place}").hit
            call()
        finally:
            os._exit(0)
    _pid, status = os.waitpid(pid, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def at_once(call, times):
    """On connections of their own."""
    gate, threads = threading.Barrier(times), []

    def run():
        with closing(connection):
            gate.wait()
            call()

    for _number in range(times):
        threads.append(threading.Thread(target=run))
        threads[-1].start()
    for thread in threads:
        thread.join(20)


def test_killed_while_it_begins_a_run_begins_it_once(actor, project):
    start = due(actor, project)

    assert killed(lambda: services.begin_due_runs(actor=SYSTEM), 1)
    assert not Run.objects.exists()
    start.refresh_from_db()
    assert start.next_at <= timezone.now()

    assert services.begin_due_runs(actor=SYSTEM) == 1
    assert services.begin_due_runs(actor=SYSTEM) == 0
    assert Run.objects.count() == 1


def test_two_that_coordinate_begin_one_run(actor, project):
    due(actor, project)

    at_once(lambda: services.begin_due_runs(actor=SYSTEM), 4)

    assert Run.objects.count() == 1


def test_two_that_hear_the_same_event_begin_one_run(actor, project):
    defined(actor, project, DO, schedule={"on": {"one": {"with": {"type": "record.created"}}}})
    recorded(actor, people(actor, project), name="Sarah")
    event = logged(Event.objects.get(type="extraction.record_created"))

    assert killed(lambda: services.hear_starts(actor=SYSTEM, event=event), 1)
    at_once(lambda: services.hear_starts(actor=SYSTEM, event=event), 3)

    assert Run.objects.count() == 1


def test_a_time_is_paused_while_its_run_begins(actor, project):
    """Whoever pauses waits for the run that is beginning; it begins, and no other."""
    start = due(actor, project)

    at_once(
        lambda: (
            services.begin_due_runs(actor=SYSTEM),
            services.pause_start(actor=actor, definition_id=start.definition_id),
        ),
        2,
    )

    start.refresh_from_db()
    assert (Run.objects.count(), start.status, start.next_at) == (1, "paused", None)
