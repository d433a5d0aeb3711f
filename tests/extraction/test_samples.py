"""What an operation shows of its first records before it begins: before and after, and what goes with what is deleted."""

from dataclasses import replace
from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.db.models.functions import Now
from django.test import Client

from apps.accounts.types import SYSTEM
from apps.bulk import policies as bulk_policies
from apps.bulk import samples as bulk_samples
from apps.bulk.topics import OperationTopic
from apps.core.doors.bulk_kinds import bulk_kinds
from apps.extraction import selectors, services
from apps.extraction.models import Record
from tests.accounts.factories import actor_of, bearer, key_of, reader_of
from tests.bulk.factories import fresh, planned, ran, shown
from tests.extraction.factories import people, record
from tests.extraction.making import demo
from tests.files.factories import upload

__all__ = ["demo"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def collection(me, project):
    return people(me, project, unique_keys=[["name"]])


def samples(me, project, kind, collection, **params):
    operation = planned(me, project, kind, start=False, collection=str(collection.pk), **params)
    return operation, shown(operation, me)


def said(sample):
    return [(each["field"], each["before"], each["after"]) for each in sample["changes"]]


def test_change_shows_fields_before_and_after(me, owner, project, collection, client):
    there = selectors.collections_by_slug(me, project.pk, ["places"])["places"]
    lisbon, porto = record(me, there, name="Lisbon"), record(me, there, name="Porto")
    ana = record(me, collection, name="Ana", age=3, lives_in=str(lisbon.pk))
    record(me, collection, name="Rui", age=4)

    operation, found = samples(
        me, project, "records.update", collection, data={"age": 4, "lives_in": str(porto.pk), "born": None}
    )

    assert [each["shown"] for each in found] == [{"title": "Ana"}, {"title": "Rui"}]
    assert said(found[0]) == [("age", 3, 4), ("lives_in", "Lisbon", "Porto")]
    assert said(found[1]) == [("lives_in", None, "Porto")]
    assert "note" not in found[0]
    assert Record.objects.get(pk=ana.pk).data["age"] == 3
    api = Client(headers=bearer(key_of(owner, project.organization)))
    told = api.get(f"/api/v1/bulk-operations/{operation.pk}/").json()["dry_run"]["samples"][0]["changes"]
    assert told[0] == {"field": "age", "title": "Age", "before": 3, "after": 4, "is_known": True}
    client.force_login(owner)
    page = " ".join(client.get(f"/operations/{operation.pk}/").content.decode().split())
    assert '<span class="soft">Age</span> <del><span class="sr">before:</span> 3</del>' in page
    assert '<ins><span class="sr">after:</span> Porto</ins>' in page


@pytest.mark.parametrize(
    ("data", "note"),
    [
        ({"age": 3}, "No field of it changes."),
        ({"age": -1}, "It would be refused: age: "),
        ({"name": "Rui"}, "It would be refused: name: Another record has these values."),
    ],
)
def test_change_that_is_none_or_would_be_refused_says_so(me, project, collection, data, note):
    record(me, collection, name="Ana", age=3)
    record(me, collection, name="Rui")

    _operation, found = samples(me, project, "records.update", collection, data=data)

    assert found[0]["note"].startswith(note)


def test_deletion_shows_what_goes_with_it(me, owner, project, collection, client):
    ana = record(me, collection, name="Ana", age=3, tags=["a", "b"])
    record(me, collection, name="Rui", siblings=[str(ana.pk)])
    record(me, collection, name="Eva", siblings=[str(ana.pk)])
    services.add_comment(actor=me, record_id=ana.pk, text="Ask her.")

    operation, found = samples(me, project, "records.delete", collection, ids=[str(ana.pk)])

    assert said(found[0]) == [("name", "Ana", None), ("age", 3, None), ("tags", ["a", "b"], None)]
    assert found[0]["goes_along"] == [
        {"what": "Records that point to it, and show that it is gone", "count": 2},
        {"what": "Comments", "count": 1},
    ]
    client.force_login(owner)
    page = client.get(f"/operations/{operation.pk}/").content.decode()
    assert 'Comments: <b class="num">1</b>' in page


def test_row_that_names_its_record_shows_the_change(me, owner, project, collection):
    ana = record(me, collection, name="Ana", age=3)
    content = f"_id,name,age\n{ana.pk},Ana,4\n,Rui,5\n".encode()

    _operation, found = samples(
        me,
        project,
        "records.import",
        collection,
        attachment=str(upload(owner, project, content, "people.csv").pk),
        on_duplicate="merge",
    )

    assert said(found[0]) == [("age", 3, 4)]
    assert (found[0]["shown"], found[1]["shown"]) == ({"row": 2, "title": "Ana"}, {"row": 3, "name": "Rui", "age": 5})
    assert found[1]["note"] == "Whether such a record is there already is decided when the row is written."


def test_what_a_model_decides_is_said_not_to_be_known(me, owner, project, collection, demo, client):
    record(me, collection, name="Ana", age=3)

    operation, found = samples(me, project, "records.prompt", collection, prompt="How old is {name}?", into="age")

    assert found[0]["changes"] == [
        {"field": "age", "title": "Age", "before": 3, "after": None, "is_known": False}
    ]  # fmt: skip
    assert found[0]["note"] == "What the model answers is not known before."
    client.force_login(owner)
    assert "not known before" in client.get(f"/operations/{operation.pk}/").content.decode()
    _operation, told = samples(me, project, "records.prompt", collection, prompt="How old is {name}?")
    assert told[0]["note"].startswith("The answer becomes a comment.")
    made, told = samples(me, project, "records.create", collection, brief="Sailors", count=2)
    assert told[0]["note"] == "What the model makes up is not known before."
    assert fresh(made).status == "planned"


def test_record_that_follows_a_new_schema_shows_what_it_becomes(me, project, collection):
    record(me, collection, name="Ana", age=3)
    document = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "years": {"type": "string", "x-was": "age"}},
        "required": ["name"],
    }
    services.change_collection(actor=me, collection_id=collection.pk, changes={"document": document})

    _operation, found = samples(me, project, "records.migrate", collection)

    assert sorted(said(found[0])) == [("age", 3, None), ("years", None, "3")]


