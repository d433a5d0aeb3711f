"""What a run did elsewhere is taken back, the last first, once, and what came of it is kept."""

import json

import pytest

from apps.extraction.models import Record
from apps.workflows import engine, services
from apps.workflows.models import Run, Step
from apps.workflows.types import DefinitionRejected, RunState
from tests.extraction.factories import people
from tests.workflows.factories import defined, fresh, killed, ran, stage, walked
from tests.workflows.office import Office, opened

pytestmark = pytest.mark.django_db


class Bookings(Office):
    """Books and cancels over HTTP. ``refuses``: the statuses of its next answers to cancellations."""

    def __init__(self):
        super().__init__()
        self.seen, self.keys, self.refuses = [], [], []

    def answer(self, path, headers, body):
        said = json.loads(body)
        self.seen.append((path, said))
        self.keys.append((path, headers["Idempotency-Key"]))
        status = self.refuses.pop(0) if path == "/cancel" and self.refuses else 200
        return status, {"booking": f"for {said.get('who')}"}, {}


@pytest.fixture
def office(settings):
    with opened(Bookings(), settings) as found:
        yield found


def post(office, path, body):
    return {"call": "http", "with": {"method": "POST", "endpoint": f"{office.url}{path}", "body": body}}


def book(office, who, *more):
    """A booking that is cancelled on the way back by what the office called it."""
    way_back = [post(office, "/cancel", {"booking": "${ .booking }", "asked": "${ $input.film }"}), *more]
    return {**post(office, "/book", {"who": who}), "metadata": {"parlance": {"compensate": way_back}}}


def two_bookings(office):
    inside = {"call": "records.create", "with": {"collection": "people", "data": {"name": "${ .booking }"}}}
    return [
        {"first": {"do": [{"room": book(office, "room")}, {"again": {"set": {"film": "Ledger"}}}], **stage("First")}},
        {"second": {"do": [{"car": book(office, "car", inside)}], **stage("Second")}},
        {"last": {"set": {"n": 1}, **stage("Last", manual=True)}},
    ]


def undone(run):
    rows = Step.objects.filter(run=run, kind="undo").order_by("number")
    return [(row.path.partition("#")[0], row.status, row.attempts) for row in rows]


def names():
    return list(Record.objects.filter(deleted_at=None).order_by("created_at").values_list("title", flat=True))


def test_effects_elsewhere_are_taken_back_the_last_first(actor, project, office):
    people(actor, project)
    run = ran(actor, project, two_bookings(office), {"film": "Harbour"})
    assert (run.status, run.stage) == ("waiting", "second")

    back = services.roll_back(actor=actor, run_id=run.pk, stage="first")
    assert (back.status, back.is_unwinding) == ("queued", True)
    run = walked(run)

    assert (run.status, run.is_unwinding, run.stage) == ("paused", False, "")
    assert [body for path, body in office.seen if path == "/cancel"] == [
        {"booking": "for car", "asked": "Ledger"},
        {"booking": "for room", "asked": "Harbour"},
    ]
    assert undone(run) == [
        ("second/do/car", "completed", 1),
        ("second/do/car", "completed", 1),
        ("first/do/room", "completed", 1),
    ]
    assert names() == ["for car"]  # what takes back may write, too


def test_run_goes_forward_again_and_its_calls_are_new_ones(actor, project, office):
    people(actor, project)
    run = ran(actor, project, two_bookings(office))
    services.roll_back(actor=actor, run_id=run.pk, stage="second")
    walked(run)
    services.resume_run(actor=actor, run_id=run.pk)
    run = walked(run)

    assert (run.status, run.stage) == ("waiting", "second")
    booked = [key for path, key in office.keys if path == "/book"]
    assert len(booked) == len(set(booked)) == 3
    services.roll_back(actor=actor, run_id=run.pk, stage="second")
    assert walked(run).status == "paused"
    assert [path for path, _body in office.seen] == ["/book", "/book", "/cancel", "/book", "/cancel"]


