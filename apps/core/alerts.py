"""Tells once when a health check begins to fail, and once when it is well again: a log line and an event."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from apps.core.events import emit
from apps.core.facts import HealthChanged
from apps.core.health import examine
from apps.core.models import Event
from apps.core.types import Scope

logger = logging.getLogger(__name__)

TOPIC = "health"
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
