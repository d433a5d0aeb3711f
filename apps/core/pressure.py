"""When everything is busy everybody may do less: limits halve every ten seconds until it is calm again, then double back.

Busy is: more than four fifths of the places of some kind of process are taken, or a process' loop wakes up 100 ms late or more
(95th percentile of ten seconds). Both come with the heartbeats; one process, the coordinator, decides, and writes the number of
halvings where the limiter's script reads it. It lapses by itself: without a coordinator limits are whole again after a minute.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic

from django.db import transaction
from django.db.models.functions import Now

from apps.core import limits, redis
from apps.core.doors.metrics import Gauge, metrics
from apps.core.events import emit
from apps.core.facts import LimitsScaled
from apps.core.leases import scaled
from apps.core.models import ProcessHeartbeat
from apps.core.types import SYSTEM, Scope

logger = logging.getLogger(__name__)

EVERY_SECONDS = 10.0
BUSY_SHARE = 0.8
LATE_SECONDS = 0.1
MOST_HALVINGS = 3
KEPT_SECONDS = 60
FRESH_SECONDS = 15.0
FORGET_AFTER = timedelta(hours=1)

TOLD_EVERY_SECONDS = 60.0

TOPIC = "limits"
_told_at = -TOLD_EVERY_SECONDS
_is_told = False


@dataclass(frozen=True, slots=True)
class Pressure:
    """``share`` of the places taken, of the fullest kind of process; ``lag_seconds`` of the latest loop."""

    share: float = 0.0
    lag_seconds: float = 0.0

    @property
    def cause(self) -> str:
        """``places``, ``lag``, or nothing."""
        return "places" if self.share > BUSY_SHARE else "lag" if self.lag_seconds >= LATE_SECONDS else ""


def read_pressure() -> Pressure:
    """From the heartbeats of processes that are there."""
    since = Now() - timedelta(seconds=scaled(FRESH_SECONDS))
    taken: dict[str, int] = defaultdict(int)
    places: dict[str, int] = defaultdict(int)
    lag = 0.0
    rows = ProcessHeartbeat.objects.filter(seen_at__gte=since)
    for role, lag_seconds, mine, of in rows.values_list("role", "loop_lag_seconds", "places_taken", "places"):
        taken[role] += mine
        places[role] += of
        lag = max(lag, lag_seconds)
    return Pressure(max((taken[role] / places[role] for role in places if places[role]), default=0.0), lag)


def next_halvings(current: int, pressure: Pressure) -> int:
    """One step: up to an eighth of the limits, and back."""
    return min(current + 1, MOST_HALVINGS) if pressure.cause else max(current - 1, 0)


def halvings() -> int:
    return int(redis.client().get(limits.halvings_key()) or 0)


def watch() -> None:
    """A sweep of the coordinator. With Redis away there is nothing to halve: the limiter is open then."""
    ProcessHeartbeat.objects.filter(seen_at__lt=Now() - FORGET_AFTER).delete()
    pressure = read_pressure()
    try:
        before = halvings()
        after = next_halvings(before, pressure)
        if after:
            redis.client().set(limits.halvings_key(), after, ex=KEPT_SECONDS)
        elif before:
            redis.client().delete(limits.halvings_key())
    except redis.Away:
        return
    if after == before:
        return
    logger.log(
        _level(before, after),
        "limits_scaled",
        extra={
            "halvings": after,
            "cause": pressure.cause,
            "share": round(pressure.share, 2),
            "lag": pressure.lag_seconds,
        },
    )
    with transaction.atomic():
        fact = LimitsScaled(halvings=after, cause=pressure.cause or "calm")
        emit(fact, actor=SYSTEM, scope=Scope(topic=TOPIC), subject=("limits", None))


def _level(before: int, after: int) -> int:
    """People at a terminal are told that it begins, at most once a minute, and of each begin that they were told the end, however
    soon it comes. The steps between, and the rest of a quick to and fro, are for who reads logs.
    """
    global _told_at, _is_told  # noqa: PLW0603  (one coordinator a machine)
    if before and after:
        return logging.INFO
    if after:
        now = monotonic()
        _is_told = now - _told_at >= TOLD_EVERY_SECONDS
        _told_at = now if _is_told else _told_at
        return logging.WARNING if _is_told else logging.INFO
    was_told, _is_told = _is_told, False
    return logging.WARNING if was_told else logging.INFO


Reading = Iterable[tuple[tuple[str, ...], float]]


def _halvings() -> Reading:
    try:
        return [((), float(halvings()))]
    except redis.Away:
        return [((), 0.0)]


def register() -> None:
    for gauge in (
        Gauge("parlance_limits_halvings", "How often the limits are halved because everything is busy.", (), _halvings),
        Gauge("parlance_limits_refused", "Calls that this process refused with 429.", (), _refused),
        Gauge("parlance_places_share", "Share of places taken, of the fullest kind of process.", (), _share),
    ):
        metrics.register(gauge.name, gauge)


def _refused() -> Reading:
    return [((), float(limits.refused))]


def _share() -> Reading:
    return [((), read_pressure().share)]
