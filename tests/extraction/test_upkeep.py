"""What happens to records beside what people do: they end, are taken along, are found, and are checked."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from apps.accounts.types import SYSTEM
from apps.core.doors.exporters import ExportScope, exporters
from apps.core.doors.invariants import invariants
from apps.core.models import Event
from apps.extraction import services
from apps.extraction.models import (
    Collection,
    CollectionSchema,
    ExtractionRun,
    Proposal,
    Record,
    RecordMerge,
    RecordRevision,
)
from tests.accounts.factories import ProjectFactory, UserFactory, actor_of
from tests.extraction.factories import people, places, record

pytestmark = pytest.mark.django_db


@pytest.fixture
def me(owner):
    return actor_of(owner)


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


BREAK = {
    "extraction.history_is_whole": "UPDATE extraction_record SET version = 9 WHERE title = 'Sarah'",
    "extraction.deleted_hold_nothing": "UPDATE extraction_record SET deleted_at = now() WHERE title = 'Sarah'",
    "extraction.joined_are_told": "UPDATE extraction_record SET merged_into_id = id WHERE title = 'Sarah'",
    "extraction.links_are_followed": """UPDATE extraction_recordlink SET target_id = (
        SELECT id FROM extraction_record WHERE merged_into_id IS NOT NULL)""",
    "extraction.links_are_in_the_data": "UPDATE extraction_recordlink SET field = 'parents'",
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
