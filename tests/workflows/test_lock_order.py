"""Whoever goes back, forks, steps on or tries again locks rows in one order, so that nobody waits for somebody who waits for them."""

from __future__ import annotations

import threading
import time
from contextlib import closing

import pytest
from django.db import OperationalError, connection, transaction

from apps.accounts import selectors as accounts
from apps.bulk import services as operations
from apps.bulk.models import Operation
from apps.bulk.types import NothingToRetry
from apps.core.doors.workflow_functions import Gave, WorkflowFunction, workflow_functions
from apps.workflows import engine, services
from apps.workflows.models import Run
from tests.extraction.factories import people, record
from tests.workflows.factories import begun, ran, step, walked
from tests.workflows.test_reaching_back import AGE, cast, operated
from tests.workflows.test_rollback import change, there

pytestmark = pytest.mark.django_db(transaction=True)
LONGEST_SECONDS = 8
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"


def until_somebody_waits():
    deadline = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(WAITING)
            if cursor.fetchone()[0]:
                return
        time.sleep(0.02)


@pytest.fixture
def beside():
    """Begins a call on a connection of its own; what is given back waits for what came of it, a deadlock too."""
    found = []

    def begin(call):
        def run():
            with closing(connection):
                try:
                    found.append(call())
                except OperationalError as error:
                    found.append(error)

        thread = threading.Thread(target=run)
        thread.start()

        def end():
            thread.join(LONGEST_SECONDS * 2)
            return found[-1]

        return end

    return begin


@pytest.fixture
def held_up(monkeypatch):
    """A function of workflows that holds the project, as beginning an operation does, until somebody waits."""
    reached = threading.Event()

    def inside(call):
        accounts.lock_project(call.project_id, call.actor)
        reached.set()
        until_somebody_waits()
        return Gave({"held": True})

    function = WorkflowFunction("hold", "Holds the project.", {"type": "object"}, inside=inside)
    monkeypatch.setitem(workflow_functions._items, "hold", function)
    return reached


def test_a_step_and_a_fork_do_not_lock_each_other_out(actor, project, held_up, beside):
    run = begun(actor, project, [{"a": {"set": {"x": 1}}}, {"b": {"call": "hold"}}])
    stepping = beside(lambda: engine.go_on(run.pk))
    assert held_up.wait(LONGEST_SECONDS)

    fork = services.fork_run(actor=actor, run_id=run.pk, number=1)

    assert stepping() is None
    assert Run.objects.get(pk=run.pk).status == "completed"
    assert step(run, "b").output == {"held": True}
    assert fork.forked_from_id == run.pk


def test_a_step_and_the_way_back_write_one_record_one_after_the_other(actor, project, monkeypatch, beside):
    """The step has written the record when somebody goes back to before who made it."""
    collection = people(actor, project)
    reached = threading.Event()
    update = workflow_functions.get("records.update")

    def inside(call):
        gave = update.inside(call)
        if call.arguments["data"] == {"age": 2}:
            reached.set()
            until_somebody_waits()
        return gave

    slow = WorkflowFunction(update.name, update.summary, update.parameters, inside=inside, about=update.about)
    monkeypatch.setitem(workflow_functions._items, "records.update", slow)
    run = begun(actor, project, cast({"first": change(age=1)}, {"second": change(age=2)}))
    stepping = beside(lambda: engine.go_on(run.pk))
    assert reached.wait(LONGEST_SECONDS)

    services.roll_back(actor=actor, run_id=run.pk, stage="cast")

    assert stepping() is None
    assert (walked(run).status, there(collection)) == ("paused", [])


def test_taking_back_and_trying_again_do_not_lock_each_other_out(actor, project, beside):
    collection = people(actor, project)
    for name in ("Sarah", "Tomás"):
        record(actor, collection, name=name, age=28)
    run = operated(ran(actor, project, cast({"bulk": {"call": "bulk", "with": AGE}})))
    operation = Operation.objects.get()
    services.roll_back(actor=actor, run_id=run.pk, stage="cast")

    with transaction.atomic():  # as who tries again begins
        accounts.lock_project(project.pk, actor)
        going_back = beside(lambda: engine.go_on(run.pk))
        until_somebody_waits()
        with pytest.raises(NothingToRetry), transaction.atomic():
            operations.retry_failed(actor=actor, operation_id=operation.pk)

    assert going_back() is None
    run = operated(run)
    assert run.status == "paused"
    assert {row["age"] for row in there(collection)} == {28}
