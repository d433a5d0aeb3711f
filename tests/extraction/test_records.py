"""Records: what is kept, what is refused, what follows from it, and who may."""

import threading

import pytest
from django.db import connections
from django.test import Client

from apps.accounts.types import ProjectRole
from apps.core.errors import Forbidden, NotFound, TooLarge, VersionMismatch
from apps.core.models import Event
from apps.extraction import selectors, services
from apps.extraction.filters import Condition, read
from apps.extraction.models import Record, RecordKey, RecordLink, RecordRevision
from apps.extraction.types import NotUnique, RecordInvalid
from tests.accounts.factories import ProjectFactory, UserFactory, actor_of, bearer, key_of
from tests.conversations.factories import someone
from tests.extraction.factories import people, places, record

pytestmark = pytest.mark.django_db


def ids(rows):
    return [row.pk for row in rows]


def test_record_is_kept_with_title_text_and_first_revision(me, project):
    collection = people(me, project, title_template="{name}, {age}", needed=["age", "born"])

    made = record(me, collection, name="Sarah", age=28, tags=["press"])

    kept = Record.objects.get()
    assert (kept.title, kept.version, kept.schema_number) == ("Sarah, 28", 1, 1)
    assert (kept.is_complete, kept.missing) == (False, ["born"])
    assert kept.text.splitlines() == ["Sarah, 28", "Sarah", "28", "press"]
    assert list(RecordRevision.objects.values_list("number", "kind", "data")) == [(1, "created", made.data)]
    event = Event.objects.get(type="extraction.record_created")
    assert event.payload == {
        "record_id": str(made.pk),
        "collection_id": str(collection.pk),
        "version": 1,
        "is_complete": False,
        "is_beside_others": False,
    }


