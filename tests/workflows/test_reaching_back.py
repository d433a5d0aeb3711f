"""The way back and the end of a run reach what its steps began: runs inside it, and operations over many items."""

import pytest

from apps.bulk import engine as bulk_engine
from apps.bulk import services as operation_services
from apps.bulk.models import Operation
from apps.core.doors.bulk_kinds import BulkKind, Done, PlannedItem, bulk_kinds
from apps.core.errors import Invalid
from apps.extraction import services as records
from apps.extraction.models import Record
from apps.workflows import engine, services
from apps.workflows.models import Choice, Run, Step
from apps.workflows.types import RunState
from tests.extraction.factories import PEOPLE, people
from tests.workflows.factories import begun, defined, fresh, killed, ran, stage, step, tell, walked
from tests.workflows.test_out_of_time import overdue
from tests.workflows.test_rollback import change, make, there

pytestmark = pytest.mark.django_db

NOTE = {"call": "records.create", "with": {"collection": "people", "data": {"name": "${ .note }"}}}
INSIDE = [
    {"other": make("Tomás")},
    {"grown": change(age=21)},
    {"marked": {"set": {"note": "undone inside"}, "metadata": {"parlance": {"compensate": [NOTE]}}}},
]
BROKEN = {"type": "https://example.org/broken", "status": 500}
CALL = {"run": {"workflow": {"namespace": "tests", "name": "inner", "version": "1.0.0"}}}
AGE = {"kind": "records.update", "params": {"collection": "people", "data": {"age": 50}}}


def cast(*tasks):
    """A stage with these tasks between two of its own, and one that waits."""
    return [
        {"cast": {"do": [{"make": make("Sarah")}, *tasks], **stage("Cast")}},
        {"last": {"set": "${ . }", **stage("Last", manual=True)}},
    ]


def inner_of(run):
    return Run.objects.filter(parent=run).latest("created_at")


def operated(run):
    """Operations as far as they come, and the run."""
    for _round in range(5):
        for pk in Operation.objects.filter(status="draft").values_list("pk", flat=True):
            bulk_engine.plan_operation(operation_id=pk)
        bulk_engine.run_all()
        run = walked(run)
    return run


# Runs inside


def test_what_a_run_inside_did_is_taken_back_and_comes_again(actor, project):
    collection = people(actor, project)
    defined(actor, project, INSIDE, name="inner")
    run = ran(actor, project, cast({"inside": CALL}, {"after": make("Nuno")}))
    first = inner_of(run)
    assert (run.status, [row["name"] for row in there(collection)]) == ("waiting", ["Sarah", "Tomás", "Nuno"])

    services.roll_back(actor=actor, run_id=run.pk, stage="cast")
    run = walked(run)

    assert (run.status, fresh(first).status) == ("paused", "cancelled")
    assert [row["name"] for row in there(collection)] == ["undone inside"]
    assert step(first, "marked#undo/3.1").status == "completed"
    services.resume_run(actor=actor, run_id=run.pk)
    run = walked(run)
    assert (run.status, inner_of(run).status) == ("waiting", "completed")
    assert inner_of(run).pk != first.pk
    assert [row["name"] for row in there(collection)] == ["undone inside", "Sarah", "Tomás", "Nuno"]


def test_records_return_in_the_order_in_which_they_were_written(actor, project):
    """One record goes from the run to the one inside and back: each wrote it after the other."""
    collection = people(actor, project)
    inside = {"run": {"workflow": {**CALL["run"]["workflow"], "input": {"id": "${ .id }"}}}}
    defined(actor, project, [{"grown": change(age=21)}], name="inner")
    run = ran(actor, project, cast({"inside": inside}, {"older": change(age=22)}))
    assert there(collection) == [{"name": "Sarah", "age": 22}]

    services.roll_back(actor=actor, run_id=run.pk, stage="cast")

    assert walked(run).status == "paused"
    assert there(collection) == []
    assert not Step.objects.exclude(kept=[]).exists()


def test_run_inside_that_waits_is_cancelled_with_its_question(actor, project):
    people(actor, project)
    defined(actor, project, [{"ask": {"call": "ask", "with": {"question": "How old?"}}}], name="inner")
    run = ran(actor, project, cast({"inside": CALL}))
    assert (run.status, run.waits_for) == ("waiting", "run")

    services.roll_back(actor=actor, run_id=run.pk, stage="cast")

    assert (walked(run).status, inner_of(run).status) == ("paused", "cancelled")
    assert Choice.objects.get().status == "withdrawn"


