"""The invariants of what core stores."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.db import connection
from django.db.models.functions import Now

from apps.core.doors.consumers import consumers
from apps.core.doors.invariants import Invariant, Violation, invariants
from apps.core.leases import is_free, scaled
from apps.core.models import Event, EventDelivery, MailMessage

PATIENCE_SECONDS = 60.0

_GAPS = """
SELECT topic.name, topic.position, count(event.id), coalesce(max(event.topic_position), 0)
FROM core_topic topic LEFT JOIN core_event event ON event.topic = topic.name
WHERE topic.name <> 'log'
GROUP BY topic.name, topic.position
HAVING count(event.id) > 0 AND (max(event.topic_position) <> topic.position
  OR max(event.topic_position) - min(event.topic_position) + 1 <> count(event.id))
LIMIT 20
"""


def check_topics_gapless() -> Sequence[Violation]:
    with connection.cursor() as cursor:
        cursor.execute(_GAPS)
        return [
            Violation(
                f"Topic {name} counts to {position}, its log has {count} events up to {top}.",
                "Events were removed or restored by hand: restore the log from the backup that belongs to the rest.",
            )
            for name, position, count, top in cursor.fetchall()
        ]


def check_log_is_numbered() -> Sequence[Violation]:
    late = Event.objects.filter(position=None, occurred_at__lte=Now() - timedelta(seconds=scaled(PATIENCE_SECONDS)))
    count = late.count()
    if not count:
        return []
    return [Violation(f"{count} events wait for their position.", "Is a jobs process running? It coordinates.")]


def check_nothing_parked() -> Sequence[Violation]:
    rows = EventDelivery.objects.filter(state="parked", consumer__in=consumers.names()).order_by("position")[:20]
    return [
        Violation(
            f"{row.consumer} failed {row.attempts} times at event {row.event_id} ({row.error}).",
            f"Repair the cause, then: manage.py replay_events {row.consumer} --event {row.event_id}",
        )
        for row in rows
    ]


def check_mail_leaves() -> Sequence[Violation]:
    late = MailMessage.objects.filter(
        is_free(), status="queued", due_at__lte=Now() - timedelta(seconds=scaled(PATIENCE_SECONDS))
    ).count()
    return [Violation(f"{late} mails are due and not on their way.", "Is a jobs process running?")] if late else []


def register() -> None:
    for each in (
        Invariant(
            "core.topics_gapless", "I1", "Every topic's events are numbered without a gap.", check_topics_gapless
        ),
        Invariant("core.log_numbered", "I5", "Every event has its position within a minute.", check_log_is_numbered),
        Invariant("core.nothing_parked", "I5", "No consumer gave up on an event.", check_nothing_parked),
        Invariant("core.mail_leaves", "I5", "Every due mail is on its way within a minute.", check_mail_leaves),
    ):
        invariants.register(each.name, each)
