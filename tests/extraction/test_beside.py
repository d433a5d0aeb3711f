"""Records of one collection written at the same moment: neither sees the other, and the pair is listed after both were committed."""

import dataclasses
import threading
import time

import pytest
from django.db import connection, connections, transaction

from apps.accounts.types import SYSTEM
from apps.core import coordinator
from apps.core.doors.consumers import consumers
from apps.core.eventlog import consumers as running
from apps.core.eventlog import sequencer
from apps.core.events import told_last
from apps.core.models import Event, EventDelivery
from apps.extraction import receivers, services
from apps.extraction.models import Duplicate, Record
from apps.extraction.types import OnDuplicate
from tests.conversations.factories import say, start
from tests.extraction.factories import answered, people

pytestmark = pytest.mark.django_db(transaction=True)
SARAH = {"name": "Sarah Silva", "born": "1998-02-01"}
SARA = {"name": "Sara Silva", "born": "1998-02-01"}


class Writer(threading.Thread):
    """Adds a record on a connection of its own; ``commits`` is set for it to end, once it did ``then``."""

    def __init__(self, me, collection, data, *, then=lambda: None, **how):
        super().__init__()
        self.wrote, self.commits, self.then, self.ended = threading.Event(), threading.Event(), then, False
        self.write = lambda: services.take_record(actor=me, collection_id=collection.pk, data=data, **how)

    def run(self):
        try:
            with transaction.atomic(), told_last():  # as operations write: nobody waits for a topic meanwhile
                self.taken = self.write()
                self.wrote.set()
                self.commits.wait(30)
                self.then()
            self.ended = True
        finally:
            self.wrote.set()
            connections.close_all()

    def begin(self):
        self.start()
        self.wrote.wait(30)
        return self

    def end(self):
        self.commits.set()
        self.join(30)


def beside():
    """Events that say so, as the consumer is given them."""
    rows = Event.objects.filter(type="extraction.record_created").order_by("topic_position", "id")
    return receivers.were_beside_others(list(rows))


def pairs():
    return {frozenset(pair) for pair in Duplicate.objects.values_list("one_id", "other_id")}


def test_pair_of_two_writers_is_listed_after_the_commit(me, project):
    collection = people(me, project)
    first = Writer(me, collection, SARAH).begin()
    second = Writer(me, collection, SARA).begin()
    assert (first.taken.candidates, second.taken.candidates) == ((), ())

    second.end()  # the other one is still at it: whoever looks waits for it
    told = beside()
    looking = threading.Thread(target=lambda: (receivers.look_beside(told[0]), connections.close_all()))
    looking.start()
    looking.join(0.3)
    assert looking.is_alive()
    first.end()
    looking.join(30)

    assert [event.payload["record_id"] for event in told] == [str(second.taken.record.pk)]
    assert pairs() == {frozenset({first.taken.record.pk, second.taken.record.pk})}
    receivers.look_beside(told[0])
    assert Duplicate.objects.count() == 1
    assert beside() == told


def test_of_many_events_at_once_none_holds_what_another_waits_for(me, project, caplog):
    """The pair of the first is found; then somebody is alone in the collection, for whom the second waits, and joins into a record of the
    first: they wait for each other if the first is still held.
    """
    collection = people(me, project)
    was_there = services.create_record(actor=me, collection_id=collection.pk, data=SARAH)
    consumer = consumers.get("extraction.beside")
    running.ensure_cursor(consumer)
    alone = Writer(me, collection, {"name": "Tomás Costa"}).begin()
    first, second = Writer(me, collection, SARA).begin(), Writer(me, collection, {"name": "Zoe Zimmer"}).begin()
    for each in (first, second, alone):
        each.end()
    assert len(beside()) == 2
    with coordinator.own_connection() as own:
        sequencer.sequence(own)
    looked, goes_on = threading.Event(), threading.Event()

    def handle(event):
        consumer.handle(event)
        looked.set()
        goes_on.wait(30)

    def consume():
        turn = running.step(dataclasses.replace(consumer, handle=handle))
        for _turn in range(3):
            turn()
        connections.close_all()

    consuming = threading.Thread(target=consume)
    consuming.start()
    assert looked.wait(30)

    merging = Writer(
        me,
        collection,
        {"name": "Igor Ivanov"},
        then=lambda: services.take_record(
            actor=me, collection_id=collection.pk, data={**SARAH, "age": 28}, on_duplicate=OnDuplicate.MERGE
        ),
    ).begin()
    goes_on.set()
    until_somebody_waits_for_the_collection()
    merging.end()
    consuming.join(30)

    was_there.refresh_from_db()
    assert (merging.ended, was_there.data["age"]) == (True, 28)
    assert pairs() == {frozenset({was_there.pk, first.taken.record.pk})}
    assert "consumer_failed" not in caplog.text
    assert not EventDelivery.objects.exists()


def until_somebody_waits_for_the_collection():
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            if cursor.fetchone()[0]:
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits")


def test_of_two_that_were_not_alone_the_later_one_finds_the_other(me, project):
    collection = people(me, project)
    alone = Writer(me, collection, {"name": "Tomás Costa"}).begin()
    first, second = Writer(me, collection, SARAH).begin(), Writer(me, collection, SARA).begin()
    alone.end()
    first.end()
    services.list_beside(actor=SYSTEM, record_id=first.taken.record.pk)
    assert pairs() == set()

    second.end()
    for event in beside():
        receivers.look_beside(event)

    assert pairs() == {frozenset({first.taken.record.pk, second.taken.record.pk})}


def test_who_is_alone_is_not_looked_at_again(me, project):
    collection, other = people(me, project), people(me, project, name="Others", slug="others")
    Writer(me, collection, SARAH).begin().end()
    elsewhere = Writer(me, other, SARAH).begin()
    unasked = Writer(me, collection, SARA, on_duplicate=OnDuplicate.NEW).begin()
    Writer(me, collection, {"name": "Zoe"}).begin().end()
    unasked.end()
    elsewhere.end()

    assert beside() == []
    assert services.list_beside(actor=SYSTEM, record_id=Record.objects.get(title="Zoe").pk) == 0
    services.delete_record(actor=me, record_id=Record.objects.get(title="Zoe").pk)
    assert services.list_beside(actor=SYSTEM, record_id=Record.objects.get(title="Zoe").pk) == 0


def test_pair_of_two_readings_of_a_trusted_collection_is_listed(me, project):
    """Nobody looks at what is trusted, so the pair has to be told of."""
    collection = people(me, project, trust="accept")
    said = [say(me, start(me, project), f"{data['name']}, born {data['born']}").message for data in (SARAH, SARA)]
    runs = [services.request_extraction(actor=me, project_id=project.pk, message_id=each.pk) for each in said]
    readers = []
    for run, data in zip(runs, (SARAH, SARA), strict=True):
        reader = Writer(me, collection, data)
        entity = {"collection": "people", "id": "e1", "fields": data}
        reader.write = lambda run=run, entity=entity: answered(run, entity)
        readers.append(reader.begin())
    for reader in readers:
        reader.end()

    for event in beside():
        receivers.look_beside(event)

    assert Record.objects.count() == 2
    assert pairs() == {frozenset(Record.objects.values_list("pk", flat=True))}