def test_run_that_nobody_waits_for_goes_back_too(actor, project):
    collection = people(actor, project)
    defined(actor, project, INSIDE[:2], name="inner")
    run = ran(actor, project, cast({"inside": {"run": {**CALL["run"], "await": False}}}))
    assert [row["name"] for row in there(collection)] == ["Sarah", "Tomás"]

    services.roll_back(actor=actor, run_id=run.pk, stage="cast")

    assert (walked(run).status, there(collection)) == ("paused", [])


def test_what_the_run_inside_could_not_take_back_is_tried_again_from_outside(actor, project):
    people(actor, project)
    gone = {"call": "records.delete", "with": {"record": "${ .record }"}}
    task = {"set": {"record": "nobody"}, "metadata": {"parlance": {"compensate": [gone]}}}
    defined(actor, project, [{"marked": task}], name="inner")
    run = ran(actor, project, cast({"inside": CALL}))
    services.roll_back(actor=actor, run_id=run.pk, stage="cast")
    run = walked(run)
    undo = Step.objects.get(run=run, kind="undo", state__back="run")
    assert (run.status, undo.status, undo.error["code"]) == ("paused", "failed", "not_all_taken_back")
    with pytest.raises(RunState):
        services.resume_run(actor=actor, run_id=inner_of(run).pk)

    row = Record.objects.filter(title="Sarah").latest("created_at")
    records.restore_record(actor=actor, record_id=row.pk)
    inside = Step.objects.get(run=inner_of(run), kind="undo")
    Step.objects.filter(pk=inside.pk).update(state={**inside.state, "with": {"record": str(row.pk)}})
    services.retry_run(actor=actor, run_id=run.pk)
    run = walked(run)

    assert (run.status, inner_of(run).status) == ("paused", "cancelled")
    assert set(Step.objects.filter(kind="undo").values_list("status", flat=True)) == {"completed"}
    assert not Record.objects.filter(deleted_at=None).exists()


@pytest.mark.django_db(transaction=True)
def test_worker_killed_anywhere_on_the_way_back_takes_all_back_once(actor, project):
    collection = people(actor, project)
    defined(actor, project, INSIDE, name="inner")
    run = ran(actor, project, cast({"inside": CALL}, {"after": make("Nuno")}))
    services.roll_back(actor=actor, run_id=run.pk, stage="cast")

    for _death in range(4):
        for each in (run, inner_of(run)):
            killed(each, 1)
            tell()
    for _round in range(6):
        for each in (run, inner_of(run)):
            engine.go_on(each.pk)
        tell()

    assert (fresh(run).status, inner_of(run).status) == ("paused", "cancelled")
    assert [row["name"] for row in there(collection)] == ["undone inside"]


def test_fork_takes_nothing_back_that_the_other_run_did(actor, project):
    collection = people(actor, project)
    defined(actor, project, INSIDE, name="inner")
    run = ran(actor, project, cast({"inside": CALL}))
    other = walked(services.fork_run(actor=actor, run_id=run.pk, number=step(run, "last#gate").number))
    assert other.status == "waiting"

    services.roll_back(actor=actor, run_id=other.pk, stage="cast")

    assert (walked(other).status, inner_of(run).status) == ("paused", "completed")
    assert [row["name"] for row in there(collection)] == ["Sarah", "Tomás"]


# Operations


def test_what_an_operation_did_is_undone_between_the_steps_before_and_after(actor, project):
    collection = people(actor, project)
    records.create_record(actor=actor, collection_id=collection.pk, data={"name": "Inês", "age": 8})
    do = cast({"all": {"call": "bulk", "with": AGE}}, {"after": make("Nuno")})
    run = operated(ran(actor, project, do))
    assert [row.get("age") for row in there(collection)] == [50, 50, None]

    services.roll_back(actor=actor, run_id=run.pk, stage="cast")
    run = walked(run)
    assert (run.status, run.waits_for) == ("waiting", "undo")
    run = operated(run)

    assert (run.status, there(collection)) == ("paused", [{"name": "Inês", "age": 8}])
    undo = Step.objects.get(run=run, kind="undo", state__back="operation")
    assert (undo.status, undo.output["undone"], undo.output["kept"]) == ("completed", 2, 0)
    services.resume_run(actor=actor, run_id=run.pk)
    assert operated(run).status == "waiting"
    assert [row.get("age") for row in there(collection)] == [50, 50, None]


