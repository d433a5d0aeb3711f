"""What goes into a record that is there, and who points to it meanwhile: nothing is replaced unseen, nothing points to what is gone."""

import threading
import time
from contextlib import suppress

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from apps.bulk import engine
from apps.bulk.models import Item
from apps.core.doors.invariants import invariants
from apps.core.errors import NotFound
from apps.core.events import told_last
from apps.core.models import Event
from apps.extraction import selectors, services, targets
from apps.extraction.models import FieldSource, Proposal, Record, RecordLink, RecordMerge
from apps.extraction.types import RecordMerged
from tests.bulk.factories import counts, planned
from tests.conversations.factories import say, start
from tests.extraction.factories import people, read_as, record

SARAH = {"name": "Sarah Silva", "born": "1998-02-01"}
WORDS = "Sarah Silva, born 1998-02-01, writes for the press in Porto and is 28."


@pytest.fixture
def read(me, project):
    message = say(me, start(me, project), WORDS).message

    def read(**fields):
        entity = {"collection": "people", "id": "e1", "fields": fields}
        return Proposal.objects.get(run=read_as(me, project, entity, message_id=message.pk))

    return read


def words_of(found):
    return {row.field: WORDS[row.start : row.end] for row in selectors.sources_of(found) if row.method}


@pytest.mark.django_db
def test_trusted_and_surely_the_same_joins_and_can_be_separated(me, project, read):
    there = record(me, people(me, project, trust="accept"), **SARAH, tags=["a"])

    proposal = read(**SARAH, age=28, tags=["press", "a"])

    there.refresh_from_db()
    assert (proposal.status, proposal.record_id, proposal.decided_by) == ("accepted", there.pk, None)
    assert there.data == {**SARAH, "age": 28, "tags": ["a", "press"]}
    assert words_of(there) == {"/age": "28", "/tags/1": "press"}
    services.undo_merge(actor=me, merge_id=RecordMerge.objects.get().pk)
    there.refresh_from_db()
    proposal.refresh_from_db()
    assert there.data == {**SARAH, "tags": ["a"]}
    assert proposal.record is not None
    assert proposal.record.data == {**SARAH, "age": 28, "tags": ["press", "a"]}
    assert words_of(proposal.record) == {
        "/name": "Sarah Silva",
        "/born": "1998-02-01",
        "/age": "28",
        "/tags/0": "press",
    }
    assert words_of(there) == {}


@pytest.mark.django_db
def test_trusted_that_says_otherwise_waits_for_a_person_who_wins(me, project, read):
    there = record(me, people(me, project, trust="accept"), **SARAH, age=27, tags=["a"])

    proposal = read(**SARAH, age=28, tags=["press"])

    there.refresh_from_db()
    assert (proposal.status, there.version) == ("pending", 1)
    services.accept_proposal(actor=me, proposal_id=proposal.pk, into=there.pk)
    there.refresh_from_db()
    assert there.data == {**SARAH, "age": 28, "tags": ["a", "press"]}
    assert RecordMerge.objects.get().before == {"age": 27, "tags": ["a"]}


@pytest.mark.django_db
def test_what_says_nothing_new_changes_nothing(me, project, read):
    there = record(me, people(me, project, trust="accept"), **SARAH)

    proposal = read(**SARAH)

    there.refresh_from_db()
    assert (proposal.status, there.version, Record.objects.count()) == ("accepted", 1, 1)
    assert words_of(there) == {"/name": "Sarah Silva", "/born": "1998-02-01"}


@pytest.mark.django_db
def test_what_could_be_no_record_of_its_own_is_a_change(me, project, read):
    there = record(me, people(me, project, unique_keys=[["name"]]), **SARAH, tags=["a"])

    proposal = read(name="Sarah Silva", tags=["press"])
    services.accept_proposal(actor=me, proposal_id=proposal.pk, on_duplicate="merge")

    there.refresh_from_db()
    assert (there.data["tags"], RecordMerge.objects.count()) == (["a", "press"], 0)
    assert words_of(there) == {"/name": "Sarah Silva", "/tags/1": "press"}


@pytest.mark.django_db
def test_names_with_slashes_keep_the_words_of_their_own_values_only(me, project):
    document = {"type": "object", "properties": {"name": {"type": "string"}, "height/cm": {"type": "integer"}}}
    services.create_collection(actor=me, project_id=project.pk, name="People", document=document)
    message = say(me, start(me, project), "Sarah is 170 tall").message
    entity = {"collection": "people", "id": "e1", "fields": {"name": "Sarah", "height/cm": 170}}
    proposal = Proposal.objects.get(run=read_as(me, project, entity, message_id=message.pk))
    made = services.accept_proposal(actor=me, proposal_id=proposal.pk)
    before = [row.field for row in selectors.sources_of(made)]

    changed = services.change_record(actor=me, record_id=made.pk, changes={"height/cm": 171})

    assert before == ["/height~1cm", "/name"]
    assert [row.field for row in selectors.sources_of(changed)] == ["/name"]
    assert FieldSource.objects.count() == 2


