"""What happens to records beside what people do: they end, are taken along, are found, and are checked."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from apps.accounts.types import SYSTEM
from apps.core.doors.consumers import consumers
from apps.core.doors.exporters import ExportScope, exporters, person_exporters
from apps.core.doors.invariants import invariants
from apps.core.models import Event
from apps.extraction import selectors, services
from apps.extraction.models import (
    Collection,
    CollectionSchema,
    Duplicate,
    ExtractionRun,
    Proposal,
    Record,
    RecordMerge,
    RecordRevision,
    RecordTally,
    TargetChange,
)
from apps.extraction.services import upkeep
from tests.accounts.factories import ProjectFactory, UserFactory, actor_of
from tests.conversations.factories import say, start
from tests.extraction.factories import people, places, read_as, record

pytestmark = pytest.mark.django_db

SARAH = {"collection": "people", "id": "Sarah", "fields": {"name": "Sarah"}}


@pytest.fixture
def collection(me, project):
    return people(me, project)


def long_ago(**which):
    Record.objects.filter(deleted_at__isnull=False, **which).update(deleted_at=timezone.now() - timedelta(days=31))


def test_deleted_record_ends_after_thirty_days_with_its_history(me, project, collection):
    gone, fresh, kept = (record(me, collection, name=name, age=1) for name in ("Gone", "Fresh", "Kept"))
    run = ExtractionRun.objects.create(organization=project.organization, project=project, collections=[collection.pk])
    proposal = Proposal.objects.create(
        organization=project.organization, run=run, project=project, collection=collection, number=1, entity_id="e",
        record=gone, status="accepted",
    )  # fmt: skip
    for each in (gone, fresh):
        services.delete_record(actor=me, record_id=each.pk)
    long_ago(pk=gone.pk)

    assert services.erase_deleted(actor=SYSTEM) == 1
    assert services.erase_deleted(actor=SYSTEM) == 0

    assert set(Record.objects.values_list("pk", flat=True)) == {fresh.pk, kept.pk}
    assert not RecordRevision.objects.filter(record=gone.pk).exists()
    proposal.refresh_from_db()
    assert proposal.record_id is None
    assert Event.objects.get(type="extraction.records_erased").payload == {"count": 1}


def test_record_that_others_point_to_stays_until_they_do_not(me, collection):
    sarah = record(me, collection, name="Sarah")
    tom = record(me, collection, name="Tomás", siblings=[str(sarah.pk)])
    services.delete_record(actor=me, record_id=sarah.pk)
    long_ago()

    assert services.erase_deleted(actor=SYSTEM) == 0
    services.change_record(actor=me, record_id=tom.pk, changes={"age": 3})
    services.change_record(actor=me, record_id=tom.pk, changes={"siblings": None})

    assert services.erase_deleted(actor=SYSTEM) == 1


def test_joined_record_stays_as_long_as_the_one_it_went_into(me, collection):
    a, b, c = (record(me, collection, name=name) for name in ("Sarah", "Sara", "Zara"))
    services.merge_records(actor=me, winner_id=b.pk, loser_id=c.pk)
    services.merge_records(actor=me, winner_id=a.pk, loser_id=b.pk)
    long_ago()

    assert services.erase_deleted(actor=SYSTEM) == 0
    services.delete_record(actor=me, record_id=a.pk)
    long_ago()

    assert services.erase_deleted(actor=SYSTEM) == 3
    assert not RecordMerge.objects.exists()


def test_deleted_collection_ends_with_its_records(me, project, collection):
    other = places(me, ProjectFactory(organization=project.organization))
    record(me, collection, name="Sarah")
    services.delete_collection(actor=me, collection_id=collection.pk)

    assert services.erase_deleted(actor=SYSTEM) == 0
    Collection.objects.filter(pk=collection.pk).update(deleted_at=timezone.now() - timedelta(days=31))
    assert services.erase_deleted(actor=SYSTEM) == 1

    assert not Collection.objects.filter(pk=collection.pk).exists()
    assert not CollectionSchema.objects.filter(collection=collection.pk).exists()
    assert Collection.objects.filter(pk=other.pk).exists()
    assert Event.objects.filter(type="extraction.collection_erased").count() == 1


def test_number_of_records_is_known_without_counting(me, project, collection):
    def said():
        return selectors.count_records([collection]).get(collection.pk, 0)

    kept, gone, other = (record(me, collection, name=name) for name in ("Sarah", "Tomás", "Zoe"))
    services.delete_record(actor=me, record_id=gone.pk)
    services.merge_records(actor=me, winner_id=kept.pk, loser_id=other.pk)
    assert said() == 1

    services.restore_record(actor=me, record_id=gone.pk)
    with transaction.atomic():
        record(me, collection, name="Nobody")
        transaction.set_rollback(True)
    assert said() == 2
    assert services.add_up_tallies(actor=SYSTEM) > 1
    assert (said(), RecordTally.objects.filter(collection=collection).count()) == (2, 1)
    Record.objects.filter(pk=gone.pk).update(deleted_at=timezone.now() - timedelta(days=40))
    services.erase_deleted(actor=SYSTEM)
    assert said() == 1


def test_export_has_collections_records_and_their_history(me, project, collection):
    sarah = record(me, collection, name="Sarah")
    services.change_record(actor=me, record_id=sarah.pk, changes={"age": 28})
    scope = ExportScope(me, project.organization_id, project.pk)

    found = {kind: list(exporters.get(kind).rows(scope)) for kind in ("collections", "records", "record_revisions")}

    assert {row["slug"] for row in found["collections"]} == {"people", "places"}
    assert [row["data"] for row in found["records"]] == [{"name": "Sarah", "age": 28}]
    assert [row["kind"] for row in found["record_revisions"]] == ["created", "changed"]
    assert json.dumps(found)
    stranger = ExportScope(actor_of(UserFactory()), project.organization_id, project.pk)
    assert [list(exporters.get(kind).rows(stranger)) for kind in found] == [[], [], []]


def test_export_has_what_was_suggested_said_and_decided(me, owner, project, collection):
    message = say(me, start(me, project), "Sarah and her brother Tomás").message
    run = read_as(me, project, SARAH, message_id=message.pk)
    sarah = services.accept_proposal(actor=me, proposal_id=Proposal.objects.get(run=run).pk)
    sara = record(me, collection, name="Sara", siblings=[str(sarah.pk)])
    services.add_comment(actor=me, record_id=sarah.pk, text="She was there.")
    services.keep_view(actor=me, collection_id=collection.pk, name="All", state={})
    services.merge_records(actor=me, winner_id=sarah.pk, loser_id=record(me, collection, name="Sarah S").pk)
    kinds = [
        "field_sources",
        "record_links",
        "record_comments",
        "record_views",
        "extractions",
        "proposals",
        "record_merges",
    ]
    scope = ExportScope(me, project.organization_id, project.pk)

    found = {kind: list(exporters.get(kind).rows(scope)) for kind in kinds}

    assert [(row["record"], row["field"], row["message_id"]) for row in found["field_sources"]] == [
        (str(sarah.pk), "/name", str(message.pk))
    ]
    assert [(row["source"], row["target"]) for row in found["record_links"]] == [(str(sara.pk), str(sarah.pk))]
    assert [row["text"] for row in found["record_comments"]] == ["She was there."]
    assert [(row["status"], row["decided_by"]) for row in found["proposals"]] == [("accepted", str(owner.pk))]
    assert [len(rows) for rows in found.values()] == [1] * len(kinds)
    assert json.dumps(found)
    stranger = ExportScope(actor_of(UserFactory()), project.organization_id, project.pk)
    assert [list(exporters.get(kind).rows(stranger)) for kind in kinds] == [[]] * len(kinds)
    mine = person_exporters.get("extraction").rows(owner.pk)
    assert len(mine["record_versions"]) == 4
    assert [len(mine[kind]) for kind in ("decided_suggestions", "joinings", "extractions", "comments")] == [1, 1, 1, 1]


BREAK = {
    "extraction.history_is_whole": "UPDATE extraction_record SET version = 9 WHERE title = 'Sarah'",
    "extraction.deleted_hold_nothing": "UPDATE extraction_record SET deleted_at = now() WHERE title = 'Sarah'",
    "extraction.joined_are_told": "UPDATE extraction_record SET merged_into_id = id WHERE title = 'Sarah'",
    "extraction.links_are_followed": """UPDATE extraction_recordlink SET target_id = (
        SELECT id FROM extraction_record WHERE merged_into_id IS NOT NULL)""",
    "extraction.links_are_in_the_data": "UPDATE extraction_recordlink SET field = 'parents'",
    "extraction.numbers_are_true": """UPDATE extraction_recordtally SET number = number + 1 WHERE id = (
        SELECT min(id::text)::uuid FROM extraction_recordtally)""",
}


@pytest.mark.parametrize("name", sorted(BREAK))
def test_doctor_finds_what_is_wrong(me, project, name):
    collection = people(me, project, unique_keys=[["name"]])
    sarah, sara = record(me, collection, name="Sarah"), record(me, collection, name="Sara")
    record(me, collection, name="Tomás", siblings=[str(sarah.pk)])
    services.merge_records(actor=me, winner_id=sarah.pk, loser_id=sara.pk)
    check = invariants.get(name).check

    assert not check()
    with connection.cursor() as cursor:
        cursor.execute(BREAK[name])

    assert len(check()) == 1


def test_table_says_that_a_key_does_not_hold_yet_and_leads_to_the_pairs(client, owner, project):
    me = actor_of(owner)
    collection = people(me, project)
    for age in (28, 71):
        record(me, collection, name="Sarah", age=age)
    record(me, collection, name="Tomás", age=3)
    client.force_login(owner)
    address = f"/records/{collection.pk}/"
    assert "unique key" not in client.get(address).content.decode()

    services.change_collection(actor=me, collection_id=collection.pk, changes={"unique_keys": [["name"]]})
    during = client.get(address).content.decode()
    services.reshape_records(actor=SYSTEM)
    after = client.get(address).content.decode()

    assert "a unique key does not hold for every record" in during
    assert "a unique key does not hold for every record" not in after
    assert "1 pair of records has the same values of a unique key" in after
    assert f"/records/{collection.pk}/duplicates/" in after
    pair = Duplicate.objects.get()
    services.change_record(actor=me, record_id=pair.one_id, changes={"name": "Sara"})
    assert "the same values of a unique key" not in client.get(address).content.decode()


def told_of_targets():
    """What the log says, given to the consumer that follows what records point to, and the upkeep after it; how many events it took."""
    consumer = consumers.get("extraction.targets")
    rows = Event.objects.filter(type__in=consumer.types).order_by("insertion")
    taken = consumer.pick(list(rows))
    for event in taken:
        consumer.handle(event)
    services.reshape_records(actor=SYSTEM)
    return len(taken)


def test_record_lacks_what_it_points_to_while_that_is_deleted(me, project):
    collection = people(me, project, needed=["lives_in", "siblings"])
    town = Collection.objects.get(slug="places")
    port, inn, mill = (record(me, town, name=name) for name in ("Port", "Inn", "Mill"))
    ana = record(me, collection, name="Ana", lives_in=str(port.pk))
    rui = record(me, collection, name="Rui", lives_in=str(port.pk), siblings=[str(ana.pk)])
    zoe = record(me, collection, name="Zoe", lives_in=str(inn.pk), siblings=[str(ana.pk), str(rui.pk)])

    def shown():
        rows = selectors.list_records(collection=collection, is_complete=False).order_by("title")
        return [(row.title, row.missing, row.version) for row in rows]

    for gone in (port, ana, mill):  # nobody points to the mill
        services.delete_record(actor=me, record_id=gone.pk)
    assert told_of_targets() == 2
    lacking = ("Rui", ["lives_in", "siblings"], 1)
    assert shown() == [lacking]
    assert [row.payload["became_incomplete"] for row in Event.objects.filter(type="extraction.records_reshaped")] == [1]
    assert told_of_targets() == 2
    Record.objects.filter(pk=rui.pk).update(shape_number=0)
    services.reshape_records(actor=SYSTEM)
    assert shown() == [lacking]

    services.change_record(actor=me, record_id=rui.pk, changes={"age": 3})
    assert shown() == [("Rui", ["lives_in", "siblings"], 2)]
    services.change_record(actor=me, record_id=rui.pk, changes={"siblings": [str(zoe.pk)]})
    services.restore_record(actor=me, record_id=port.pk)
    told_of_targets()

    assert shown() == []
    *_before, last = Event.objects.filter(type="extraction.records_reshaped").order_by("insertion")
    assert last.payload == {"collection_id": str(collection.pk), "became_complete": 1, "became_incomplete": 0}


@pytest.fixture
def pointing(me, project, monkeypatch):
    """Five people who live in one place, where the upkeep takes two at once: the place, and those who lack it now."""
    monkeypatch.setattr(upkeep, "SHAPED_AT_ONCE", 2)
    collection = people(me, project, needed=["lives_in"])
    port = record(me, Collection.objects.get(slug="places"), name="Port")
    for name in "ABCDE":
        record(me, collection, name=name, lives_in=str(port.pk))
    return port, lambda: "".join(
        Record.objects.filter(missing=["lives_in"], is_complete=False).order_by("title").values_list("title", flat=True)
    )


def changed(record_id):
    services.follow_target(actor=SYSTEM, record_id=record_id)


def test_many_who_point_to_one_are_gone_over_in_pieces_that_are_kept(me, pointing):
    port, lacking = pointing
    services.delete_record(actor=me, record_id=port.pk)
    for _twice in range(2):
        changed(port.pk)
    assert lacking() == ""

    after_each = []
    while services.reshape_records(actor=SYSTEM, seconds=0.0):  # each turn ends after one piece
        after_each.append(lacking())

    assert sorted(set(after_each)) == ["AB", "ABCD", "ABCDE"]
    assert not TargetChange.objects.exists()
    told = [row.payload["became_incomplete"] for row in Event.objects.filter(type="extraction.records_reshaped")]
    assert told == [2, 2, 1]


def test_upkeep_that_ends_between_two_pieces_goes_by_what_is_there_when_it_goes_on(me, pointing):
    port, lacking = pointing
    services.delete_record(actor=me, record_id=port.pk)
    changed(port.pk)
    services.reshape_records(actor=SYSTEM, seconds=0.0)
    assert lacking() == "AB"

    services.restore_record(actor=me, record_id=port.pk)
    changed(port.pk)
    services.reshape_records(actor=SYSTEM)
    assert lacking() == ""

    for write in (services.delete_record, services.restore_record):
        write(actor=me, record_id=port.pk)
        changed(port.pk)
    before = Event.objects.filter(type="extraction.records_reshaped").count()
    services.reshape_records(actor=SYSTEM)
    assert lacking() == ""
    assert Event.objects.filter(type="extraction.records_reshaped").count() == before


@contextmanager
def held_by_somebody_else(rows):
    other = connection.copy()
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute(f"SELECT id FROM {rows} FOR UPDATE")
        yield
        other.rollback()
    finally:
        other.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("held", "others"), [("B", "ACDE"), ("AB", "")])
def test_whoever_is_held_meanwhile_is_caught_up_and_holds_up_nobody(me, pointing, held, others):
    """A piece that is held as a whole keeps those after it waiting, and no other record."""
    port, lacking = pointing
    inn = record(me, Collection.objects.get(slug="places"), name="Inn")
    record(me, Collection.objects.get(slug="people"), name="Z", lives_in=str(inn.pk))
    for gone in (port, inn):
        services.delete_record(actor=me, record_id=gone.pk)
    with held_by_somebody_else(f"extraction_record WHERE title = ANY('{{{','.join(held)}}}')"):
        for gone in (port, inn):
            changed(gone.pk)
        services.reshape_records(actor=SYSTEM)
        assert lacking() == f"{others}Z"
        assert services.reshape_records(actor=SYSTEM) == 0  # it ends although something is left
        assert TargetChange.objects.get().target_id == port.pk

    services.reshape_records(actor=SYSTEM)
    assert lacking() == "ABCDEZ"
    assert not TargetChange.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_upkeep_that_runs_twice_at_once_goes_over_each_once(me, pointing):
    port, lacking = pointing
    services.delete_record(actor=me, record_id=port.pk)
    for _twice in range(2):
        changed(port.pk)
    with held_by_somebody_else("extraction_targetchange"):
        assert services.reshape_records(actor=SYSTEM) == 0
    both = threading.Barrier(2)

    def reshape():
        try:
            both.wait()
            services.reshape_records(actor=SYSTEM)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(reshape) for _each in range(2)]:
            done.result()
    services.reshape_records(actor=SYSTEM)  # what one held while the other asked

    assert lacking() == "ABCDE"
    assert not TargetChange.objects.exists()
    told = [row.payload["became_incomplete"] for row in Event.objects.filter(type="extraction.records_reshaped")]
    assert sum(told) == 5


def test_two_that_need_each_other_are_complete_when_both_are_there(me, project):
    collection = people(me, project, needed=["siblings"])
    ana = record(me, collection, name="Ana")
    rui = record(me, collection, name="Rui", siblings=[str(ana.pk)])
    services.change_record(actor=me, record_id=ana.pk, changes={"siblings": [str(rui.pk)]})

    def after(write, which):
        write(actor=me, record_id=which.pk)
        told_of_targets()
        return [row.title for row in Record.objects.filter(deleted_at=None, is_complete=False).order_by("title")]

    assert after(services.delete_record, ana) == ["Rui"]
    assert after(services.restore_record, ana) == []
    assert after(services.delete_record, rui) == ["Ana"]
    assert after(services.delete_record, ana) == []
    assert after(services.restore_record, rui) == ["Rui"]
    assert after(services.restore_record, ana) == []