def test_operation_under_way_is_cancelled_with_the_run(actor, project):
    collection = people(actor, project)
    records.create_record(actor=actor, collection_id=collection.pk, data={"name": "Inês", "age": 8})
    run = ran(actor, project, cast({"all": {"call": "bulk", "with": AGE}}))
    assert (run.status, run.waits_for) == ("waiting", "bulk")

    services.cancel_run(actor=actor, run_id=run.pk)

    operated(run)
    assert Operation.objects.get().status == "cancelled"
    assert there(collection)[0]["age"] == 8


def test_operation_under_way_is_cancelled_on_the_way_back(actor, project):
    collection = people(actor, project)
    run = ran(actor, project, cast({"all": {"call": "bulk", "with": {**AGE, "start": False}}}))
    bulk_engine.plan_operation(operation_id=Operation.objects.get().pk)

    services.roll_back(actor=actor, run_id=run.pk, stage="cast")

    assert (operated(run).status, there(collection)) == ("paused", [])
    assert Operation.objects.get().status == "cancelled"


def test_time_that_is_over_cancels_what_the_step_began(actor, project):
    people(actor, project)
    defined(actor, project, [{"ask": {"call": "ask", "with": {"question": "How old?"}}}], name="inner")
    late = {"do": [{"inside": CALL}], "timeout": {"after": {"milliseconds": 1}}}

    run = ran(actor, project, [{"late": late}])

    assert (run.status, run.error["code"], inner_of(run).status) == ("failed", "timeout", "cancelled")


@pytest.fixture
def one_way(monkeypatch):
    """A kind of operation that knows no way back."""
    kind = BulkKind(
        "sample.forever", "Forever", lambda _scope: iter([PlannedItem({"n": 1})]), lambda _work, _found: Done()
    )
    monkeypatch.setitem(bulk_kinds._items, kind.name, kind)
    return kind.name


def test_what_cannot_be_undone_is_named(actor, api, project, one_way, client, owner):
    people(actor, project)
    run = operated(ran(actor, project, cast({"all": {"call": "bulk", "with": {"kind": one_way}}})))
    assert run.status == "waiting"

    services.roll_back(actor=actor, run_id=run.pk, stage="cast")
    run = operated(run)

    said = api.get(f"/api/v1/runs/{run.pk}/").json()
    operation = Operation.objects.get()
    assert (said["status"], [(each["what"], each["id"], each["code"], each["count"]) for each in said["kept"]]) == (
        "paused", [("operation", str(operation.pk), "undo_not_possible", 1)],
    )  # fmt: skip
    client.force_login(owner)
    page = client.get(f"/runs/{run.pk}/").content.decode()
    assert "What stays though it was rolled back" in page
    assert f"/operations/{operation.pk}/" in page


def test_record_that_somebody_changed_since_is_named(actor, api, project):
    collection = people(actor, project)
    run = ran(actor, project, cast())
    row = Record.objects.get(collection=collection)
    records.change_record(actor=actor, record_id=row.pk, changes={"age": 3})

    services.roll_back(actor=actor, run_id=run.pk, stage="cast")

    (kept,) = api.get(f"/api/v1/runs/{run.pk}/").json()["kept"]
    assert (kept["what"], kept["id"], kept["code"], kept["path"]) == (
        "record", str(row.pk), "record_changed_since", "cast/do/make",
    )  # fmt: skip
    steps = api.get(f"/api/v1/runs/{run.pk}/steps/").json()["results"]
    assert [each["path"] for each in steps if each["kept"]] == ["cast/do/make"]


def test_items_that_somebody_changed_since_stay_and_are_named(actor, api, project):
    collection = people(actor, project)
    records.create_record(actor=actor, collection_id=collection.pk, data={"name": "Inês", "age": 8})
    run = operated(ran(actor, project, cast({"all": {"call": "bulk", "with": AGE}})))
    changed = Record.objects.get(title="Inês")
    records.change_record(actor=actor, record_id=changed.pk, changes={"age": 9})

    services.roll_back(actor=actor, run_id=run.pk, stage="cast")
    run = operated(run)

    assert (run.status, there(collection)) == ("paused", [{"name": "Inês", "age": 9}])
    kept = api.get(f"/api/v1/runs/{run.pk}/").json()["kept"]
    assert [(each["what"], each["code"], each["count"]) for each in kept] == [("operation", "record_changed_since", 1)]