@pytest.mark.django_db
def test_record_of_a_title_is_looked_up_by_an_index(me, project):
    sarah = record(me, people(me, project), name="Sarah")
    of = {"organization": project.organization, "project": project, "collection_id": sarah.collection_id}
    Record.objects.bulk_create(Record(**of, schema_number=1, title=f"N{number}") for number in range(500))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE extraction_record")
        with CaptureQueriesContext(connection) as asked:
            found = targets.find_by_title(me, project_id=project.pk, slug="people", title="SARAH")
        cursor.execute(f"EXPLAIN {asked[-1]['sql']}")
        plan = " ".join(row[0] for row in cursor.fetchall())

    assert found == sarah.pk
    assert "extraction_record_named" in plan


# Two at once


def waits_for_a_lock():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return cursor.fetchone()[0]


def while_open(first, second):
    """``second`` begins while the transaction of ``first`` is open, and has to wait for its end."""
    failed = []

    def run():
        try:
            second()
        except Exception as error:  # noqa: BLE001
            failed.append(error)
        finally:
            connections.close_all()

    with transaction.atomic():
        first()
        other = threading.Thread(target=run)
        other.start()
        until = time.monotonic() + 1.5
        while not waits_for_a_lock() and other.is_alive() and time.monotonic() < until:
            time.sleep(0.01)
    other.join(10)
    assert failed == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("who_is_first", ["writer", "joiner"])
def test_nobody_points_to_one_that_is_joined_meanwhile(me, project, who_is_first):
    collection = people(me, project)
    sarah, sara = record(me, collection, **SARAH), record(me, collection, name="Sara")

    def write():
        record(me, collection, name="Tomás", siblings=[str(sara.pk)])

    def join():
        services.merge_records(actor=me, winner_id=sarah.pk, loser_id=sara.pk)

    while_open(*((write, join) if who_is_first == "writer" else (join, write)))

    assert Record.objects.get(title="Tomás").data["siblings"] == [str(sarah.pk)]
    assert list(RecordLink.objects.values_list("target", flat=True)) == [sarah.pk]
    assert invariants.get("extraction.links_are_followed").check() == []


@pytest.mark.django_db(transaction=True)
def test_set_back_points_to_who_the_other_became(me, project):
    collection = people(me, project)
    sarah, sara = record(me, collection, **SARAH), record(me, collection, name="Sara")
    tomas = record(me, collection, name="Tomás", siblings=[str(sara.pk)])
    services.change_record(actor=me, record_id=tomas.pk, changes={"siblings": None})
    services.merge_records(actor=me, winner_id=sarah.pk, loser_id=sara.pk)

    changed = services.set_back_record(actor=me, record_id=tomas.pk, number=1)

    assert changed.data["siblings"] == [str(sarah.pk)]
    with pytest.raises(RecordMerged):
        services.restore_record(actor=me, record_id=sara.pk)


@pytest.mark.django_db(transaction=True)
def test_operation_and_people_do_not_wait_for_each_other_for_ever(me, project):
    collection = people(me, project)
    rows = [record(me, collection, name=f"N{number}") for number in range(60)]
    refused = []

    def edit():
        try:
            for row in reversed(rows):
                services.change_record(actor=me, record_id=row.pk, changes={"tags": ["mine"]})
        except Exception as error:  # noqa: BLE001
            refused.append(error)
        finally:
            connections.close_all()

    operation = planned(me, project, "records.update", collection=str(collection.pk), data={"age": 3})
    person = threading.Thread(target=edit)
    person.start()
    engine.run_all()
    person.join(20)
    engine.run_all()

    assert refused == []
    assert (counts(operation), set(Item.objects.values_list("attempts", flat=True))) == ({"succeeded": 60}, {1})
    assert {(row.data["age"], *row.data["tags"]) for row in Record.objects.all()} == {(3, "mine")}


@pytest.mark.django_db
def test_facts_are_told_last_and_those_of_a_savepoint_that_was_rolled_back_never(me, project):
    collection = people(me, project)
    Event.objects.all().delete()

    with transaction.atomic(), told_last():
        first = record(me, collection, name="Ann")
        with suppress(NotFound), transaction.atomic():
            record(me, collection, name="Bob")
            raise NotFound
        assert not Event.objects.exists()
        record(me, collection, name="Cid")

    told = Event.objects.filter(type="extraction.record_created").order_by("topic_position")
    assert told.count() == 2
    assert told[0].subject_id == first.pk
