"""The event log under real writers, a real sequencer and real consumers."""

import contextlib
import os
import threading
import time
from dataclasses import dataclass
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from apps.core import coordinator
from apps.core.coordinator import Coordinator
from apps.core.correlation import caused_by
from apps.core.doors import Door
from apps.core.doors.consumers import Consumer, consumers
from apps.core.eventlog import consumers as running
from apps.core.eventlog import sequencer
from apps.core.events import ReactionTooDeep, emit, event
from apps.core.ids import uuid7
from apps.core.models import ConsumerCursor, Event, EventDelivery, Topic
from apps.core.types import SYSTEM, Scope

pytestmark = pytest.mark.django_db(transaction=True)


@event("tests.thing_happened.v1")
@dataclass(frozen=True)
class ThingHappened:
    thing_id: UUID
    number: int


def happen(number=0, topic="thing:1"):
    with transaction.atomic():
        return emit(ThingHappened(uuid7(), number), actor=SYSTEM, scope=Scope(topic))


@pytest.fixture(autouse=True)
def _no_sweeps(monkeypatch):
    """Those of the apps write events of their own: nothing here has workers, which is news."""
    monkeypatch.setattr(coordinator, "sweeps", Door("sweep"))


@contextlib.contextmanager
def coordinating():
    house = Coordinator()
    thread = threading.Thread(target=house.run)
    thread.start()
    try:
        assert house.is_leading.wait(5)
        yield house
    finally:
        house.stop()
        thread.join(10)


def sequence():
    with coordinator.own_connection() as own:
        return len(sequencer.sequence(own))


@pytest.fixture
def installed(monkeypatch, settings):
    settings.PARLANCE_TIME_SCALE = 0.001

    def install(consumer):
        monkeypatch.setitem(consumers._items, consumer.name, consumer)
        return consumer

    return install


def eventually(condition, seconds=5.0):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(0.01)
    raise AssertionError("did not become true in time")


