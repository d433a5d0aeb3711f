"""Collections: what is taken as one, what a change of it does, and who may."""

import pytest

from apps.accounts.types import ProjectRole
from apps.core.errors import Forbidden, Invalid, NotFound
from apps.core.models import Event
from apps.extraction import selectors, services
from apps.extraction.models import Collection, CollectionSchema
from apps.extraction.types import (
    MAX_COLLECTIONS_A_PROJECT,
    CollectionInUse,
    SchemaRejected,
    SlugTaken,
    TooManyCollections,
)
from tests.accounts.factories import UserFactory, actor_of
from tests.conversations.factories import someone
from tests.extraction.factories import PEOPLE, PLACES, people, places, record

pytestmark = pytest.mark.django_db


def test_collection_is_kept_with_its_first_schema(me, project):
    made = people(me, project, title_template="{name}", unique_keys=[["name"]], needed=["age"])

    kept = selectors.get_collection(collection_id=made.pk, viewer=me)
    assert (kept.slug, kept.schema_number, kept.version) == ("people", 1, 1)
    assert [field.name for field in selectors.schema_of(kept).top] == list(PEOPLE["properties"])
    assert Event.objects.filter(type="extraction.collection_created", subject_id=made.pk).count() == 1


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"title_template": "{nome}"}, "title_template"),
        ({"unique_keys": [["name", "nome"]]}, "unique_keys"),
        ({"unique_keys": [[]]}, "unique_keys"),
        ({"needed": ["nome"]}, "needed"),
        ({"aliases": {"nome": ["n"]}}, "aliases"),
    ],
)
def test_what_speaks_of_a_field_that_is_none_is_refused(me, project, fields, where):
    places(me, project)

    with pytest.raises(Invalid) as refused:
        people(me, project, **fields)

    assert {each.field for each in refused.value.fields} == {where}
    assert Collection.objects.count() == 1


def test_relation_to_a_collection_that_is_not_there_is_refused(me, project):
    with pytest.raises(Invalid) as refused:
        services.create_collection(actor=me, project_id=project.pk, name="People", document=PEOPLE)

    assert [(each.field, each.code) for each in refused.value.fields] == [("document", "unknown_collection")]


@pytest.mark.parametrize(
    "document",
    [
        {"type": "array"},
        {"type": "object", "properties": {"a": {"$ref": "https://example.org/schema"}}},
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"$ref": "#/$defs/a"}}},
        {"type": "object", "properties": {"a": {"type": "strin"}}},
    ],
)
def test_document_that_is_no_schema_of_ours_is_refused(me, project, document):
    with pytest.raises(SchemaRejected):
        services.create_collection(actor=me, project_id=project.pk, name="Bad", document=document)

    assert not Collection.objects.exists()


def test_short_name_is_taken_once_in_a_project(me, project):
    places(me, project)

    with pytest.raises(SlugTaken):
        places(me, project)

    assert Collection.objects.count() == 1


def test_project_holds_so_many_collections(me, project):
    rows = (
        Collection(organization=project.organization, project=project, slug=f"c{number}", name=f"C{number}")
        for number in range(MAX_COLLECTIONS_A_PROJECT)
    )
    Collection.objects.bulk_create(rows)

    with pytest.raises(TooManyCollections) as refused:
        places(me, project)

    assert refused.value.code == "too_many_collections"
    assert Collection.objects.count() == MAX_COLLECTIONS_A_PROJECT


def test_other_schema_is_a_new_number_and_the_old_one_stays(me, project):
    made = places(me, project)
    wider = {**PLACES, "properties": {**PLACES["properties"], "country": {"type": "string"}}}

    changed = services.change_collection(actor=me, collection_id=made.pk, changes={"document": wider})
    renamed = services.change_collection(actor=me, collection_id=made.pk, changes={"name": "Spots"})

    assert (changed.schema_number, renamed.schema_number, renamed.version) == (2, 2, 3)
    assert list(CollectionSchema.objects.order_by("number").values_list("number", flat=True)) == [1, 2]
    assert list(selectors.list_schemas(made).last().document["properties"]) == ["name"]