def test_editor_who_sees_no_operation_of_others_rolls_it_back_with_the_run(actor, project):
    """It is undone for whom the run acts."""
    from tests.accounts.factories import actor_of, add_to_project, member_of

    editor = member_of(project)
    add_to_project(editor, project, role="editor")
    collection = people(actor, project)
    run = operated(ran(actor, project, cast({"all": {"call": "bulk", "with": AGE}})))

    services.roll_back(actor=actor_of(editor), run_id=run.pk, stage="cast")

    assert (operated(run).status, there(collection)) == ("paused", [])


def test_cancelled_run_is_rolled_back_and_goes_forward_again(actor, project):
    collection = people(actor, project)
    run = begun(actor, project, cast())
    walked(run)
    services.cancel_run(actor=actor, run_id=run.pk)

    services.roll_back(actor=actor, run_id=run.pk, stage="cast")
    services.resume_run(actor=actor, run_id=run.pk)

    assert (walked(run).status, len(there(collection))) == ("waiting", 1)


# Tried again


def failing_inside(actor, project):
    """A run whose run inside made a record, and then failed at one that is deleted."""
    collection = people(actor, project)
    nuno = records.create_record(actor=actor, collection_id=collection.pk, data={"name": "Nuno", "age": 8})
    records.delete_record(actor=actor, record_id=nuno.pk)
    grown = {"call": "records.update", "with": {"record": "${ $workflow.input.id }", "data": {"age": 21}}}
    defined(actor, project, [{"other": make("Tomás")}, {"grown": grown}], name="inner")
    inside = {"run": {"workflow": {**CALL["run"]["workflow"], "input": {"id": "${ $workflow.input.id }"}}}}
    run = ran(actor, project, cast({"inside": inside}, {"after": make("Inês")}), {"id": str(nuno.pk)})
    assert (run.status, inner_of(run).status) == ("failed", "failed")
    assert [row["name"] for row in there(collection)] == ["Sarah", "Tomás"]
    return collection, nuno, run


def test_run_inside_that_failed_goes_on_where_it_failed(actor, project):
    collection, nuno, run = failing_inside(actor, project)
    records.restore_record(actor=actor, record_id=nuno.pk)

    services.retry_run(actor=actor, run_id=run.pk)
    run = walked(run)

    assert (run.status, inner_of(run).status) == ("waiting", "completed")
    assert Run.objects.filter(parent=run).count() == 1
    assert [row["name"] for row in there(collection)] == ["Nuno", "Sarah", "Tomás", "Inês"]
    services.roll_back(actor=actor, run_id=run.pk, stage="cast")
    assert walked(run).status == "paused"
    assert there(collection) == [{"name": "Nuno", "age": 8}]


def test_run_inside_that_fails_again_fails_the_run_again(actor, project):
    collection, _nuno, run = failing_inside(actor, project)

    services.retry_run(actor=actor, run_id=run.pk)
    run = walked(run)

    assert (run.status, Run.objects.filter(parent=run).count()) == ("failed", 1)
    services.roll_back(actor=actor, run_id=run.pk, stage="cast")
    assert (walked(run).status, there(collection)) == ("paused", [])


def test_run_inside_that_somebody_cancelled_is_another_one(actor, project):
    collection, nuno, run = failing_inside(actor, project)
    services.cancel_run(actor=actor, run_id=inner_of(run).pk)
    records.restore_record(actor=actor, record_id=nuno.pk)

    services.retry_run(actor=actor, run_id=run.pk)
    run = walked(run)

    assert (run.status, Run.objects.filter(parent=run).count()) == ("waiting", 2)
    services.roll_back(actor=actor, run_id=run.pk, stage="cast")
    assert walked(run).status == "paused"
    assert there(collection) == [{"name": "Nuno", "age": 8}]


def test_what_was_begun_before_the_time_was_over_is_taken_back_too(actor, project):
    """Once by the operation whose time was over, and once by the one that came when somebody tried again."""
    collection = people(actor, project)
    defined(actor, project, [{"other": make("Tomás")}, {"rest": {"wait": "PT1H"}}], name="inner")
    late = {"do": [{"inside": {**CALL, "timeout": {"after": {"hours": 1}}}}]}
    run = ran(actor, project, cast({"late": late}))
    assert (run.status, [row["name"] for row in there(collection)]) == ("waiting", ["Sarah", "Tomás"])
    overdue(run, "cast/do/late/do/inside")
    run = walked(run)
    assert (run.status, run.error["code"], inner_of(run).status) == ("failed", "timeout", "cancelled")
    services.retry_run(actor=actor, run_id=run.pk)
    run = walked(run)
    assert [row["name"] for row in there(collection)] == ["Sarah", "Tomás", "Tomás"]

    services.roll_back(actor=actor, run_id=run.pk, stage="cast")

    assert (walked(run).status, there(collection)) == ("paused", [])


