"""Brings events to their consumers: in order under a cursor, or each by itself from delivery rows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from apps.core.compiled import Compiled
from apps.core.correlation import caused_by
from apps.core.doors.consumers import Consumer, LoggedEvent
from apps.core.errors import NotFound
from apps.core.eventlog import sequencer
from apps.core.events import CHANNEL, LOOK, ReactionTooDeep
from apps.core.leases import scaled
from apps.core.models import ConsumerCursor, Event, EventDelivery

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 5
BATCH = 100
FIRST_RETRY_SECONDS = 0.5
RETRY_LOOK_SECONDS = 0.5
IDLE_SECONDS = 5.0  # the sequencer wakes those whom an event concerns; this look moves the cursors of the others

_FIELDS = tuple(field.name for field in fields(LoggedEvent))


def logged(row: Event) -> LoggedEvent:
    return LoggedEvent(**{name: getattr(row, name) for name in _FIELDS})


def _next_events(
    types: tuple[str, ...],
    prefixes: tuple[str, ...],
    with_refusals: bool,  # noqa: FBT001  (shapes are told apart by place)
    *,
    after: int,
    top: int,
) -> QuerySet[Event]:
    rows = Event.objects.filter(position__gt=after, position__lte=top).order_by("position")
    if types or prefixes:
        wanted = Q(type__in=types)
        for prefix in prefixes:
            wanted |= Q(type__startswith=prefix)
        rows = rows.filter(wanted)
    return (rows if with_refusals else rows.filter(is_refusal=False))[:BATCH]


_next: Compiled[Event] = Compiled(_next_events)


def _events_after(consumer: Consumer, position: int, top: int) -> list[LoggedEvent]:
    shape = (tuple(sorted(consumer.types)), consumer.prefixes, consumer.with_refusals)
    return [logged(row) for row in _next.fetch(*shape, after=position, top=top)]


def ensure_cursor(consumer: Consumer) -> None:
    """A consumer that was installed later starts at the beginning, or at what is there now."""
    start = sequencer.head() if consumer.from_now else 0
    ConsumerCursor.objects.get_or_create(consumer=consumer.name, defaults={"position": start})


def _try(consumer: Consumer, event: LoggedEvent) -> Exception | None:
    """Handle in a savepoint. What it raises is a result here: a broken consumer must not stop the log for the others."""
    try:
        with (
            caused_by(event.correlation_id, causation_id=event.id, depth=event.depth + 1),
            transaction.atomic(),
        ):
            consumer.handle(event)
    except Exception as error:
        if connection.connection is None or connection.connection.closed:
            raise  # the database went away: nobody's fault, and not an attempt
        logger.exception(
            "consumer_failed", extra={"consumer": consumer.name, "event_id": str(event.id), "event_type": event.type}
        )
        return error
    return None


def _picked(consumer: Consumer, read: list[LoggedEvent]) -> Sequence[LoggedEvent]:
    if consumer.pick is None or not read:
        return read
    try:
        return consumer.pick(read)
    except (DatabaseError, InterfaceError):
        raise
    except Exception:  # it saves work; what it says of no event must hold up none
        logger.exception("consumer_picks_badly", extra={"consumer": consumer.name})
        return read


def _is_final(error: Exception, attempts: int) -> bool:
    return attempts >= MAX_ATTEMPTS or isinstance(error, ReactionTooDeep)


def _retry_in(attempts: int) -> timedelta:
    return timedelta(seconds=scaled(FIRST_RETRY_SECONDS * 2 ** (attempts - 1)))


def _park(consumer: Consumer, event: LoggedEvent, error: Exception, attempts: int) -> None:
    EventDelivery.objects.update_or_create(
        consumer=consumer.name,
        event_id=event.id,
        defaults={
            "position": event.position,
            "state": EventDelivery.State.PARKED,
            "attempts": attempts,
            "error": describe(error),
        },
    )
    logger.error("event_parked", extra={"consumer": consumer.name, "event_id": str(event.id)})


def describe(error: Exception) -> str:
    """The kind, and for errors of our own their sentence: what a library says may hold what a person wrote."""
    return f"{type(error).__name__}: {getattr(error, 'code', '')}".strip(": ")[:300]


def run_ordered(consumer: Consumer) -> int:
    """Handle the next events in one transaction; returns by how many positions the cursor moved. Another reader at work: 0."""
    return _advance(consumer)[0]


def _advance(consumer: Consumer) -> tuple[int, float]:
    """By how many positions the cursor moved, and after how many seconds to look again without being woken."""
    with transaction.atomic():
        cursor = _held_cursor.first(consumer=consumer.name)
        if cursor is None:
            return 0, RETRY_LOOK_SECONDS
        top = sequencer.head()
        before = cursor.position
        if before >= top:
            return 0, scaled(IDLE_SECONDS)
        read = _events_after(consumer, before, top)
        for event in _picked(consumer, read):
            error = _try(consumer, event)
            if error is not None:
                attempts = cursor.attempts + 1
                if not _is_final(error, attempts):
                    _save(cursor, attempts=attempts, retry_at=Now() + _retry_in(attempts))
                    return cursor.position - before, _retry_in(attempts).total_seconds()
                _park(consumer, event, error, attempts)
            cursor.position, cursor.attempts = event.position, 0
        cursor.position = top if len(read) < BATCH else read[-1].position
        _save(cursor, attempts=0, retry_at=None)
        return cursor.position - before, 0.0 if len(read) == BATCH else scaled(IDLE_SECONDS)


_held_cursor: Compiled[ConsumerCursor] = Compiled(
    lambda *, consumer: (
        ConsumerCursor.objects.select_for_update(skip_locked=True, no_key=True)
        .filter(consumer=consumer)
        .exclude(retry_at__gt=Now())[:1]
    )
)


def _save(cursor: ConsumerCursor, **changes: Any) -> None:
    ConsumerCursor.objects.filter(pk=cursor.pk).update(position=cursor.position, updated_at=Now(), **changes)


_FAN_OUT = """
INSERT INTO core_eventdelivery (consumer, event_id, position, state, attempts, error)
SELECT %(consumer)s, id, position, 'waiting', 0, '' FROM core_event
WHERE position > %(after)s AND position <= %(top)s
  AND (%(types)s::text[] || %(prefixes)s::text[] = '{}' OR type = ANY(%(types)s) OR type ^@ ANY(%(prefixes)s))
  AND (%(refusals)s OR NOT is_refusal)
  AND (%(picked)s::uuid[] IS NULL OR id = ANY(%(picked)s::uuid[]))