def test_title_leaves_out_what_surrounds_an_empty_place(me, project):
    collection = people(me, project, title_template="{name} - {age}")

    assert record(me, collection, name="Tomás").title == "Tomás"


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"age": 3}, "data.name"),
        ({"name": ""}, "data.name"),
        ({"name": "A", "age": -1}, "data.age"),
        ({"name": "A", "age": "old"}, "data.age"),
        ({"name": "A", "born": "yesterday"}, "data.born"),
        ({"name": "A", "colour": "red"}, "data.colour"),
        ({"name": "A", "tags": ["x", 3]}, "data.tags.1"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_kept(me, project, data, field):
    collection = people(me, project)

    with pytest.raises(RecordInvalid) as refused:
        record(me, collection, **data)

    assert [each.field for each in refused.value.fields] == [field]
    assert not Record.objects.exists()
    assert not RecordRevision.objects.exists()


def test_change_is_merged_and_null_takes_away(me, project):
    made = record(me, people(me, project), name="Sarah", age=28)

    changed = services.change_record(actor=me, record_id=made.pk, changes={"age": None, "born": "1998-02-01"})

    assert changed.data == {"name": "Sarah", "born": "1998-02-01"}
    assert list(RecordRevision.objects.order_by("number").values_list("number", "kind")) == [
        (1, "created"),
        (2, "changed"),
    ]
    assert Event.objects.get(type="extraction.record_updated").payload["fields"] == ["age", "born"]


def test_change_of_nothing_makes_no_version(me, project):
    made = record(me, people(me, project), name="Sarah")

    again = services.change_record(actor=me, record_id=made.pk, changes={"name": "Sarah"})

    assert again.version == 1
    assert not Event.objects.filter(type="extraction.record_updated").exists()


def test_late_change_hears_of_the_version_that_is_there(me, project):
    made = record(me, people(me, project), name="Sarah")
    services.change_record(actor=me, record_id=made.pk, changes={"age": 1}, expected_version=1)

    with pytest.raises(VersionMismatch) as refused:
        services.change_record(actor=me, record_id=made.pk, changes={"age": 2}, expected_version=1)

    assert refused.value.extra == {"current": 2}
    assert Record.objects.get().data["age"] == 1


def test_set_back_is_a_new_version(me, project):
    made = record(me, people(me, project), name="Sarah", age=28)
    services.change_record(actor=me, record_id=made.pk, changes={"name": "Sara", "age": None})

    back = services.set_back_record(actor=me, record_id=made.pk, number=1)

    assert (back.data, back.version) == ({"name": "Sarah", "age": 28}, 3)
    assert RecordRevision.objects.get(number=3).kind == "restored"


def test_links_are_kept_both_ways_and_only_to_records_of_that_collection(me, project):
    collection = people(me, project)
    lisbon = record(me, selectors.collections_by_slug(me, project.pk, ["places"])["places"], name="Lisbon")
    sarah = record(me, collection, name="Sarah", lives_in=str(lisbon.pk))
    tomas = record(me, collection, name="Tomás", siblings=[str(sarah.pk)], lives_in=str(lisbon.pk))

    with pytest.raises(RecordInvalid) as refused:
        record(me, collection, name="Wrong", lives_in=str(sarah.pk))

    assert [(each.field, each.code) for each in refused.value.fields] == [("data.lives_in", "unknown_record")]
    pointing = RecordLink.objects.filter(source=tomas).order_by("field")
    assert list(pointing.values_list("field", "target__title")) == [("lives_in", "Lisbon"), ("siblings", "Sarah")]
    assert {(link.source.title, link.field) for link in selectors.links_to(lisbon, me)} == {
        ("Sarah", "lives_in"),
        ("Tomás", "lives_in"),
    }


def test_changed_link_leaves_nothing_behind(me, project):
    collection = people(me, project)
    sarah, ana = record(me, collection, name="Sarah"), record(me, collection, name="Ana")
    tomas = record(me, collection, name="Tomás", siblings=[str(sarah.pk)])

    services.change_record(actor=me, record_id=tomas.pk, changes={"siblings": [str(ana.pk)]})

    assert list(RecordLink.objects.values_list("source", "target")) == [(tomas.pk, ana.pk)]


def test_record_of_another_project_is_no_target(me, project, owner):
    elsewhere = ProjectFactory(organization=project.organization)
    there = record(me, places(me, elsewhere), name="Porto")

    with pytest.raises(RecordInvalid):
        record(me, people(me, project), name="Sarah", lives_in=str(there.pk))

    assert not Record.objects.filter(project=project).exists()


def test_unique_key_keeps_spellings_of_one_value_apart_from_nobody(me, project):
    collection = people(me, project, unique_keys=[["name", "born"]])
    first = record(me, collection, name="Sarah  Silva", born="1998-02-01")
    record(me, collection, name="Sarah Silva")  # a part of the key is empty: nothing is compared

    with pytest.raises(NotUnique) as refused:
        record(me, collection, name="sarah silva", born="1998-02-01")

    assert refused.value.extra == {"record": str(first.pk)}
    assert [each.field for each in refused.value.fields] == ["data.name", "data.born"]
    assert Record.objects.count() == 2


def test_deleted_record_frees_its_values_and_comes_back_only_where_they_are_free(me, project):
    collection = people(me, project, unique_keys=[["name"]])
    first = record(me, collection, name="Sarah")

    services.delete_record(actor=me, record_id=first.pk)
    second = record(me, collection, name="Sarah")
    with pytest.raises(NotUnique):
        services.restore_record(actor=me, record_id=first.pk)
    services.delete_record(actor=me, record_id=second.pk)
    back = services.restore_record(actor=me, record_id=first.pk)

    assert (back.version, back.deleted_at) == (3, None)
    assert ids(selectors.list_records(collection=collection)) == [first.pk]
    assert list(RecordKey.objects.values_list("record", flat=True)) == [first.pk]
    kinds = RecordRevision.objects.filter(record=first).order_by("number").values_list("kind", flat=True)
    assert list(kinds) == ["created", "deleted", "undeleted"]


@pytest.mark.django_db(transaction=True)
def test_of_ten_who_write_the_same_values_at_once_one_gets_them(me, project):
    collection = people(me, project, unique_keys=[["name"]])
    refused = []

    def write():
        try:
            record(me, collection, name="Sarah")
        except NotUnique:
            refused.append(1)
        finally:
            connections.close_all()

    writers = [threading.Thread(target=write) for _each in range(10)]
    for each in writers:
        each.start()
    for each in writers:
        each.join(30)

    assert len(refused) == 9
    assert Record.objects.count() == 1
    assert RecordRevision.objects.count() == 1


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ("name:Sarah", ["Sarah"]),
        ("name:is:Sarah", ["Sarah"]),
        ("name:not:Sarah", ["Tomás", "Zoe"]),
        ("name:has:S", ["Sarah", "Tomás"]),
        ("age:over:28", ["Tomás"]),
        ("age:from:28", ["Sarah", "Tomás"]),
        ("age:under:100", ["Sarah"]),
        ("born:to:1998-02-01", ["Sarah"]),
        ("born:over:1998-02-01", ["Tomás"]),
        ("name:over:Sarah", ["Tomás", "Zoe"]),
        ("name:under:a", ["Sarah", "Tomás", "Zoe"]),
        ("age:empty:", ["Zoe"]),
        ("age:filled", ["Sarah", "Tomás"]),
        ("tags:press", ["Sarah"]),
        ("is_alive:yes", ["Sarah"]),
    ],
)
def test_conditions_find(me, project, raw, found):
    collection = people(me, project)
    record(me, collection, name="Sarah", age=28, born="1998-02-01", tags=["press", "port"], is_alive=True)
    record(me, collection, name="Tomás", age=100, born="2001-12-31")
    record(me, collection, name="Zoe")

    rows = selectors.list_records(collection=collection, conditions=[read(raw)])

    assert sorted(row.title for row in rows) == found


