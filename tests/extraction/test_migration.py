"""A collection gets another schema: what breaks is told before, records follow it, and what cannot says why."""

import copy

import pytest

from apps.accounts.types import SYSTEM, ProjectRole
from apps.core.errors import Forbidden
from apps.extraction import migrating, schema, selectors, services, shape
from apps.extraction.models import Collection, Duplicate, ExtractionRun, FieldSource, Record, RecordRevision
from apps.extraction.types import NotUnique, RecordInvalid
from tests.bulk.factories import counts, planned, ran
from tests.conversations.factories import someone
from tests.extraction.factories import PEOPLE, people, record

pytestmark = pytest.mark.django_db


@pytest.fixture
def collection(me, project):
    return people(me, project, title_template="{name}", unique_keys=[["name"]], needed=["born"])


def changed_document():
    """``name`` is called ``full_name``, ``age`` becomes text, ``tags`` goes, ``role`` comes with a default, ``born`` is required."""
    document = copy.deepcopy(PEOPLE)
    properties = document["properties"]
    properties["full_name"] = properties.pop("name") | {"x-was": "name"}
    properties["age"] = {"type": "string"}
    del properties["tags"]
    properties["role"] = {"type": "string", "default": "extra"}
    document["required"] = ["full_name", "born"]
    return document


@pytest.fixture
def three(me, collection):
    return [
        record(me, collection, name="Sarah", age=28, born="1998-02-01"),
        record(me, collection, name="Tom", born="1971-01-01", tags=["press"]),
        record(me, collection, name="Zoe"),
    ]


def test_trial_tells_what_breaks_and_writes_nothing(api, me, collection, three):
    answer = api.post(
        f"/api/v1/collections/{collection.pk}/schema-changes/",
        {"document": changed_document()},
        content_type="application/json",
    ).json()

    assert answer["breaks"]
    assert {(each["kind"], each["before"], each["after"]) for each in answer["changes"]} >= {
        ("renamed", "/name", "/full_name"),
        ("removed", "/tags", ""),
        ("type_changed", "/age", "/age"),
        ("required_added", "/born", "/born"),
    }
    assert (answer["total"], answer["records"], answer["fitting"]) == (3, 3, 1)
    assert {(each["field"], each["code"], each["count"]) for each in answer["problems"]} == {
        ("/tags", "lost", 1),
        ("/born", "required", 1),
    }
    assert answer["problems"][0]["samples"][0]["record"] in {str(three[1].pk), str(three[2].pk)}
    assert Collection.objects.get(pk=collection.pk).schema_number == 1


def test_only_managers_try_schemas(me, project, collection):
    editor = someone(project, ProjectRole.EDITOR)

    with pytest.raises(Forbidden):
        services.try_schema(actor=editor, collection_id=collection.pk, document=changed_document())


def test_records_follow_and_what_cannot_is_listed(me, project, collection, three):
    run = ExtractionRun.objects.create(organization=project.organization, project=project, collections=[collection.pk])
    for field, value in (("/name", "Sarah"), ("/age", 28)):
        FieldSource.objects.create(
            organization=project.organization, record=three[0], run=run, field=field, method="exact",
            value_digest=shape.value_digest(value),
        )  # fmt: skip

    after = services.change_collection(actor=me, collection_id=collection.pk, changes={"document": changed_document()})
    dry = planned(me, project, "records.migrate", start=False, collection=str(collection.pk)).dry_run
    from apps.bulk.models import Item, Operation

    Operation.objects.all().update(status="cancelled")
    operation = ran(me, project, "records.migrate", collection=str(collection.pk))

    assert (after.title_template, after.unique_keys) == ("{full_name}", [["full_name"]])
    assert (dry["found"]["records"], dry["found"]["fitting"]) == (3, 1)
    assert counts(operation) == {"succeeded": 1, "failed": 2}
    sarah = Record.objects.get(pk=three[0].pk)
    assert sarah.data == {"full_name": "Sarah", "age": "28", "born": "1998-02-01", "role": "extra"}
    assert (sarah.title, sarah.version, sarah.schema_number) == ("Sarah", 2, 2)
    assert RecordRevision.objects.get(record=sarah, number=2).kind == "migrated"
    assert [row.field for row in selectors.sources_of(sarah)] == ["/age", "/full_name"]
    assert [each.error_code for each in Item.objects.filter(operation=operation, status="failed")] == [
        "record_invalid"
    ] * 2
    behind = selectors.list_records(collection=after, is_behind=True)
    assert {row.title for row in behind} == {"Tom", "Zoe"}
    with pytest.raises(RecordInvalid) as refused:
        services.migrate_record(actor=me, record_id=three[1].pk)
    assert [(each.field, each.code) for each in refused.value.fields] == [("data.tags", "lost")]
    assert Record.objects.get(pk=three[1].pk).version == 1