def test_collection_that_others_point_to_stays(me, project):
    people(me, project)
    target = selectors.collections_by_slug(me, project.pk, ["places"])["places"]

    with pytest.raises(CollectionInUse) as refused:
        services.delete_collection(actor=me, collection_id=target.pk)

    assert refused.value.extra == {"collections": ["people"]}
    target.refresh_from_db()
    assert target.deleted_at is None


def test_deleted_collection_hides_its_records_and_comes_back_with_them(me, project):
    made = places(me, project)
    lisbon = record(me, made, name="Lisbon")

    services.delete_collection(actor=me, collection_id=made.pk)
    with pytest.raises(NotFound):
        selectors.get_record(record_id=lisbon.pk, viewer=me)
    services.restore_collection(actor=me, collection_id=made.pk)

    assert selectors.get_record(record_id=lisbon.pk, viewer=me).title == "Lisbon"


def test_deleted_collection_comes_back_only_while_its_short_name_is_free(me, project):
    made = places(me, project)
    services.delete_collection(actor=me, collection_id=made.pk)
    places(me, project)

    with pytest.raises(SlugTaken):
        services.restore_collection(actor=me, collection_id=made.pk)

    assert Collection.objects.filter(deleted_at=None).count() == 1


def test_editor_fills_collections_and_does_not_define_them(me, project):
    editor = someone(project, ProjectRole.EDITOR)
    made = places(me, project)

    assert record(editor, made, name="Lisbon").created_by_id == editor.user_id
    for call in (
        lambda: services.create_collection(actor=editor, project_id=project.pk, name="X", document=PLACES),
        lambda: services.change_collection(actor=editor, collection_id=made.pk, changes={"name": "X"}),
        lambda: services.delete_collection(actor=editor, collection_id=made.pk),
    ):
        with pytest.raises(Forbidden):
            call()
    assert Collection.objects.get().version == 1


def test_stranger_hears_of_no_collection(me, project):
    stranger = actor_of(UserFactory())
    made = places(me, project)

    for call in (
        lambda: services.create_collection(actor=stranger, project_id=project.pk, name="X", document=PLACES),
        lambda: services.change_collection(actor=stranger, collection_id=made.pk, changes={"name": "X"}),
        lambda: services.restore_collection(actor=stranger, collection_id=made.pk),
    ):
        with pytest.raises(NotFound):
            call()
    assert Collection.objects.get().version == 1


def test_api_makes_changes_and_lists_collections(api, project):
    body = {"project": str(project.pk), "name": "Places", "document": PLACES, "title_template": "{name}"}

    made = api.post("/api/v1/collections/", body, content_type="application/json")
    address = f"/api/v1/collections/{made.json()['id']}/"
    changed = api.patch(address, {"needed": ["name"]}, content_type="application/json", headers={"If-Match": '"1"'})
    late = api.patch(address, {"needed": []}, content_type="application/json", headers={"If-Match": '"1"'})
    listed = api.get("/api/v1/collections/", {"project": str(project.pk)}).json()["results"]

    assert (made.status_code, made.json()["slug"], made.json()["document"]["required"]) == (201, "places", ["name"])
    assert (changed.status_code, changed.json()["needed"]) == (200, ["name"])
    assert late.status_code == 412
    assert [row["id"] for row in listed] == [made.json()["id"]]
    assert [row["number"] for row in api.get(f"{address}schemas/").json()["results"]] == [1]
    assert api.delete(address).status_code == 204
    assert api.get(address).status_code == 404
    assert api.post(f"{address}restore/", content_type="application/json").status_code == 200


@pytest.mark.parametrize("count", [1, 3, 30])
def test_list_takes_the_same_queries_for_any_number(api, me, project, count, django_assert_max_num_queries):
    for number in range(count):
        services.create_collection(actor=me, project_id=project.pk, name=f"N{number}", document=PLACES)

    with django_assert_max_num_queries(3):
        answer = api.get("/api/v1/collections/")

    assert len(answer.json()["results"]) == count