def test_reader_by_position_misses_nothing_with_eight_writers():
    writers, each = 8, 60
    seen: list[tuple[int, UUID]] = []
    done = threading.Event()

    def write(writer):
        for number in range(each):
            with transaction.atomic():
                emit(ThingHappened(uuid7(), number), actor=SYSTEM, scope=Scope(f"thing:{writer}"))
                emit(ThingHappened(uuid7(), number), actor=SYSTEM, scope=Scope(f"other:{writer}"))
                if number % 7 == writer % 7:
                    time.sleep(0.01)  # a long transaction commits late, with low numbers
        connection.close()

    def read():
        last = 0
        while True:
            ended = done.is_set()
            rows = list(Event.objects.filter(position__gt=last).order_by("position").values_list("position", "id"))
            seen.extend(rows)
            if rows:
                last = rows[-1][0]
            elif ended:
                break
        connection.close()

    with coordinating():
        reader = threading.Thread(target=read)
        reader.start()
        threads = [threading.Thread(target=write, args=(writer,)) for writer in range(writers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        eventually(lambda: not Event.objects.filter(position=None).exists())
        done.set()
        reader.join()

    total = writers * each * 2
    assert [position for position, _id in seen] == list(range(1, total + 1))
    assert {pk for _position, pk in seen} == set(Event.objects.values_list("id", flat=True))
    for topic in Event.objects.values_list("topic", flat=True).distinct():
        numbers = Event.objects.filter(topic=topic).order_by("position").values_list("topic_position", flat=True)
        assert list(numbers) == list(range(1, each + 1))


def test_commit_reaches_a_consumer_within_fifty_milliseconds(installed):
    """At 50 events a second, p95, the best of four rounds. ``make bench`` measures it undisturbed; on a machine with more to
    do than it has cores this only shows that bells bring events, not the poll of half a second.
    """
    allowed = 0.05 if os.getloadavg()[0] < (os.cpu_count() or 1) else 0.4
    arrived: dict[UUID, float] = {}
    installed(Consumer("tests.clock", lambda logged: arrived.setdefault(logged.id, time.perf_counter())))
    best = 1.0

    with coordinating():
        for _round in range(4):
            sent = {}
            for number in range(40):
                made = happen(number)
                sent[made.id] = time.perf_counter()
                time.sleep(0.02)
            eventually(lambda sent=sent: sent.keys() <= arrived.keys())
            delays = sorted(arrived[pk] - at for pk, at in sent.items())
            best = min(best, delays[37])
            if best <= allowed:
                break

    assert best <= allowed


def test_position_stays_unique_and_goes_on_when_old_events_are_gone():
    happen()
    happen()
    assert sequence() == 2
    Event.objects.all().delete()
    happen()

    assert sequence() == 1
    assert Event.objects.get().position == 3


def test_event_that_is_rolled_back_takes_no_number():
    with contextlib.suppress(IntegrityError), transaction.atomic():
        emit(ThingHappened(uuid7(), 0), actor=SYSTEM, scope=Scope("thing:1"))
        raise IntegrityError
    happen()

    assert sequence() == 1
    assert list(Event.objects.values_list("position", "topic_position")) == [(1, 1)]


def test_emit_outside_a_transaction_is_refused():
    with pytest.raises(transaction.TransactionManagementError):
        emit(ThingHappened(uuid7(), 0), actor=SYSTEM, scope=Scope("thing:1"))

    assert not Event.objects.exists()


def test_reaction_deeper_than_eight_is_refused():
    with caused_by("chain", depth=8):
        happen()
    with caused_by("chain", depth=9), pytest.raises(ReactionTooDeep):
        happen()

    assert Event.objects.get().depth == 8


def test_endless_chain_of_reactions_stops_and_is_parked(installed):
    def emit_again(logged):
        emit(ThingHappened(uuid7(), 0), actor=SYSTEM, scope=Scope("thing:1"))

    consumer = installed(Consumer("tests.echo", emit_again))

    happen()
    running.ensure_cursor(consumer)
    for _turn in range(12):
        sequence()
        running.run_ordered(consumer)

    assert Event.objects.count() == 9
    assert EventDelivery.objects.get().state == "parked"
    deepest = Event.objects.order_by("-depth").first()
    assert deepest.causation_id == Event.objects.get(depth=7).pk
    assert len(set(Event.objects.exclude(depth=0).values_list("correlation_id", flat=True))) == 1


def test_failing_event_is_parked_after_five_attempts_and_the_cursor_goes_on(installed):
    handled, tries = [], []

    def handle(logged):
        tries.append(logged.payload["number"])
        if logged.payload["number"] == 1:
            Topic.objects.create(name="half done")
            raise RuntimeError("a sentence with a secret")
        handled.append(logged.payload["number"])

    installed(Consumer("tests.fails", handle))
    with coordinating():
        for number in range(3):
            happen(number)
        eventually(lambda: handled == [0, 2])

    parked = EventDelivery.objects.get()
    assert tries == [0, 1, 1, 1, 1, 1, 2]
    assert (parked.state, parked.attempts, parked.error) == ("parked", 5, "RuntimeError")
    assert not Topic.objects.filter(name="half done").exists()
    eventually(lambda: ConsumerCursor.objects.get(pk="tests.fails").position == 3)


def test_parked_event_is_replayed_once_the_consumer_is_repaired(installed, capsys):
    broken = [True]
    handled = []

    def handle(logged):
        if broken[0]:
            raise RuntimeError
        handled.append(logged.id)

    consumer = installed(Consumer("tests.repaired", handle))
    made = happen()
    sequence()
    running.ensure_cursor(consumer)
    for _turn in range(5):
        time.sleep(0.02)
        running.run_ordered(consumer)

    call_command("parked_events")
    with pytest.raises(SystemExit):
        call_command("replay_events", "tests.repaired", "--parked")
    broken[0] = False
    call_command("replay_events", "tests.repaired", "--event", str(made.id))

    assert handled == [made.id]
    assert not EventDelivery.objects.exists()
    assert f"tests.repaired  1  {made.id}  5 attempts  RuntimeError" in capsys.readouterr().out


def test_ordered_consumer_replays_from_a_position(installed):
    seen = []
    consumer = installed(Consumer("tests.seen", lambda logged: seen.append(logged.position)))
    for number in range(4):
        happen(number)
    sequence()
    running.ensure_cursor(consumer)
    running.run_ordered(consumer)

    call_command("replay_events", "tests.seen", "--after", "2")
    running.run_ordered(consumer)

    assert seen == [1, 2, 3, 4, 3, 4]


def test_parallel_consumer_goes_on_past_a_failing_event(installed):
    handled = []

    def handle(logged):
        if logged.payload["number"] == 0:
            raise RuntimeError
        handled.append(logged.payload["number"])

    installed(Consumer("tests.parallel", handle, order="parallel"))
    with coordinating():
        for number in range(5):
            happen(number)
        eventually(lambda: sorted(handled) == [1, 2, 3, 4])
        eventually(lambda: EventDelivery.objects.filter(state="parked").count() == 1)

    assert EventDelivery.objects.get().attempts == 5


def test_parallel_consumer_owes_only_what_it_picks(installed, caplog):
    seen, asked = [], []

    def pick(events):
        asked.append(len(events))
        if asked[-1] == 1:
            raise LookupError
        return [event for event in events if event.payload["number"] % 60 == 0]

    consumer = installed(
        Consumer(
            "tests.owes",
            lambda logged: seen.append(logged.payload["number"]),
            pick=pick,
            order="parallel",
            from_now=True,
        )
    )
    running.ensure_cursor(consumer)
    for number in range(130):
        happen(number)
    sequence()

    assert running.fan_out(consumer) == 3
    assert (asked, EventDelivery.objects.count(), ConsumerCursor.objects.get().position) == ([100, 30], 3, 130)
    while running.run_delivery(consumer):
        pass
    assert sorted(seen) == [0, 60, 120]

    assert running.replay(consumer, after=100) == 1
    happen(131)
    sequence()
    assert running.fan_out(consumer) == 1, "what cannot be picked from is owed all of it"
    assert "consumer_picks_badly" in caplog.text


def test_consumer_gets_only_its_types_and_no_refusals(installed):
    seen = []
    consumer = installed(Consumer("tests.types", lambda logged: seen.append(logged.type), frozenset({"tests.other"})))
    happen()
    sequence()
    running.ensure_cursor(consumer)
    running.run_ordered(consumer)

    assert seen == []
    assert ConsumerCursor.objects.get().position == 1


def test_consumer_picks_what_it_handles_and_goes_on_past_the_rest(installed, caplog):
    seen, asked = [], []

    def pick(events):
        asked.append(len(events))
        if asked[-1] == 1:
            raise LookupError
        return [event for event in events if event.payload["number"] % 2]

    consumer = installed(Consumer("tests.picks", lambda logged: seen.append(logged.payload["number"]), pick=pick))
    for number in range(5):
        happen(number)
    sequence()
    running.ensure_cursor(consumer)

    assert running.run_ordered(consumer) == 5
    assert (seen, asked) == ([1, 3], [5])

    happen(6)
    sequence()
    assert running.run_ordered(consumer) == 1
    assert seen == [1, 3, 6], "what cannot be picked from is handled all of it"
    assert "consumer_picks_badly" in caplog.text


def test_patient_consumer_looks_once_at_what_comes_close_together(installed, settings):
    settings.PARLANCE_TIME_SCALE = 1.0
    seen, looks = [], []

    def pick(events):
        looks.append(len(events))
        return events

    installed(Consumer("tests.patient", lambda logged: seen.append(logged.position), pick=pick, patience_seconds=1.0))
    with coordinating():
        eventually(lambda: ConsumerCursor.objects.filter(consumer="tests.patient").exists())
        for number in range(10):
            happen(number)
            time.sleep(0.01)
        eventually(lambda: len(seen) == 10, 10)

    assert len(looks) <= 3


def test_consumer_that_reads_from_now_skips_what_was_before(installed):
    happen()
    sequence()
    consumer = installed(Consumer("tests.now", lambda logged: None, from_now=True))

    running.ensure_cursor(consumer)

    assert ConsumerCursor.objects.get().position == 1


def test_effect_and_cursor_are_one_transaction(installed):
    """Two runners of one consumer: the second finds the cursor locked and does nothing."""
    entered, release = threading.Event(), threading.Event()
    handled = []

    def handle(logged):
        entered.set()
        release.wait(5)
        handled.append(logged.position)

    consumer = installed(Consumer("tests.once", handle))
    happen()
    sequence()
    running.ensure_cursor(consumer)

    def first():
        running.run_ordered(consumer)
        connection.close()

    thread = threading.Thread(target=first)
    thread.start()
    assert entered.wait(5)
    assert running.run_ordered(consumer) == 0
    release.set()
    thread.join()
    assert running.run_ordered(consumer) == 0

    assert handled == [1]


def test_coordinator_comes_back_after_its_connection_is_cut(installed):
    seen = []
    installed(Consumer("tests.survivor", lambda logged: seen.append(logged.position)))

    with coordinating() as house:
        happen()
        # Committed, not only handled: a list in memory does not roll back when the connection is cut in between.
        eventually(lambda: ConsumerCursor.objects.filter(pk="tests.survivor", position=1).exists())
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            assert cursor.fetchone()[0] >= 1
        started = time.monotonic()
        happen()
        eventually(lambda: seen == [1, 2])

        assert time.monotonic() - started < 5
        assert house.is_leading.is_set()


def test_second_coordinator_stands_by_and_takes_over(monkeypatch):
    monkeypatch.setattr(coordinator, "STAND_BY_SECONDS", 0.05)
    second = Coordinator()
    thread = threading.Thread(target=second.run)
    with coordinating():
        thread.start()
        assert not second.is_leading.wait(0.4)
    try:
        assert second.is_leading.wait(3)
    finally:
        second.stop()
        thread.join(10)


def test_sweeps_run_again_and_again_and_a_failing_one_stops_no_other(monkeypatch, settings):
    settings.PARLANCE_TIME_SCALE = 0.02
    runs = []

    def fail():
        runs.append("fails")
        raise RuntimeError

    for name, func in (("fails", fail), ("works", lambda: runs.append("works"))):
        monkeypatch.setitem(coordinator.sweeps._items, name, coordinator.Sweep(name, 1.0, func))

    with coordinating():
        eventually(lambda: runs.count("works") >= 3 and runs.count("fails") >= 3)