def test_who_may_not_read_records_reads_none_in_operations(me, owner, project, collection):
    """A key that watches operations: their states and counts, nothing of what they are about."""
    ana = record(me, collection, name="Ana Secret", age=3)
    waiting, _found = samples(me, project, "records.update", collection, data={"name": "Ana Hidden"}, ids=[str(ana.pk)])
    content = b"name,age\nRui,Secret\nEva Secret,4\n"
    attachment = str(upload(owner, project, content, "people.csv").pk)
    done = ran(me, project, "records.import", collection=str(collection.pk), attachment=attachment)
    watcher, reader = (
        Client(headers=bearer(key_of(owner, project.organization, scopes=scopes)))
        for scopes in (("bulk:read",), ("bulk:read", "records:read"))
    )
    told = {}
    for name, api in (("watcher", watcher), ("reader", reader)):
        pages = [
            api.get("/api/v1/bulk-operations/"),
            *(
                api.get(f"/api/v1/bulk-operations/{pk}/{rest}")
                for pk in (waiting.pk, done.pk)
                for rest in ("", "items/")
            ),
        ]
        files = [api.get(f"/api/v1/bulk-operations/{done.pk}/results/", {"format": each}) for each in ("csv", "jsonl")]
        assert {each.status_code for each in (*pages, *files)} == {200}
        told[name] = [each.content.decode() for each in pages] + [
            b"".join(each.streaming_content).decode() for each in files
        ]

    assert all("Secret" in each or "Hidden" in each for each in told["reader"])
    assert not any("Secret" in each or "Hidden" in each for each in told["watcher"])
    said = watcher.get(f"/api/v1/bulk-operations/{waiting.pk}/").json()
    assert (said["is_withheld"], said["params"], said["dry_run"]["samples"], said["dry_run"]["total"]) == (
        True,
        {},
        [],
        1,
    )
    failed = watcher.get(f"/api/v1/bulk-operations/{done.pk}/items/", {"status": "failed"}).json()["results"]
    assert [(each["code"], each["detail"], each["payload"]) for each in failed] == [("record_invalid", "", {})]
    assert reader.get(f"/api/v1/bulk-operations/{waiting.pk}/").json()["is_withheld"] is False


def test_live_followers_are_told_what_they_may_read(me, project, collection):
    record(me, collection, name="Ana", age=3)
    operation, _found = samples(me, project, "records.update", collection, data={"name": "Ana Hidden"})
    watcher = replace(me, scopes=frozenset({"bulk:read"}))
    topic = OperationTopic()

    told = [topic.snapshot(each, operation.pk).data["operation"]["params"] for each in (me, watcher)]

    assert (told[0]["data"], told[1]) == ({"name": "Ana Hidden"}, {})
    assert topic.audience(me, operation.pk, []) != topic.audience(watcher, operation.pk, [])


