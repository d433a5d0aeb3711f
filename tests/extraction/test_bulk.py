"""Records by the thousand: import with a dry run, change, delete, export, and the way back of each."""

import csv
import io
import json

import pytest

from apps.accounts.types import ProjectRole
from apps.bulk import engine
from apps.bulk import services as operations
from apps.bulk.models import Item
from apps.core.errors import Forbidden, Invalid
from apps.extraction import bulk_tables, selectors, services, tables
from apps.extraction.models import Duplicate, Record, RecordRevision
from apps.files import selectors as files
from apps.files import storage
from apps.files.models import File
from tests.accounts.factories import ProjectFactory, UserFactory
from tests.bulk.factories import counts, fresh, planned, ran, shown
from tests.conversations.factories import someone
from tests.extraction.factories import people, places, record
from tests.files.factories import upload

pytestmark = pytest.mark.django_db

TABLE = (
    "Name,Age,Born,Lives in\n"
    "Sarah Silva,28,1998-02-01,Lisbon\n"
    "Tomás Costa,old,1971-10-30,\n"
    "=Ana,3,,Nowhere\n"
    ",,,\n"
    "Zoe,5,,\n"
)


@pytest.fixture
def collection(me, project):
    return people(me, project)


def table(owner, project, content, name="people.csv"):
    return str(upload(owner, project, content.encode(), name).pk)


def undone(me, operation):
    back = operations.undo_operation(actor=me, operation_id=operation.pk)
    engine.plan_operation(operation_id=back.pk)
    engine.run_all()
    return fresh(back)


def imported(me, project, collection, attachment, **params):
    return ran(me, project, "records.import", collection=str(collection.pk), attachment=attachment, **params)


def test_dry_run_counts_and_shows_what_is_wrong_before_anything_is_written(me, owner, project, collection, client):
    attachment = table(owner, project, TABLE)

    operation = planned(
        me, project, "records.import", start=False, collection=str(collection.pk), attachment=attachment
    )

    found = operation.dry_run["found"]
    assert (operation.status, operation.total) == ("planned", 4)
    assert {name: found[name] for name in ("rows", "good", "bad", "blank")} == {
        "rows": 5, "good": 3, "bad": 1, "blank": 1,
    }  # fmt: skip
    assert found["columns"] == {"Name": "name", "Age": "age", "Born": "born", "Lives in": "lives_in"}
    assert [(each["column"], each["samples"][0]["row"], each["samples"][0]["value"]) for each in found["errors"]] == [
        ("Age", 3, "old")
    ]
    assert shown(operation, me)[0]["shown"]["name"] == "Sarah Silva"
    assert not Record.objects.exists()
    client.force_login(owner)
    page = client.get(f"/operations/{operation.pk}/").content.decode()
    assert "3 of 5 rows fit" in page
    assert "Row 3:" in page


def test_import_writes_what_fits_and_can_be_undone(me, owner, project, collection):
    lisbon = record(me, selectors.collections_by_slug(me, project.pk, ["places"])["places"], name="Lisbon")

    operation = imported(me, project, collection, table(owner, project, TABLE))

    rows = Record.objects.filter(collection=collection).order_by("title")
    assert operation.status == "completed_with_failures"
    assert counts(operation) == {"succeeded": 2, "failed": 2}
    assert [row.data for row in rows] == [
        {"name": "Sarah Silva", "age": 28, "born": "1998-02-01", "lives_in": str(lisbon.pk)},
        {"name": "Zoe", "age": 5},
    ]
    failed = Item.objects.filter(operation=operation, status="failed").order_by("number")
    assert [each.error_code for each in failed] == ["record_invalid", "record_invalid"]
    assert "Row 3" in failed[0].error_detail
    assert "“old”" in failed[0].error_detail

    back = undone(me, operation)

    assert (back.status, rows.filter(deleted_at=None).count()) == ("completed", 0)


def test_import_again_goes_into_what_is_there_and_back(me, owner, project, collection):
    first = record(me, collection, name="Sarah Silva", born="1998-02-01", tags=["a"])
    changed = record(me, collection, name="Zoe", age=4)
    attachment = table(
        owner, project, f"_id,name,born,age,tags\n,Sara Silva,1998-02-01,28,b\n{changed.pk},Zoe,,5,\n,Tom,,1,\n"
    )

    operation = imported(me, project, collection, attachment, on_duplicate="merge")

    assert Record.objects.get(pk=first.pk).data == {
        "name": "Sara Silva", "born": "1998-02-01", "age": 28, "tags": ["a", "b"],
    }  # fmt: skip
    assert Record.objects.get(pk=changed.pk).data["age"] == 5
    assert Record.objects.count() == 3

    services.change_record(actor=me, record_id=changed.pk, changes={"age": 6})
    back = undone(me, operation)

    assert (back.status, counts(back)) == ("completed_with_failures", {"succeeded": 2, "failed": 1})
    assert Item.objects.get(operation=back, status="failed").error_code == "record_changed_since"
    assert Record.objects.get(pk=first.pk).data == {"name": "Sarah Silva", "born": "1998-02-01", "tags": ["a"]}
    assert Record.objects.get(pk=changed.pk).data["age"] == 6