def test_value_may_hold_colons_and_quotes(me, project):
    collection = people(me, project)
    record(me, collection, name="a:b' OR 1=1 --")

    conditions = [read("name:is:a:b' OR 1=1 --")]

    assert conditions == [Condition("name", "is", "a:b' OR 1=1 --")]
    assert selectors.list_records(collection=collection, conditions=conditions).count() == 1


def test_words_find_records_and_every_word_counts(me, project):
    collection = people(me, project)
    record(me, collection, name="Sarah", tags=["press", "port of Lisbon"])
    record(me, collection, name="Sarah", tags=["police"])

    assert selectors.list_records(collection=collection, text="sarah lisbon").count() == 1
    assert selectors.list_records(collection=collection, text="sarah").count() == 2
    assert selectors.list_records(collection=collection, text="porto").count() == 0


def test_changed_record_is_found_by_its_new_words_alone(me, project):
    collection = people(me, project)
    made = record(me, collection, name="Sarah")

    services.change_record(actor=me, record_id=made.pk, changes={"name": "Tomás"})

    for text in ("tomás", "tomas", "Toma\u0301s"):
        assert selectors.list_records(collection=collection, text=text).count() == 1
    assert selectors.list_records(collection=collection, text="sarah").count() == 0


def test_viewer_reads_and_writes_nothing(me, project):
    viewer = someone(project, ProjectRole.VIEWER)
    collection = people(me, project)
    made = record(me, collection, name="Sarah")

    assert selectors.get_record(record_id=made.pk, viewer=viewer).pk == made.pk
    for call in (
        lambda: record(viewer, collection, name="Eve"),
        lambda: services.change_record(actor=viewer, record_id=made.pk, changes={"age": 1}),
        lambda: services.delete_record(actor=viewer, record_id=made.pk),
        lambda: services.set_back_record(actor=viewer, record_id=made.pk, number=1),
    ):
        with pytest.raises(Forbidden):
            call()
    assert list(RecordRevision.objects.values_list("number", flat=True)) == [1]


def test_stranger_finds_nothing(me, project):
    stranger = actor_of(UserFactory())
    collection = people(me, project)
    made = record(me, collection, name="Sarah")

    for call in (
        lambda: selectors.get_collection(collection_id=collection.pk, viewer=stranger),
        lambda: selectors.get_record(record_id=made.pk, viewer=stranger),
        lambda: record(stranger, collection, name="Eve"),
        lambda: services.delete_record(actor=stranger, record_id=made.pk),
    ):
        with pytest.raises(NotFound):
            call()
    assert not selectors.visible_to(stranger).exists()
    assert not selectors.visible_collections(stranger).exists()


