"""What core itself watches: its health checks and its gauges."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from django.db.models import Count, Sum
from django.db.models.functions import Now, TruncDate

from apps.core import redis
from apps.core.db import database_now
from apps.core.doors.consumers import consumers
from apps.core.doors.health import Health, HealthCheck, health_checks
from apps.core.doors.metrics import Gauge, metrics
from apps.core.eventlog.consumers import lags
from apps.core.key_rotation import check_keys
from apps.core.leases import scaled
from apps.core.models import Event, MailMessage, ProcessHeartbeat, SuspicionCount
from apps.core.suspicions import Suspicion

WORKER_ROLES = ("interactive", "calls", "jobs")
BEAT_SECONDS = 5.0
MAX_CLOCK_DIFFERENCE = timedelta(seconds=5)

Reading = Iterable[tuple[tuple[str, ...], float]]


def alive() -> dict[str, int]:
    """How many processes of each role were heard of within three beats."""
    since = Now() - timedelta(seconds=scaled(3 * BEAT_SECONDS))
    rows = ProcessHeartbeat.objects.filter(seen_at__gte=since).values_list("role").annotate(Count("name"))
    return {str(role): int(count) for role, count in rows.order_by("role")}


def check_database() -> Health:
    database_now()
    return Health(is_healthy=True)


def check_redis() -> Health:
    redis.client().ping()
    return Health(is_healthy=True)


def check_redis_writes() -> Health:
    """Full memory or a full disk: reading goes on, nothing is kept. Work is then found in the database, pages ask for news."""
    redis.client().set(redis.key("health"), 1, ex=60)
    return Health(is_healthy=True)


def check_workers() -> Health:
    found = alive()
    missing = [role for role in WORKER_ROLES if not found.get(role)]
    return Health(is_healthy=not missing, detail=f"missing: {', '.join(missing)}" if missing else "")


def check_clock() -> Health:
    """Leases use the database's clock; tokens and limits use ours."""
    difference = abs(database_now() - datetime.now(UTC))
    return Health(is_healthy=difference <= MAX_CLOCK_DIFFERENCE, detail=f"{difference.total_seconds():.1f} s apart")


def check_key_file() -> Health:
    check_keys()
    return Health(is_healthy=True)


def read_workers() -> Reading:
    found = alive()
    return [((role,), found.get(role, 0)) for role in WORKER_ROLES]


def read_queues() -> Reading:
    client = redis.client()
    return [((queue,), float(client.llen(redis.key(queue)))) for queue in WORKER_ROLES]


def read_lag() -> Reading:
    return [((name,), float(behind)) for name, behind, _parked in lags(list(consumers))]


def read_parked() -> Reading:
    return [((name,), float(parked)) for name, _behind, parked in lags(list(consumers))]


def read_unsequenced() -> Reading:
    return [((), float(Event.objects.filter(position=None).count()))]


def read_mail() -> Reading:
    counts = dict(
        MailMessage.objects.exclude(status="sent").values_list("status").annotate(Count("id")).order_by("status")
    )
    return [((status,), float(counts.get(status, 0))) for status in ("queued", "failed")]


def read_suspicions() -> Reading:
    """Since midnight of the database's clock."""
    rows = SuspicionCount.objects.filter(day=TruncDate(Now())).values_list("kind").annotate(Sum("count"))
    counts = dict(rows.order_by("kind"))
    return [((kind.value,), float(counts.get(kind.value, 0))) for kind in Suspicion]


def forget_old_suspicions() -> None:
    SuspicionCount.objects.filter(last_at__lt=Now() - timedelta(days=90)).delete()


def register() -> None:
    for check in (
        HealthCheck("database", check_database),
        HealthCheck("redis", check_redis),
        HealthCheck("redis_writes", check_redis_writes, is_critical=False),
        HealthCheck("workers", check_workers),
        HealthCheck("clock", check_clock),
        HealthCheck("key_file", check_key_file),
    ):
        health_checks.register(check.name, check)
    for gauge in (
        Gauge("parlance_workers", "Processes heard of lately.", ("role",), read_workers),
        Gauge("parlance_queue_depth", "Hints waiting in Redis.", ("queue",), read_queues),
        Gauge("parlance_event_lag", "Positions a consumer is behind the log.", ("consumer",), read_lag),
        Gauge("parlance_events_parked", "Events a consumer failed at.", ("consumer",), read_parked),
        Gauge("parlance_events_unsequenced", "Committed events without a position.", (), read_unsequenced),
        Gauge("parlance_suspicions", "Input that looked like an attack, today.", ("kind",), read_suspicions),
        Gauge("parlance_mail", "Mails that are not sent.", ("status",), read_mail),
    ):
        metrics.register(gauge.name, gauge)
