"""A collection as a live topic: who may follow it, and what they are told."""

import pytest
from django.db import connection, transaction

from apps.core.doors.topics import TopicEvent
from apps.core.events import topic_position
from apps.core.models import Event
from apps.extraction import services
from apps.extraction.topics import CollectionTopic
from apps.live import bells
from tests.accounts.factories import UserFactory, actor_of, member_of
from tests.extraction.factories import places, record

pytestmark = pytest.mark.django_db
TOPIC = CollectionTopic()


def told(collection, after=0):
    rows = Event.objects.filter(topic=collection.scope.topic, topic_position__gt=after).order_by("topic_position")
    return [
        TopicEvent(row.pk, row.topic_position, row.type, row.type, row.payload, row.subject_id, row.actor_id)
        for row in rows
    ]


def test_topic_is_for_who_sees_the_collection_as_they_see_it_now(me, project):
    collection, other = places(me, project), actor_of(member_of(project))
    assert TOPIC.is_allowed(other, collection.pk)
    assert not TOPIC.is_allowed(actor_of(UserFactory()), collection.pk)

    services.change_collection(actor=me, collection_id=collection.pk, changes={"visibility": "named"})
    assert not TOPIC.is_allowed(other, collection.pk)
    assert TOPIC.is_allowed(me, collection.pk)
    services.name_reader(actor=me, collection_id=collection.pk, user_id=other.user_id)
    assert TOPIC.is_allowed(other, collection.pk)
    assert not TOPIC.may_write(other, collection.pk)


def test_followers_are_told_of_records_and_of_the_rest_that_it_happened(me, project):
    collection = places(me, project)
    before = TOPIC.snapshot(me, collection.pk)
    assert before.topic_position == topic_position(collection.scope.topic)
    assert before.data["collection"] == {"id": str(collection.pk), "version": 1, "records": 0}

    made = record(me, collection, name="Alfama")
    services.change_record(actor=me, record_id=made.pk, changes={"name": "Belém"})
    services.keep_view(actor=me, collection_id=collection.pk, name="Mine", state={})
    services.delete_record(actor=me, record_id=made.pk)
    events = told(collection, before.topic_position)

    said = TOPIC.render(me, collection.pk, events)
    assert [each.type.removeprefix("extraction.") for each in events] == [
        *("record_created", "record_updated", "view_kept", "record_deleted"),
    ]
    assert [(each.get("record_id"), each.get("version")) for each in said] == [
        *((str(made.pk), 1), (str(made.pk), 2), (None, None), (str(made.pk), None)),
    ]
    assert said[2] == {}
    assert "Belém" not in str(said)


def test_one_transaction_rings_once(me, project):
    collection = places(me, project)

    with transaction.atomic():
        for name in ("Alfama", "Belém", "Chiado"):
            record(me, collection, name=name)
        waiting = [function for _savepoints, function, _robust in connection.run_on_commit]

    rings = [each.topic for each in waiting if isinstance(each, bells._Ring)]
    assert rings == [collection.scope.topic]