def test_key_without_the_scope_reads_no_record(owner, project, me):
    made = record(me, people(me, project), name="Sarah")
    limited = Client(headers=bearer(key_of(owner, project.organization, scopes=["conversations:read"])))
    reader = Client(headers=bearer(key_of(owner, project.organization, scopes=["records:read"])))

    assert limited.get(f"/api/v1/records/{made.pk}/").status_code == 403
    assert reader.get(f"/api/v1/records/{made.pk}/").status_code == 200
    refused = reader.patch(f"/api/v1/records/{made.pk}/", {"data": {"age": 1}}, content_type="application/json")
    assert (refused.status_code, Record.objects.get().version) == (403, 1)


# API


def test_api_creates_reads_changes_and_lists(api, me, project):
    collection = people(me, project)
    body = {"collection": str(collection.pk), "data": {"name": "Sarah", "age": 28}}

    made = api.post("/api/v1/records/", body, content_type="application/json")
    address = f"/api/v1/records/{made.json()['id']}/"
    changed = api.patch(
        address, {"data": {"age": 29}}, content_type="application/json", headers={"If-Match": made["ETag"]}
    )
    late = api.patch(
        address, {"data": {"age": 30}}, content_type="application/json", headers={"If-Match": made["ETag"]}
    )
    listed = api.get("/api/v1/records/", {"collection": str(collection.pk), "where": ["age:over:28", "name:Sarah"]})

    assert (made.status_code, made["ETag"]) == (201, '"1"')
    assert (changed.json()["data"]["age"], changed["ETag"]) == (29, '"2"')
    assert (late.status_code, late.json()["current"]) == (412, 2)
    assert [row["id"] for row in listed.json()["results"]] == [made.json()["id"]]
    history = api.get(f"{address}history/").json()["results"]
    assert [(row["number"], row["kind"]) for row in history] == [(2, "changed"), (1, "created")]
    back = api.post(f"{address}set-back/", {"number": 1}, content_type="application/json")
    assert back.json()["data"] == {"name": "Sarah", "age": 28}


def test_api_names_a_field_that_is_none(api, me, project):
    collection = people(me, project)

    refused = api.get("/api/v1/records/", {"collection": str(collection.pk), "where": "colour:red"})

    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "filter")


@pytest.mark.parametrize("sort", ["-created_at", "created_at", "title", "-title", "-updated_at"])
def test_api_pages_in_every_order_without_a_gap(api, me, project, sort):
    collection = people(me, project)
    for name in "CADBE":
        record(me, collection, name=name)
    query = {"collection": str(collection.pk), "sort": sort, "limit": "2"}

    titles, cursor = [], None
    while True:
        page = api.get("/api/v1/records/", query | ({"cursor": cursor} if cursor else {})).json()
        titles += [row["title"] for row in page["results"]]
        if not (cursor := page["next"]):
            break

    assert (
        titles
        == {
            "-created_at": list("EBDAC"),
            "created_at": list("CADBE"),
            "title": list("ABCDE"),
            "-title": list("EDCBA"),
            "-updated_at": list("EBDAC"),
        }[sort]
    )


@pytest.mark.parametrize("count", [1, 3, 30])
def test_list_takes_the_same_queries_for_any_number(api, me, project, count, django_assert_max_num_queries):
    collection = people(me, project)
    someone(project)
    elsewhere = ProjectFactory()
    manager = someone(elsewhere, ProjectRole.MANAGER)
    record(manager, people(manager, elsewhere), name="Other")
    for number in range(count):
        record(me, collection, name=f"N{number}")

    with django_assert_max_num_queries(4):
        answer = api.get("/api/v1/records/", {"collection": str(collection.pk)})

    assert len(answer.json()["results"]) == count


def test_record_has_a_largest_size(me, project):
    collection = people(me, project)
    record(me, collection, name="Sarah", tags=["word " * 2000])

    with pytest.raises(TooLarge):
        record(me, collection, name="Big", tags=["x" * 60_000] * 4)

    assert Record.objects.count() == 1