def test_rows_that_go_into_one_record_are_taken_back_together(me, owner, project, collection):
    there = record(me, collection, name="Zoe", age=4)
    rows = f"_id,name,born,age\n,Sarah Silva,1998-02-01,\n,Sarah Silva,1998-02-01,28\n{there.pk},,,5\n{there.pk},,,6\n"

    operation = imported(me, project, collection, table(owner, project, rows), on_duplicate="merge")
    assert (counts(operation), Record.objects.count()) == ({"succeeded": 4}, 2)
    back = undone(me, operation)

    assert (back.status, counts(back)) == ("completed", {"succeeded": 4})
    assert [row.data for row in Record.objects.filter(deleted_at=None)] == [{"name": "Zoe", "age": 4}]


def test_what_is_not_meant_any_more_is_left_alone(me, project, collection):
    first, second, third = (record(me, collection, name=name, age=1) for name in ("Ann", "Bob", "Cid"))
    of = {"collection": str(collection.pk), "start": False}
    by_condition = planned(me, project, "records.delete", where=["age:is:1"], **of)
    by_name = planned(me, project, "records.delete", ids=[str(third.pk)], **of)
    services.change_record(actor=me, record_id=first.pk, changes={"age": 2})
    services.change_record(actor=me, record_id=second.pk, changes={"is_alive": True})
    services.change_record(actor=me, record_id=third.pk, changes={"age": 2})

    for each in (by_condition, by_name):
        operations.start_operation(actor=me, operation_id=each.pk)
        engine.run_all()

    assert [counts(each) for each in (by_condition, by_name)] == [{"succeeded": 1, "skipped": 2}, {"skipped": 1}]
    assert {row.title for row in Record.objects.filter(deleted_at=None)} == {"Ann", "Cid"}


def test_odd_cells_hinder_no_other_row(me, owner, project, collection):
    rows = '{"name": "Ann\\u0000", "age": "3\\ud800", "x\\u0000": 1}\n{"name": "Bob", "age": 4}\n'

    operation = imported(me, project, collection, table(owner, project, rows, "people.jsonl"))

    assert counts(operation) == {"succeeded": 1, "failed": 1}
    assert [row.data for row in Record.objects.all()] == [{"name": "Bob", "age": 4}]


@pytest.mark.parametrize(("rule", "records", "pairs"), [("skip", 1, 0), ("new", 2, 0), ("list", 2, 1)])
def test_rule_of_duplicates_holds_for_each_row(me, owner, project, collection, rule, records, pairs):
    record(me, collection, name="Sarah Silva", born="1998-02-01")

    imported(me, project, collection, table(owner, project, "name,born\nSarah Silva,1998-02-01\n"), on_duplicate=rule)

    assert (Record.objects.count(), Duplicate.objects.count()) == (records, pairs)


def test_import_is_refused_before_a_row_is_read(me, owner, project, collection):
    attachment = table(owner, project, TABLE)
    mine = {"collection": str(collection.pk), "attachment": attachment}
    elsewhere = places(me, ProjectFactory(organization=project.organization))

    for field, params in (
        ("collection", mine | {"collection": str(elsewhere.pk)}),
        ("collection", mine | {"collection": "x"}),
        ("attachment", mine | {"attachment": "x"}),
        ("attachment", mine | {"attachment": table(owner := UserFactory(), ProjectFactory(owner=owner), "a\n1\n")}),
        ("columns", mine | {"columns": {"Name": "colour"}}),
        ("columns", mine | {"columns": {"Name": "name", "Age": "name"}}),
        ("columns", mine | {"columns": {"Nome": "name"}}),
        ("columns", mine | {"attachment": table(actor_owner(me), project, "colour\nred\n")}),
        ("on_duplicate", mine | {"on_duplicate": "guess"}),
        ("nonsense", mine | {"nonsense": 1}),
    ):
        with pytest.raises(Invalid) as refused:
            operations.create_operation(actor=me, project_id=project.pk, kind="records.import", params=params)
        assert refused.value.fields[0].field == f"params.{field}"
    viewer = someone(project, ProjectRole.VIEWER)
    with pytest.raises(Forbidden):
        operations.create_operation(actor=viewer, project_id=project.pk, kind="records.import", params=mine)


