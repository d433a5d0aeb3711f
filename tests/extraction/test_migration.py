"""A collection gets another schema: what breaks is told before, records follow it, and what cannot says why."""

import copy

import pytest

from apps.accounts.types import ProjectRole
from apps.core.errors import Forbidden
from apps.extraction import migrating, schema, selectors, services, shape
from apps.extraction.models import Collection, ExtractionRun, FieldSource, Record, RecordRevision
from apps.extraction.types import RecordInvalid
from tests.accounts.factories import actor_of
from tests.bulk.factories import counts, planned, ran
from tests.conversations.factories import someone
from tests.extraction.factories import PEOPLE, people, record

pytestmark = pytest.mark.django_db


@pytest.fixture
def me(owner):
    return actor_of(owner)


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