# Failed and left


def test_run_that_failed_is_cancelled_with_what_it_began(actor, project, client, owner):
    people(actor, project)
    defined(actor, project, [{"ask": {"call": "ask", "with": {"question": "How old?"}}}], name="inner")
    branches = [{"inside": CALL}, {"all": {"call": "bulk", "with": AGE}}, {"no": {"raise": {"error": BROKEN}}}]
    run = ran(actor, project, cast({"both": {"fork": {"branches": branches}}}))
    assert (run.status, inner_of(run).status, Operation.objects.get().status) == ("failed", "waiting", "draft")
    client.force_login(owner)
    assert f"/runs/{run.pk}/cancel/" in client.get(f"/runs/{run.pk}/").content.decode()

    services.cancel_run(actor=actor, run_id=run.pk)

    assert (fresh(run).status, inner_of(run).status) == ("cancelled", "cancelled")
    assert Operation.objects.get().status == "cancelled"
    assert not Choice.objects.filter(status="open").exists()


# Operations that made nothing


def made_nothing(actor, project, **given):
    """A run at an operation over one record, which somebody cancels."""
    collection = people(actor, project)
    run = ran(actor, project, cast({"all": {"call": "bulk", "with": {**AGE, "start": False, **given}}}))
    bulk_engine.plan_operation(operation_id=Operation.objects.get().pk)
    operation_services.cancel_operation(actor=actor, operation_id=Operation.objects.get().pk)
    return collection, operated(run)


def test_operation_that_made_nothing_is_a_failed_step(actor, project):
    collection, run = made_nothing(actor, project)

    assert (run.status, run.error["code"]) == ("failed", "operation_failed")
    services.retry_run(actor=actor, run_id=run.pk)
    run = walked(run)
    assert (run.status, Operation.objects.count()) == ("waiting", 2)
    operation_services.start_operation(actor=actor, operation_id=planned().pk)
    assert operated(run).waits_for == "stage"
    assert [row.get("age") for row in there(collection)] == [50]


def planned():
    row = Operation.objects.latest("created_at")
    bulk_engine.plan_operation(operation_id=row.pk)
    return row


def test_operation_that_may_make_nothing_gives_what_came_of_it(actor, project):
    _collection, run = made_nothing(actor, project, require="none")

    assert (run.status, run.waits_for) == ("waiting", "stage")
    assert step(run, "cast/do/all").output["status"] == "cancelled"


@pytest.mark.parametrize(
    ("bad", "require", "status", "code"),
    [
        (1, "some", "waiting", None),
        (1, "all", "failed", "operation_failed"),
        (2, "some", "failed", "operation_failed"),
        (2, "none", "waiting", None),
    ],
)
def test_operation_that_is_not_all_done(actor, project, monkeypatch, bad, require, status, code):
    def apply(work, _found):
        if work.payload["n"] <= bad:
            raise Invalid
        return Done()

    people(actor, project)
    items = [PlannedItem({"n": 1}), PlannedItem({"n": 2})]
    kind = BulkKind("sample.half", "Half", lambda _scope: iter(items), apply)
    monkeypatch.setitem(bulk_kinds._items, kind.name, kind)
    call = {"call": "bulk", "with": {"kind": kind.name, "require": require}}

    run = operated(ran(actor, project, cast({"all": call})))

    operation = Operation.objects.get()
    assert (operation.failed, operation.status) == (bad, "completed_with_failures")
    assert (run.status, run.error.get("code")) == (status, code)


def test_operation_with_nothing_to_do_is_done(actor, project):
    people(actor, project)
    other = records.create_collection(actor=actor, project_id=project.pk, name="Nobody", document=PEOPLE)
    nobody = {**AGE, "params": {**AGE["params"], "collection": other.slug}}

    run = operated(ran(actor, project, cast({"all": {"call": "bulk", "with": nobody}})))

    assert (run.status, run.waits_for, Operation.objects.get().total) == ("waiting", "stage", 0)
