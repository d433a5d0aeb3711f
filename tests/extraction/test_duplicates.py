"""Records that may be the same thing: found when one is written, joined by people, separated again without a trace."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts.types import SYSTEM, ProjectRole
from apps.core.errors import Forbidden, Invalid, NotFound, VersionMismatch
from apps.core.ids import uuid7
from apps.core.models import Event
from apps.extraction import duplicates, joinings, selectors, services, shape
from apps.extraction.models import (
    Duplicate,
    ExtractionRun,
    FieldSource,
    Proposal,
    Record,
    RecordBlock,
    RecordComment,
    RecordKey,
    RecordLink,
    RecordMerge,
    RecordRevision,
)
from apps.extraction.types import MaybeDuplicate, MergeUndone, NotUnique, OnDuplicate, RecordMerged
from tests.accounts.factories import ProjectFactory, UserFactory, actor_of
from tests.conversations.factories import someone
from tests.extraction.factories import people, record

pytestmark = pytest.mark.django_db

SARAH = {"name": "Sarah Silva", "born": "1998-02-01"}


@pytest.fixture
def collection(me, project):
    return people(me, project)


def take(me, collection, on_duplicate="list", **data):
    return services.take_record(actor=me, collection_id=collection.pk, data=data, on_duplicate=on_duplicate)


def test_new_record_lists_those_that_may_be_the_same(me, collection):
    first = record(me, collection, **SARAH)
    record(me, collection, name="Tomás Costa", born="1971-10-30")

    taken = take(me, collection, name="Sara Silva", born="1998-02-01", age=28)

    assert [(each.record_id, each.verdict) for each in taken.candidates] == [(first.pk, "same")]
    assert taken.candidates[0].by_field["born"] > 5
    pair = Duplicate.objects.get()
    assert (pair.one_id, pair.other_id, pair.status) == (first.pk, taken.record.pk, "pending")


def test_of_two_with_one_name_and_nothing_else_a_person_is_asked(me, collection):
    record(me, collection, name="Sarah")

    assert [each.verdict for each in take(me, collection, name="Sarah").candidates] == ["ask"]


def test_asked_for_nothing_is_written(me, collection):
    first = record(me, collection, **SARAH)

    with pytest.raises(MaybeDuplicate) as refused:
        take(me, collection, "ask", **SARAH)

    assert [each["record"] for each in refused.value.extra["duplicates"]] == [str(first.pk)]
    assert Record.objects.count() == 1


def test_merged_at_once_the_new_fields_go_into_the_record_that_is_there(me, collection):
    first = record(me, collection, tags=["press"], **SARAH)

    taken = take(me, collection, "merge", name="Sarah Silva", born="1998-02-01", age=28, tags=["port"])

    assert (taken.record.pk, taken.is_new, taken.record.version) == (first.pk, False, 2)
    assert taken.record.data == {**SARAH, "age": 28, "tags": ["press", "port"]}
    assert take(me, collection, "merge", name="Sarah").is_new  # not sure enough: it is made, and listed


def test_merged_at_once_by_its_unique_values(me, project):
    collection = people(me, project, unique_keys=[["name"]])
    first = record(me, collection, name="Sarah")

    taken = take(me, collection, "merge", name="SARAH", age=3)
    with pytest.raises(NotUnique):
        take(me, collection, "new", name="sarah")

    assert (taken.record.pk, taken.record.data) == (first.pk, {"name": "SARAH", "age": 3})


@pytest.mark.parametrize(("rule", "records", "pairs"), [("new", 2, 0), ("skip", 1, 0), ("list", 2, 1)])
def test_rule_says_what_happens(me, collection, rule, records, pairs):
    record(me, collection, **SARAH)

    take(me, collection, rule, **SARAH)

    assert (Record.objects.count(), Duplicate.objects.count()) == (records, pairs)


def test_only_records_of_the_collection_that_are_there_are_candidates(me, collection, project):
    gone = record(me, collection, **SARAH)
    services.delete_record(actor=me, record_id=gone.pk)
    elsewhere = people(me, ProjectFactory(organization=project.organization))
    record(me, elsewhere, **SARAH)

    assert take(me, collection, **SARAH).candidates == ()
    assert not RecordBlock.objects.filter(record=gone).exists()


def test_common_block_does_not_hide_who_shares_a_rarer_one(me, collection, monkeypatch):
    monkeypatch.setattr(duplicates, "MOST_OF_A_BLOCK", 3)
    first = record(me, collection, **SARAH)
    for number in range(6):
        record(me, collection, name="Sarah Silva", born=f"19{number}0-02-03")

    assert take(me, collection, **SARAH).candidates[0].record_id == first.pk


def test_records_from_before_get_their_blocks(me, collection):
    first = record(me, collection, **SARAH)
    RecordBlock.objects.all().delete()
    Record.objects.update(shape_number=0)

    assert take(me, collection, **SARAH).candidates == ()
    assert services.reshape_records(actor=SYSTEM) == 1
    assert services.reshape_records(actor=SYSTEM) == 0
    assert first.pk in {each.record_id for each in take(me, collection, **SARAH).candidates}


def test_kept_apart_nobody_is_asked_again(me, collection):
    first, second = record(me, collection, **SARAH), record(me, collection, **SARAH)

    services.keep_apart(actor=me, record_id=second.pk, other_id=first.pk)

    assert not joinings.list_duplicates(me).exists()
    schema = selectors.schema_of(selectors.get_collection(collection_id=collection.pk, viewer=me))
    assert duplicates.find(collection, schema, second.data, record_id=second.pk) == []
    with pytest.raises(Invalid):
        services.keep_apart(actor=me, record_id=second.pk, other_id=second.pk)


# Joining


def test_joined_record_has_what_both_said_and_gets_what_pointed_to_the_other(me, collection):
    sarah, sara = (
        record(me, collection, **SARAH, tags=["a"]),
        record(me, collection, name="Sara S.", age=28, tags=["b"]),
    )
    brother = record(me, collection, name="Tomás", siblings=[str(sara.pk)])

    merge = services.merge_records(actor=me, winner_id=sarah.pk, loser_id=sara.pk, expected_version=1)

    winner, loser, brother = (Record.objects.get(pk=each.pk) for each in (sarah, sara, brother))
    assert winner.data == {**SARAH, "age": 28, "tags": ["a", "b"]}
    assert (loser.merged_into_id, loser.data["name"]) == (sarah.pk, "Sara S.")
    assert brother.data["siblings"] == [str(sarah.pk)]
    assert list(RecordLink.objects.filter(source=brother).values_list("target", flat=True)) == [sarah.pk]
    assert list(RecordRevision.objects.filter(record=loser).order_by("number").values_list("kind", flat=True)) == [
        "created",
        "merged",
    ]
    assert (merge.before, merge.after) == ({"age": None, "tags": ["a"]}, {"age": 28, "tags": ["a", "b"]})
    assert Event.objects.filter(type="extraction.records_merged").count() == 1
    assert not Duplicate.objects.filter(status="pending").exists()


def test_person_says_what_stays(me, collection):
    sarah, sara = record(me, collection, **SARAH), record(me, collection, name="Sara S.")

    services.merge_records(actor=me, winner_id=sarah.pk, loser_id=sara.pk, changes={"name": "Sara S.", "born": None})

    assert Record.objects.get(pk=sarah.pk).data == {"name": "Sara S."}


def test_what_was_changed_since_stays_with_the_winner(me, collection):
    sarah, sara = record(me, collection, **SARAH, tags=["a"]), record(me, collection, name="Sara", age=28, tags=["b"])
    merge = services.merge_records(actor=me, winner_id=sarah.pk, loser_id=sara.pk)
    services.change_record(actor=me, record_id=sarah.pk, changes={"age": 29, "is_alive": True, "tags": ["a", "b", "c"]})

    services.undo_merge(actor=me, merge_id=merge.pk)

    assert Record.objects.get(pk=sarah.pk).data == {**SARAH, "age": 29, "is_alive": True, "tags": ["a", "c"]}
    assert Record.objects.get(pk=sara.pk).data == {"name": "Sara", "age": 28, "tags": ["b"]}


def test_joined_record_comes_back_by_undoing_alone_and_once(me, collection):
    sarah, sara = record(me, collection, **SARAH), record(me, collection, name="Sara")
    merge = services.merge_records(actor=me, winner_id=sarah.pk, loser_id=sara.pk)

    with pytest.raises(RecordMerged) as refused:
        services.restore_record(actor=me, record_id=sara.pk)
    with pytest.raises(NotFound):
        services.merge_records(actor=me, winner_id=sarah.pk, loser_id=sara.pk)
    services.undo_merge(actor=me, merge_id=merge.pk)
    with pytest.raises(MergeUndone):
        services.undo_merge(actor=me, merge_id=merge.pk)

    assert refused.value.extra == {"record": str(sarah.pk)}
    assert Record.objects.filter(deleted_at=None).count() == 2


def test_joining_is_refused_where_it_makes_no_sense(me, collection, project):
    sarah, sara = record(me, collection, **SARAH), record(me, collection, name="Sara")
    lisbon = record(me, selectors.collections_by_slug(me, project.pk, ["places"])["places"], name="Lisbon")
    viewer, stranger = someone(project, ProjectRole.VIEWER), actor_of(UserFactory())

    for refusal, who, ids, more in (
        (Invalid, me, (sarah.pk, sarah.pk), {}),
        (Invalid, me, (sarah.pk, lisbon.pk), {}),
        (VersionMismatch, me, (sarah.pk, sara.pk), {"expected_version": 7}),
        (Forbidden, viewer, (sarah.pk, sara.pk), {}),
        (NotFound, stranger, (sarah.pk, sara.pk), {}),
    ):
        with pytest.raises(refusal):
            services.merge_records(actor=who, winner_id=ids[0], loser_id=ids[1], **more)

    assert not RecordMerge.objects.exists()
    assert Record.objects.filter(deleted_at=None, version=1).count() == 3


FIELDS = st.fixed_dictionaries(
    {"name": st.sampled_from(["Sarah", "Sara", "Ana"])},
    optional={
        "age": st.integers(1, 3),
        "born": st.sampled_from(["1998-02-01", "2001-01-01"]),
        "is_alive": st.booleans(),
        "tags": st.lists(st.sampled_from("abc"), unique=True, max_size=3),
    },
)
#: Which of winner, loser and a third each points to.
POINTING = st.tuples(*[st.sets(st.sampled_from([0, 1, 2]))] * 3)
SOURCES = st.sets(st.tuples(st.sampled_from([0, 1]), st.sampled_from(["name", "age", "tags", "tags/0", "siblings"])))


def seen(ids):
    """All that belongs to the records, but for versions and times."""
    rows = Record.objects.filter(pk__in=ids).order_by("pk")
    names = ("pk", "data", "title", "missing", "is_complete", "deleted_at", "merged_into")
    source_names = ("record", "field", "value_digest", "method", "start", "end")
    return {
        "records": list(rows.values_list(*names)),
        # The store forgets the order of fields, and with it that of the words.
        "text": [sorted(text.split("\n")) for text in rows.values_list("text", flat=True)],
        "live": list(rows.filter(deleted_at=None).values_list("schema_number", flat=True)),
        "keys": set(RecordKey.objects.filter(record__in=ids).values_list("record", "fields", "digest")),
        "links": set(RecordLink.objects.filter(source__in=ids).values_list("source", "field", "position", "target")),
        "blocks": set(RecordBlock.objects.filter(record__in=ids).values_list("record", "block")),
        "sources": {
            tuple(bytes(each) if isinstance(each, memoryview) else each for each in row)
            for row in FieldSource.objects.filter(record__in=ids).values_list(*source_names)
        },
        "told": {pk: len(selectors.sources_of(Record.objects.get(pk=pk))) for pk in ids},
        "comments": list(RecordComment.objects.filter(record__in=ids).values_list("record", "text")),
        "proposals": list(Proposal.objects.filter(record__in=ids).order_by("pk").values_list("pk", "record")),
        "pairs": list(Duplicate.objects.order_by("pk").values_list("one", "other", "status", "decided_by")),
    }


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(winner=FIELDS, loser=FIELDS, pointing=POINTING, sources=SOURCES)
def test_joined_and_separated_again_everything_is_as_it_was(me, project, winner, loser, pointing, sources):
    slug = f"p{uuid7().hex}"
    collection = services.create_collection(
        actor=me,
        project_id=project.pk,
        name="People",
        slug=slug,
        document=people_document(slug),
        unique_keys=[["born", "age"]],
    )
    trio = [
        services.take_record(actor=me, collection_id=collection.pk, data=data, on_duplicate=OnDuplicate.LIST).record
        for data in (winner, {**loser, "born": "1950-01-01"}, {"name": "Third"})
    ]
    ids = [each.pk for each in trio]
    for each, targets in zip(trio, pointing, strict=True):
        if targets:
            changes = {"siblings": [str(ids[number]) for number in sorted(targets)]}
            services.change_record(actor=me, record_id=each.pk, changes=changes)
    run = ExtractionRun.objects.create(organization=project.organization, project=project, collections=[collection.pk])
    for number, field in sources:
        data = Record.objects.get(pk=ids[number]).data
        FieldSource.objects.create(
            organization=project.organization,
            record_id=ids[number],
            run=run,
            field=f"/{field}",
            value_digest=shape.value_digest(data.get(field.split("/")[0])),
        )
    Proposal.objects.create(
        organization=project.organization, run=run, project=project, collection=collection, number=1,
        entity_id="e", record_id=ids[1], status="accepted",
    )  # fmt: skip
    services.add_comment(actor=me, record_id=ids[1], text="Is this Sarah?")
    before = seen(ids)

    merge = services.merge_records(actor=me, winner_id=ids[0], loser_id=ids[1])
    between, left = seen(ids), RecordLink.objects.filter(target=ids[1], source__deleted_at=None).count()
    services.undo_merge(actor=me, merge_id=merge.pk)

    assert seen(ids) == before
    assert between != before
    assert left == 0


def people_document(slug):
    properties = {
        "name": {"type": "string"},
        "age": {"type": "integer"},
        "born": {"type": "string", "format": "date"},
        "is_alive": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "siblings": {"type": "array", "items": {"type": "string", "format": "uuid"}, "x-relation": slug},
    }
    return {"type": "object", "properties": properties, "required": ["name"], "additionalProperties": False}


# API


def post(api, path, body):
    return api.post(f"/api/v1/{path}", body, content_type="application/json")


def test_api_from_asking_to_joining_to_separating(api, me, collection):
    first = record(me, collection, **SARAH)
    body = {"collection": str(collection.pk), "data": SARAH}

    asked = post(api, "records/?on_duplicate=ask", body)
    made = post(api, "records/", body)
    joined = post(api, "records/?on_duplicate=merge", {**body, "data": {**SARAH, "age": 28}})
    listed = api.get("/api/v1/duplicates/", {"collection": str(collection.pk)}).json()["results"]
    near = api.get(f"/api/v1/records/{first.pk}/duplicates/").json()["results"]
    merge = post(api, f"records/{first.pk}/merge/", {"record": made.json()["id"]})
    loser = api.get(f"/api/v1/records/{made.json()['id']}/").json()
    merges = api.get(f"/api/v1/records/{first.pk}/merges/").json()["results"]
    back = post(api, f"record-merges/{merge.json()['id']}/undo/", {})
    apart = post(api, f"records/{first.pk}/apart/", {"record": made.json()["id"]})

    assert (asked.status_code, asked.json()["code"]) == (409, "record_maybe_duplicate")
    assert asked.json()["duplicates"][0]["record"] == str(first.pk)
    assert (made.status_code, made.json()["duplicates"][0]["verdict"]) == (201, "same")
    assert (joined.status_code, joined.json()["data"]["age"]) == (200, 28)
    assert [{row["one"]["id"], row["other"]["id"]} for row in listed] == [{str(first.pk), made.json()["id"]}]
    assert [row["record"] for row in near] == [made.json()["id"]]
    assert (merge.status_code, loser["merged_into"]) == (201, str(first.pk))
    assert [row["id"] for row in merges] == [merge.json()["id"]]
    assert (back.status_code, back.json()["undone_by"], apart.status_code) == (200, str(me.user_id), 204)
    assert api.get(f"/api/v1/records/{first.pk}/duplicates/").json()["results"] == []


@pytest.mark.parametrize("count", [1, 3, 30])
def test_lists_take_the_same_queries_for_any_number(api, me, collection, project, count, django_assert_max_num_queries):
    someone(project)
    first = record(me, collection, name="Sarah")
    for number in range(count):
        other = record(me, collection, name=f"Sarah {number}")
        if not Duplicate.objects.filter(other=other).exists():
            Duplicate.objects.create(
                organization=project.organization,
                collection=collection,
                project=project,
                one=first,
                other=other,
                score=0.5,
            )

    with django_assert_max_num_queries(4):
        answer = api.get("/api/v1/duplicates/", {"project": str(project.pk), "limit": 100})

    assert len(answer.json()["results"]) >= count