def test_samples_are_made_for_whoever_looks(me, project, collection):
    """A manager looks at what another asked for: the record changed since, and it points to what only the other sees."""
    there = selectors.collections_by_slug(me, project.pk, ["places"])["places"]
    lisbon = record(me, there, name="Lisbon")
    ana = record(me, collection, name="Ana", age=3, lives_in=str(lisbon.pk))
    operation, found = samples(me, project, "records.update", collection, data={"age": 4, "lives_in": None})
    assert said(found[0]) == [("age", 3, 4), ("lives_in", "Lisbon", None)]

    services.change_record(actor=me, record_id=ana.pk, changes={"age": 5})
    only_reads = replace(me, scopes=frozenset({"bulk:read", "records:read"}))
    assert said(shown(operation, only_reads)[0])[0] == ("age", 5, 4)
    services.change_collection(actor=me, collection_id=collection.pk, changes={"visibility": "named"})
    closed = shown(operation, actor_of(reader_of(project)))
    assert [(each["shown"], each.get("changes")) for each in closed] == [({}, None)]


def test_of_a_record_that_is_gone_nothing_is_shown(me, project, collection, demo):
    """Erased or deleted: samples are kept nowhere."""
    ana = record(me, collection, name="Ana Secret", age=3)
    for kind, more in (
        ("records.update", {"data": {"age": 4}}),
        ("records.delete", {}),
        ("records.prompt", {"prompt": "{name}?", "into": "age"}),
    ):
        operation, found = samples(me, project, kind, collection, ids=[str(ana.pk)], **more)
        assert "Ana Secret" in str(found)
        assert "Ana Secret" not in str(operation.dry_run)
        services.delete_record(actor=me, record_id=ana.pk)
        Record.objects.update(deleted_at=Now() - timedelta(days=31))
        if kind == "records.prompt":
            services.erase_deleted(actor=SYSTEM)
            assert not Record.objects.filter(pk=ana.pk).exists()

        assert [(each["shown"], each["note"]) for each in shown(operation, me)] == [({}, "It is not there any more.")]
        if kind != "records.prompt":
            Record.objects.update(deleted_at=Now())
            services.restore_record(actor=me, record_id=ana.pk)


def test_what_keeps_records_from_following_is_told_of_those_that_are_there(me, project, collection):
    ana, rui = record(me, collection, name="Ana", age=3), record(me, collection, name="Rui Secret", age=4)
    document = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "string", "format": "date"}},
        "required": ["name"],
    }
    services.change_collection(actor=me, collection_id=collection.pk, changes={"document": document})
    operation = planned(me, project, "records.migrate", start=False, collection=str(collection.pk))

    def told():
        problems = bulk_samples.dry_run_for(me, operation)["found"]["problems"]
        return [(each["count"], [(one["title"], one["value"]) for one in each["samples"]]) for each in problems]

    assert told() == [(2, [("Ana", "3"), ("Rui Secret", "4")])]
    assert "Secret" not in str(operation.dry_run)
    assert [each["record"] for each in operation.dry_run["found"]["problems"][0]["samples"]] == [
        str(ana.pk),
        str(rui.pk),
    ]
    services.delete_record(actor=me, record_id=rui.pk)
    assert told() == [(2, [("Ana", "3")])]


def test_plan_of_before_forgets_values(me, project, collection):
    operation, _shown = samples(me, project, "records.delete", collection)
    kept = {"record": "1", "title": "Secret", "value": "Hidden"}
    operation.kind = "records.migrate"
    operation.dry_run = {"total": 1, "found": {"problems": [{"field": "age", "count": 1, "samples": [kept]}]}}
    operation.save()

    import_module("apps.bulk.migrations.0005_samples_are_not_kept").forget_values(apps, None)

    assert fresh(operation).dry_run["found"]["problems"] == [{"field": "age", "count": 1, "samples": [{"record": "1"}]}]


def test_preview_that_breaks_hides_its_sample_and_not_the_operation(me, project, collection, monkeypatch, caplog):
    record(me, collection, name="Ana")
    operation, found = samples(me, project, "records.delete", collection)
    kind = bulk_kinds.get("records.delete")
    monkeypatch.setattr(bulk_samples.bulk_kinds, "get", lambda _name: replace(kind, preview=lambda *_: 1 / 0))

    broken = shown(operation, me)

    assert found[0]["shown"] == {"title": "Ana"}
    assert [(each["shown"], each["note"]) for each in broken] == [({}, "It cannot be shown.")]
    assert "bulk_preview_broke" in caplog.text


@pytest.mark.parametrize(
    ("scopes", "may"),
    [
        (("bulk:read", "records:read"), False),
        (("bulk:read", "conversations:read"), False),
        (("bulk:read", "records:read", "conversations:read"), True),
    ],
)
def test_items_of_files_are_for_who_may_read_files(owner, scopes, may):
    key = replace(actor_of(owner), scopes=frozenset(scopes))

    assert bulk_policies.can_read_items(key, bulk_kinds.get("extraction.from_files")) is may