def test_what_passes_is_tried_again_and_what_does_not_stops_nothing(actor, project, office):
    people(actor, project)
    run = ran(actor, project, two_bookings(office))
    office.refuses = [503, 200, 403]
    services.roll_back(actor=actor, run_id=run.pk, stage="first")
    run = walked(run)
    assert (run.status, run.waits_for, undone(run)[0]) == ("waiting", "undo", ("second/do/car", "running", 2))

    for row in Step.objects.filter(run=run, kind="undo"):
        row.state.pop("until", None)
        row.save()
    Run.objects.filter(pk=run.pk).update(status="queued", wake_at=None)
    run = walked(run)
    assert (run.status, [status for _path, status, _attempts in undone(run)]) == (
        "paused", ["completed", "completed", "failed"],
    )  # fmt: skip
    assert Step.objects.get(run=run, kind="undo", status="failed").error["status"] == 403

    services.retry_run(actor=actor, run_id=run.pk)
    run = walked(run)
    assert (run.status, undone(run)[2]) == ("paused", ("first/do/room", "completed", 1))


def test_nobody_goes_further_back_while_effects_are_taken_back(actor, project, office):
    people(actor, project)
    run = ran(actor, project, two_bookings(office))
    services.roll_back(actor=actor, run_id=run.pk, stage="second")

    with pytest.raises(RunState):
        services.roll_back(actor=actor, run_id=run.pk, stage="first")

    assert walked(run).status == "paused"
    services.roll_back(actor=actor, run_id=run.pk, stage="first")
    assert walked(run).status == "paused"
    assert [status for _path, status, _attempts in undone(run)] == ["completed"] * 3


@pytest.mark.parametrize("call", ["choose", "bulk", "nothing"])
def test_what_waits_takes_nothing_back(actor, project, call):
    task = {"set": {"n": 1}, "metadata": {"parlance": {"compensate": [{"call": call}]}}}

    with pytest.raises(DefinitionRejected) as refused:
        defined(actor, project, [{"one": task}])

    assert [error.field for error in refused.value.fields] == ["/do/0/one/metadata/parlance/compensate/0/call"]


def test_expressions_of_the_way_back_are_read_before(actor, project):
    said = [{"call": "records.delete", "with": {"record": "${ .id | }"}}]

    with pytest.raises(DefinitionRejected) as refused:
        defined(actor, project, [{"one": {"set": {"n": 1}, "metadata": {"parlance": {"compensate": said}}}}])

    assert [error.field for error in refused.value.fields] == [
        "/do/0/one/metadata/parlance/compensate/0/with/record"
    ]  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_worker_killed_on_the_way_back_takes_nothing_back_twice(actor, project):
    """A record is written by each of two; the worker dies where the second is committed."""
    people(actor, project)
    note = {"call": "records.create", "with": {"collection": "people", "data": {"name": "${ .name }"}}}
    task = {"set": {"name": "undone"}, "metadata": {"parlance": {"compensate": [note]}}}
    do = [{"all": {"do": [{"a": task}, {"b": {**task, "set": {"name": "undone b"}}}], **stage("All")}}]
    run = ran(actor, project, do)
    services.roll_back(actor=actor, run_id=run.pk, stage="all")

    assert killed(run, 3)
    engine.go_on(run.pk)

    assert fresh(run).status == "paused"
    assert names() == ["undone b", "undone"]


def test_run_is_not_cancelled_while_effects_are_taken_back(actor, project, office):
    people(actor, project)
    run = ran(actor, project, two_bookings(office), {"film": "Harbour"})
    services.roll_back(actor=actor, run_id=run.pk, stage="second")

    with pytest.raises(RunState):
        services.cancel_run(actor=actor, run_id=run.pk)
    walked(run)

    assert [path for path, _body in office.seen].count("/cancel") == 1
    assert services.cancel_run(actor=actor, run_id=run.pk).status == "cancelled"