def test_records_that_are_there_get_title_keys_and_what_is_missing(api, me, collection, three):
    second = record(me, collection, name="Bob", age=28)
    address = f"/api/v1/collections/{collection.pk}/"
    changes = {"title_template": "{name}, {age}", "unique_keys": [["age"]], "needed": ["age"]}
    trial = {"unique_keys": changes["unique_keys"], "needed": changes["needed"]}

    told = api.post(f"{address}schema-changes/", trial, content_type="application/json").json()
    services.change_collection(actor=me, collection_id=collection.pk, changes=changes)
    between = api.get(address).json()["is_reshaping"]
    services.reshape_records(actor=SYSTEM)

    assert [(each["fields"], each["count"], each["samples"][0]["value"]) for each in told["duplicate_keys"]] == [
        (["age"], 1, "28")
    ]
    assert (told["incomplete"], told["changes"], between) == (2, [], True)
    assert api.get(address).json()["is_reshaping"] is False
    rows = {row.title: row for row in Record.objects.all()}
    assert {title: row.missing for title, row in rows.items()} == {
        "Sarah, 28": [], "Bob, 28": [], "Tom": ["age"], "Zoe": ["age"],
    }  # fmt: skip
    assert {row.version for row in rows.values()} == {1}
    pair = Duplicate.objects.get()
    assert {pair.one_id, pair.other_id} == {three[0].pk, second.pk}
    with pytest.raises(NotUnique):
        record(me, collection, name="Ann", age=28)
    found = selectors.get_collection(collection_id=collection.pk, viewer=me)
    assert {row.title for row in selectors.list_records(collection=found, text="28")} == {"Sarah, 28", "Bob, 28"}


def test_key_holds_under_the_new_name_before_records_are_brought_along(me, collection, three):
    services.change_collection(actor=me, collection_id=collection.pk, changes={"document": changed_document()})
    services.reshape_records(actor=SYSTEM)

    with pytest.raises(NotUnique):
        record(me, collection, full_name="Zoe", born="2001-01-01")
    assert Record.objects.get(pk=three[2].pk).title == "Zoe"


def test_renames_of_several_steps_are_followed():
    def of(name, was=""):
        return schema.check(
            {"type": "object", "properties": {name: {"type": "string"} | ({"x-was": was} if was else {})}}
        )

    path = migrating.Path({1: of("a"), 2: of("b", "a"), 3: of("c", "b")})

    assert path.bring({"a": "x"}, 1).value == {"c": "x"}
    assert path.bring({"b": "x"}, 2).value == {"c": "x"}
    assert path.bring({"c": "x"}, 3).value == {"c": "x"}
    assert path.renamed("a", 1) == "c"


def test_what_only_a_step_in_the_middle_refuses_is_no_problem():
    def of(most):
        return schema.check({"type": "object", "properties": {"a": {"type": "integer", "maximum": most}}})

    path = migrating.Path({1: of(9), 2: of(3), 3: of(9)})

    assert path.bring({"a": 7}, 1).problems == ()
    assert path.bring({"a": 7}, 2).problems == ()
