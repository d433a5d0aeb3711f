"""Fields are renamed and converted while suggestions wait and records are joined: both follow, and what cannot is said."""

import copy

import pytest

from apps.accounts.types import SYSTEM
from apps.extraction import selectors, services
from apps.extraction.models import ExtractionRun, Proposal, Record, RecordMerge
from apps.extraction.types import FieldsGone
from tests.conversations.factories import say, start
from tests.extraction.factories import people, read_as, record

pytestmark = pytest.mark.django_db

WORDS = "Sarah Silva is 28 and writes for the press; her brother is Tomás."
SARAH = {"collection": "people", "id": "e1", "fields": {"name": "Sarah Silva", "age": 28, "tags": ["press"]}}
TOMAS = {"collection": "people", "id": "e2", "fields": {"name": "Tomás"}}
BROTHERS = {"from": "e1", "field": "siblings", "to": "e2"}


def renamed(me, collection, *gone, kinds=(), **names):
    """Another schema: fields are called otherwise, others go, ``kinds`` become of another type."""
    document = copy.deepcopy(
        selectors.schema_of(selectors.get_collection(collection_id=collection.pk, viewer=me)).document
    )
    properties = document["properties"]
    for each in properties.values():
        each.pop("x-was", None)
    for new, old in names.items():
        properties[new] = properties.pop(old) | {"x-was": old}
        document["required"] = [new if each == old else each for each in document["required"]]
    for name in gone:
        del properties[name]
    for name, kind in dict(kinds).items():
        properties[name] = {"type": kind}
    return services.change_collection(actor=me, collection_id=collection.pk, changes={"document": document})


def test_suggestions_that_wait_follow_their_collection(me, project):
    collection = people(me, project)
    message = say(me, start(me, project), WORDS).message
    run = read_as(me, project, SARAH, TOMAS, links=[BROTHERS], message_id=message.pk)
    renamed(me, collection, "tags", kinds={"age": "string"}, full_name="name", family="siblings")
    renamed(me, collection, whole_name="full_name")

    assert services.bring_proposals(actor=SYSTEM) == 2
    assert services.bring_proposals(actor=SYSTEM) == 0

    sarah, tomas = Proposal.objects.filter(run=run).order_by("number")
    assert (sarah.data, sarah.problems) == ({"whole_name": "Sarah Silva", "age": "28"}, [])
    assert {each["field"]: WORDS[each["start"] : each["end"]] for each in sarah.sources} == {
        "/whole_name": "Sarah Silva",
        "/age": "28",
    }
    lost = ExtractionRun.objects.get().unplaced
    assert [(each["value"], each["reason"], each["field"], each["entity"]) for each in lost] == [
        (["press"], "field_gone", "/tags", "e1")
    ]
    brother = services.accept_proposal(actor=me, proposal_id=tomas.pk)
    sister = services.accept_proposal(actor=me, proposal_id=sarah.pk)
    assert sister.data == {"whole_name": "Sarah Silva", "age": "28", "family": [str(brother.pk)]}


def test_accepting_does_not_wait_for_the_sweep(me, project):
    collection = people(me, project)
    message = say(me, start(me, project), WORDS).message
    run = read_as(me, project, TOMAS, message_id=message.pk)
    Proposal.objects.update(schema_number=0)  # as rows from before this was noted
    renamed(me, collection, full_name="name")

    made = services.accept_proposal(actor=me, proposal_id=Proposal.objects.get(run=run).pk, changes={"age": 30})

    assert made.data == {"full_name": "Tomás", "age": 30}
    assert [(row.field, WORDS[row.start : row.end]) for row in selectors.sources_of(made)] == [("/full_name", "Tomás")]


def joined(me, project):
    collection = people(me, project)
    winner = record(me, collection, name="Sarah", tags=["a"])
    loser = record(me, collection, name="Sara", age=28, tags=["b"])
    pointing = record(me, collection, name="Tomás", siblings=[str(loser.pk)])
    merge = services.merge_records(actor=me, winner_id=winner.pk, loser_id=loser.pk)
    return collection, winner, loser, pointing, merge


@pytest.mark.parametrize("is_brought_along", [True, False])
def test_joining_is_undone_after_fields_were_renamed_and_converted(me, project, is_brought_along):
    collection, winner, loser, pointing, merge = joined(me, project)
    renamed(me, collection, kinds={"age": "string"}, full_name="name", labels="tags", family="siblings")
    if is_brought_along:
        for pk in (winner.pk, pointing.pk):
            services.migrate_record(actor=me, record_id=pk)
        assert Record.objects.get(pk=winner.pk).data == {"full_name": "Sarah", "age": "28", "labels": ["a", "b"]}

    services.undo_merge(actor=me, merge_id=merge.pk)

    rows = Record.objects.in_bulk([winner.pk, loser.pk, pointing.pk])
    assert rows[winner.pk].data == {"full_name": "Sarah", "labels": ["a"]}
    assert rows[loser.pk].data == {"full_name": "Sara", "age": "28", "labels": ["b"]}
    assert rows[loser.pk].deleted_at is None
    assert rows[pointing.pk].data == {"full_name": "Tomás", "family": [str(loser.pk)]}


def test_joining_stays_when_a_value_would_be_lost(me, project):
    collection, winner, _loser, _pointing, merge = joined(me, project)
    renamed(me, collection, "tags")

    with pytest.raises(FieldsGone) as refused:
        services.undo_merge(actor=me, merge_id=merge.pk)

    assert (refused.value.status, [each.field for each in refused.value.fields]) == (409, ["data.tags"])
    assert "“tags”" in refused.value.detail
    assert Record.objects.get(pk=winner.pk).data["tags"] == ["a", "b"]
    assert RecordMerge.objects.get().undone_at is None


def test_records_of_two_schemas_are_joined_by_that_of_today(me, project):
    collection = people(me, project)
    old = record(me, collection, name="Sara", age=28)
    renamed(me, collection, full_name="name")
    new = record(me, collection, full_name="Sarah")

    services.merge_records(actor=me, winner_id=old.pk, loser_id=new.pk)

    kept = Record.objects.get(pk=old.pk)
    assert (kept.data, kept.schema_number) == ({"full_name": "Sara", "age": 28}, 2)
