"""Calls that no worker lives through, and what can never be sent: made a few times, then an error as any other."""

from contextlib import suppress
from decimal import Decimal

import pytest
from django.db.models.functions import Now

from apps.core.doors.workflow_functions import Gave, WorkflowFunction, workflow_functions
from apps.workflows import engine, problems, services
from apps.workflows.models import Run, Step
from apps.workflows.types import CRASHES
from tests.workflows.factories import begun, fresh, ran, stage, walked

pytestmark = pytest.mark.django_db


@pytest.fixture
def poison(monkeypatch):
    """How often it was called."""
    calls = []

    def outside(call):
        calls.append(call.effect_key)
        raise RuntimeError

    function = WorkflowFunction("poison", "", {"type": "object"}, outside=outside)
    monkeypatch.setitem(workflow_functions._items, "poison", function)
    return calls


def go_on(run):
    """Eight workers, each of them lost."""
    for _worker in range(8):
        with suppress(RuntimeError):
            engine.go_on(run.pk)
        Run.objects.filter(pk=run.pk, status="running").update(lease_until=Now())
    return fresh(run)


def test_call_that_every_worker_dies_of_is_not_made_for_ever(actor, project, poison):
    run = go_on(begun(actor, project, [{"a": {"call": "poison"}}]))

    assert (run.status, run.error["code"]) == ("failed", "worker_lost")
    assert len(poison) == CRASHES
    assert len(set(poison)) == 1


def test_tried_again_it_is_the_same_call(actor, project, poison):
    """Nobody knows whether it had its effect."""
    run = go_on(begun(actor, project, [{"a": {"call": "poison"}}]))

    services.retry_run(actor=actor, run_id=run.pk)
    run = go_on(run)

    assert (run.status, run.error["code"]) == ("failed", "worker_lost")
    assert len(poison) == 2 * CRASHES
    assert len(set(poison)) == 1


def test_call_that_was_under_way_when_the_run_was_cancelled_is_taken_back(actor, project, poison, monkeypatch):
    gives = WorkflowFunction("gives", "", {"type": "object"}, outside=lambda _call: Gave({"n": 1}))
    monkeypatch.setitem(workflow_functions._items, "gives", gives)
    task = {"call": "poison", "metadata": {"parlance": {"compensate": [{"call": "gives"}]}}}
    run = begun(actor, project, [{"first": {"do": [{"one": task}], **stage("First")}}])
    with suppress(RuntimeError):
        engine.go_on(run.pk)
    services.cancel_run(actor=actor, run_id=run.pk)

    services.roll_back(actor=actor, run_id=run.pk, stage="first")

    assert walked(run).status == "paused"
    assert Step.objects.get(run=run, kind="undo").status == "completed"


def test_taking_back_that_every_worker_dies_of_ends_too(actor, project, poison, monkeypatch):
    gives = WorkflowFunction("gives", "", {"type": "object"}, outside=lambda _call: Gave({"n": 1}))
    monkeypatch.setitem(workflow_functions._items, "gives", gives)
    body = {"do": [{"one": {"call": "gives", "metadata": {"parlance": {"compensate": [{"call": "poison"}]}}}}]}
    run = ran(actor, project, [{"first": {**body, **stage("First")}}, {"rest": {"wait": "PT1H"}}])
    services.roll_back(actor=actor, run_id=run.pk, stage="first")

    run = go_on(run)

    assert (run.status, len(poison)) == ("paused", CRASHES)
    row = Step.objects.get(run=run, kind="undo")
    assert (row.status, row.error["code"], "begun" in row.state) == ("failed", "worker_lost", False)


@pytest.mark.parametrize(
    "call",
    [
        {"method": "GET", "endpoint": "http://example.org/", "headers": {"X-Name": "${ .name }"}},
        {"method": "GET", "endpoint": "http://example.org/", "headers": {"X-Größe": "7"}},
    ],
)
def test_header_that_cannot_be_sent_is_an_error_of_the_document(actor, project, call):
    run = ran(actor, project, [{"a": {"call": "http", "with": call}}], {"name": "Tomás"})

    assert (run.status, run.error["code"], run.error["status"]) == ("failed", "cannot_be_sent", 400)


@pytest.mark.parametrize("wait", ["P900000000D", "P401D"])
def test_wait_beyond_all_measure_is_no_duration(actor, project, wait):
    run = ran(actor, project, [{"a": {"wait": wait}}])

    assert (run.status, run.error["title"]) == ("failed", "configuration")


def test_what_a_call_cost_before_it_failed_is_counted(actor, project, monkeypatch):

    def outside(_call):
        raise problems.problem("communication", 503, "Not now.", code="timeout", cost=Decimal("0.5"))

    monkeypatch.setitem(
        workflow_functions._items, "dear", WorkflowFunction("dear", "", {"type": "object"}, outside=outside)
    )
    run = ran(actor, project, [{"a": {"call": "dear"}}])

    assert (run.status, run.error["code"], run.cost) == ("failed", "timeout", Decimal("0.5"))
