"""Tells once when a health check begins to fail, and once when it is well again: a log line and an event. Raises an alert when
something was given up.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Max

from apps.core.events import emit
from apps.core.facts import AlertRaised, HealthChanged
from apps.core.health import examine
from apps.core.models import Event, EventDelivery
from apps.core.types import ActorRef, Scope

logger = logging.getLogger(__name__)

TOPIC = "health"
ALERTS = "alerts"
PARKED = "event_parked"
EVERY_SECONDS = 10.0
#: Processes that start together have not all beaten yet.
SETTLE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class _Watch:
    """Nobody acted: the platform noticed."""

    kind: str = "system"
    user_id: UUID | None = None
    organization_id: UUID | None = None
    key_id: UUID | None = None


def watch() -> None:
    """A sweep of the coordinator. What cannot be told because the database is away is told afterwards, if it still holds.

    What was told last is read from the log: another process may have told it.
    """
    failing = _told_failing()
    for each in examine():
        if each.is_healthy == (each.name not in failing):
            continue
        fact = HealthChanged(check=each.name, is_healthy=each.is_healthy, is_critical=each.is_critical)
        level = logging.INFO if each.is_healthy else logging.ERROR
        logger.log(level, "health_changed", extra={"check": each.name, "ok": each.is_healthy, "detail": each.detail})
        with transaction.atomic():
            emit(fact, actor=_Watch(), scope=Scope(topic=TOPIC), subject=("health_check", None))


def _told_failing() -> set[str]:
    told = Event.objects.filter(topic=TOPIC).order_by("payload__check", "-topic_position").distinct("payload__check")
    return {payload["check"] for payload in told.values_list("payload", flat=True) if not payload["is_healthy"]}


def raise_alert(
    fact: AlertRaised,
    *,
    actor: ActorRef,
    subject: tuple[str, UUID | None],
    organization_id: UUID | None = None,
    project_id: UUID | None = None,
) -> None:
    """In the transaction of the caller, who has logged what happened."""
    emit(fact, actor=actor, scope=Scope(ALERTS, organization_id, project_id), subject=subject)


def tell_parked() -> None:
    """A sweep of the coordinator: one alert for each consumer that has parked more, or newer, events since the last one was raised.

    Alerts that were parked themselves raise none: a consumer that fails at every event would raise alerts for ever.
    """
    told = Event.objects.filter(topic=ALERTS, payload__kind=PARKED)
    newest = told.order_by("payload__on", "-topic_position").distinct("payload__on").values_list("payload", flat=True)
    known = {payload["on"]: (payload["up_to"], payload["count"]) for payload in newest}
    parked = EventDelivery.objects.filter(state=EventDelivery.State.PARKED)
    rows = parked.exclude(event_id__in=Event.objects.filter(topic=ALERTS).values("pk")).order_by().values("consumer")
    for row in rows.annotate(count=Count("pk"), up_to=Max("position")):
        up_to, count = known.get(row["consumer"], (-1, 0))
        if row["up_to"] > up_to or row["count"] > count:  # one that was tried for longer may be of an earlier position
            fact = AlertRaised(PARKED, on=row["consumer"], count=row["count"], up_to=row["up_to"])
            with transaction.atomic():
                raise_alert(fact, actor=_Watch(), subject=("consumer", None))