ON CONFLICT (consumer, event_id) DO UPDATE SET state = 'waiting', attempts = 0, due_at = statement_timestamp()
"""


def fan_out(consumer: Consumer) -> int:
    """Make delivery rows up to the head of the log."""
    with transaction.atomic():
        cursor = (
            ConsumerCursor.objects.select_for_update(skip_locked=True, no_key=True)
            .filter(consumer=consumer.name)
            .first()
        )
        top = sequencer.head()
        if cursor is None or cursor.position >= top:
            return 0
        made = _make_deliveries(consumer, after=cursor.position, top=top)
        cursor.position = top
        _save(cursor)
        return made


def _make_deliveries(consumer: Consumer, *, after: int, top: int) -> int:
    """Of what the consumer picks, where it does; how many."""
    if consumer.pick is None:
        return _insert_deliveries(consumer, after=after, top=top)
    made = 0
    while read := _events_after(consumer, after, top):
        made += _insert_deliveries(consumer, after=after, top=top, picked=[each.id for each in _picked(consumer, read)])
        after = read[-1].position
    return made


def _insert_deliveries(consumer: Consumer, *, after: int, top: int, picked: list[UUID] | None = None) -> int:
    if picked == []:
        return 0
    with connection.cursor() as database:
        database.execute(
            _FAN_OUT,
            {
                "consumer": consumer.name,
                "after": after,
                "top": top,
                "types": sorted(consumer.types),
                "prefixes": list(consumer.prefixes),
                "refusals": consumer.with_refusals,
                "picked": picked,
            },
        )
        return database.rowcount


def run_delivery(consumer: Consumer) -> bool:
    """Handle one event that is due; False when there is none. The row lock keeps others off it while it is handled."""
    with transaction.atomic():
        delivery = (
            EventDelivery.objects.select_for_update(skip_locked=True)
            .filter(consumer=consumer.name, state=EventDelivery.State.WAITING, due_at__lte=Now())
            .order_by("due_at", "position")
            .first()
        )
        if delivery is None:
            return False
        _deliver(consumer, delivery)
        return True


def _deliver(consumer: Consumer, delivery: EventDelivery) -> bool:
    row = Event.objects.filter(pk=delivery.event_id).first()
    if row is None:  # retention took the event before it was delivered
        delivery.delete()
        return False
    event = logged(row)
    error = _try(consumer, event)
    if error is None:
        delivery.delete()
        return True
    attempts = delivery.attempts + 1
    if delivery.state == EventDelivery.State.PARKED or _is_final(error, attempts):
        _park(consumer, event, error, attempts)
    else:
        EventDelivery.objects.filter(pk=delivery.pk).update(
            attempts=attempts, due_at=Now() + _retry_in(attempts), error=describe(error)
        )
    return False


def replay(consumer: Consumer, *, after: int) -> int:
    """Bring everything after ``after`` again. Returns how many positions lie ahead of the consumer now."""
    ensure_cursor(consumer)
    with transaction.atomic():
        _wake_all()
        cursor = ConsumerCursor.objects.select_for_update().get(consumer=consumer.name)
        if consumer.order == "parallel":
            return _make_deliveries(consumer, after=after, top=cursor.position)
        ahead = max(0, cursor.position - after)
        ConsumerCursor.objects.filter(pk=cursor.pk).update(
            position=min(cursor.position, after), attempts=0, retry_at=None, updated_at=Now()
        )
        return ahead


def _wake_all() -> None:
    """At commit the process that coordinates lets every consumer look."""
    with connection.cursor() as database:
        database.execute("SELECT pg_notify(%s, %s)", [CHANNEL, LOOK])


def retry_parked(consumer: Consumer, *, event_id: UUID | None = None) -> tuple[int, int]:
    """Handle parked events again, now, oldest first: (handled, still parked)."""
    parked = EventDelivery.objects.filter(consumer=consumer.name, state=EventDelivery.State.PARKED)
    if event_id:
        parked = parked.filter(event_id=event_id)
    pks = list(parked.order_by("position").values_list("pk", flat=True))
    if event_id and not pks:
        raise NotFound
    handled = 0
    for pk in pks:
        with transaction.atomic():
            delivery = parked.select_for_update(skip_locked=True).filter(pk=pk).first()
            handled += bool(delivery and _deliver(consumer, delivery))
    return handled, len(pks) - handled


def lags(consumers: list[Consumer]) -> list[tuple[str, int, int]]:
    """(consumer, positions behind the head, parked) for metrics and ``doctor``."""
    top = sequencer.head()
    positions = dict(ConsumerCursor.objects.values_list("consumer", "position"))
    parked: dict[str, int] = {}
    waiting: dict[str, int] = {}
    for name, state in EventDelivery.objects.values_list("consumer", "state"):
        counts = parked if state == EventDelivery.State.PARKED else waiting
        counts[name] = counts.get(name, 0) + 1
    return [
        (each.name, top - positions.get(each.name, 0) + waiting.get(each.name, 0), parked.get(each.name, 0))
        for each in consumers
    ]


def step(consumer: Consumer) -> Callable[[], float]:
    """One turn of work for a thread; it answers after how many seconds there may be more without a wake: 0 is at once."""
    if consumer.order == "ordered":
        return lambda: _advance(consumer)[1]

    def turn() -> float:
        fan_out(consumer)
        if run_delivery(consumer):
            return 0.0
        waiting = EventDelivery.objects.filter(consumer=consumer.name, state=EventDelivery.State.WAITING)
        return RETRY_LOOK_SECONDS if waiting.exists() else scaled(IDLE_SECONDS)

    return turn