def actor_owner(me):
    from apps.accounts.models import User

    return User.objects.get(pk=me.user_id)


def test_change_of_many_and_back(me, project, collection):
    old = [record(me, collection, name=f"N{number}", age=number) for number in range(4)]

    operation = ran(
        me,
        project,
        "records.update",
        collection=str(collection.pk),
        where=["age:over:0"],
        data={"age": 3, "born": None},
    )

    assert counts(operation) == {"succeeded": 2, "skipped": 1}
    assert [Record.objects.get(pk=each.pk).data["age"] for each in old] == [0, 3, 3, 3]
    assert counts(undone(me, operation)) == {"succeeded": 2}
    assert [Record.objects.get(pk=each.pk).data["age"] for each in old] == [0, 1, 2, 3]
    assert RecordRevision.objects.filter(record=old[1]).count() == 3


def test_deletion_of_many_and_back(me, project, collection):
    old = [record(me, collection, name=f"N{number}") for number in range(3)]
    ids = [str(old[0].pk), str(old[2].pk)]

    operation = ran(me, project, "records.delete", collection=str(collection.pk), ids=ids)

    assert [row.title for row in selectors.list_records(collection=collection)] == ["N1"]
    assert undone(me, operation).status == "completed"
    assert selectors.list_records(collection=collection).count() == 3


def test_export_is_files_that_are_imported_again_the_same(me, owner, project, collection, monkeypatch):
    monkeypatch.setattr(bulk_tables, "RECORDS_A_FILE", 2)
    for number in range(5):
        record(me, collection, name=f"=N{number}", age=number)

    operation = ran(me, project, "records.export", collection=str(collection.pk), where=["age:under:3"], format="csv")

    made = [File.objects.get(pk=each.result["attachment"]) for each in Item.objects.order_by("number")]
    text = [storage.location(files.content_of(file).path).read_text("utf-8-sig") for file in made]
    rows = [row for each in text for row in csv.DictReader(io.StringIO(each))]
    assert operation.status == "completed"
    assert [(row["name"], row["age"]) for row in rows] == [("'=N0", "0"), ("'=N1", "1"), ("'=N2", "2")]
    assert made[1].name.startswith("people-")
    assert made[1].owner_id == owner.pk

    back = imported(me, project, collection, str(made[0].pk))

    assert counts(back) == {"skipped": 2}


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl", "xlsx"])
def test_export_of_large_records_is_more_files(me, project, collection, settings, kind):
    """Quotes within quotes make CSV half as long again; no file is larger than a file may be."""
    settings.PARLANCE_MAX_FILE_BYTES = 40_000
    for number in range(12):
        record(me, collection, name=f"N{number}", tags=['"' * 1500, "ä" * 1500])

    operation = ran(me, project, "records.export", collection=str(collection.pk), format=kind)

    items = Item.objects.order_by("number")
    made = [File.objects.get(pk=each.result["attachment"]) for each in items]
    assert (operation.status, len(made) >= 4) == ("completed", True)
    assert max(file.size for file in made) <= 40_000
    names = [
        row.values["name"]
        for file in made
        for row in tables.opened(storage.location(files.content_of(file).path), kind).rows()
    ]
    assert names == [f"N{number}" for number in range(12)]
    assert len({file.name for file in made}) == len(made)


def test_export_has_each_record_once_whatever_is_written_meanwhile(me, project, collection, monkeypatch):
    monkeypatch.setattr(bulk_tables, "RECORDS_A_FILE", 2)
    rows = [record(me, collection, name=f"N{number}") for number in range(6)]
    services.delete_record(actor=me, record_id=rows[1].pk)
    operation = operations.create_operation(
        actor=me,
        project_id=project.pk,
        kind="records.export",
        params={"collection": str(collection.pk), "format": "jsonl"},
    )
    engine.plan_operation(operation_id=operation.pk)

    services.restore_record(actor=me, record_id=rows[1].pk)
    services.delete_record(actor=me, record_id=rows[3].pk)
    record(me, collection, name="too late")
    operations.start_operation(actor=me, operation_id=operation.pk)
    engine.run_all()

    made = [File.objects.get(pk=each.result["attachment"]) for each in Item.objects.order_by("number")]
    text = [storage.location(files.content_of(file).path).read_text() for file in made]
    assert [[json.loads(line)["name"] for line in each.splitlines()] for each in text] == [
        ["N0", "N1", "N2"],
        ["N4"],
        ["N5"],
    ]
