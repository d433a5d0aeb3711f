"""``/healthz`` (this process), ``/readyz`` (all that a request needs) and ``/metrics``."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for_all
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connections
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from apps.core.doors.health import Health, HealthCheck, health_checks
from apps.core.doors.metrics import Gauge, metrics

CHECK_SECONDS = 2.0
FRESH_SECONDS = 1.0
MAX_LOOP_LAG_SECONDS = 1.0
_LAG_PROBE_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Checked:
    name: str
    is_healthy: bool
    is_critical: bool
    detail: str
    milliseconds: int


class Examiner:
    """Runs all checks beside each other. One that still hangs from last time counts as failed and is not started again."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=16, thread_name_prefix="health")
        self._running: dict[str, tuple[float, Future[Health]]] = {}
        self._lock = threading.Lock()
        self._last: tuple[float, list[Checked]] | None = None

    def examine(self, checks: Iterable[HealthCheck]) -> list[Checked]:
        with self._lock:
            if self._last and time.monotonic() - self._last[0] < FRESH_SECONDS:
                return self._last[1]
            found = self._examine(list(checks))
            self._last = (time.monotonic(), found)
            return found

    def _examine(self, checks: list[HealthCheck]) -> list[Checked]:
        for check in checks:
            running = self._running.get(check.name)
            if running is None or running[1].done():
                self._running[check.name] = (time.monotonic(), self._pool.submit(_run, check))
        wait_for_all([self._running[check.name][1] for check in checks], timeout=CHECK_SECONDS)
        found = []
        for check in checks:
            started, future = self._running[check.name]
            health = future.result() if future.done() else Health(is_healthy=False, detail="no answer")
            took = round((time.monotonic() - started) * 1000)
            found.append(Checked(check.name, health.is_healthy, check.is_critical, health.detail, took))
        return found


def _run(check: HealthCheck) -> Health:
    """What a check raises is its answer; the kind is told to the outside, the text may name hosts and is not."""
    try:
        return check.check()
    except Exception as error:  # noqa: BLE001
        return Health(is_healthy=False, detail=type(error).__name__)
    finally:
        for each in connections.all(initialized_only=True):
            each.close()


_examiner = Examiner()


def examine() -> list[Checked]:
    return _examiner.examine(health_checks)


async def measure_loop_lag() -> float:
    """By how many seconds the loop of this process is late at the moment."""
    started = time.perf_counter()
    await asyncio.sleep(_LAG_PROBE_SECONDS)
    return max(0.0, time.perf_counter() - started - _LAG_PROBE_SECONDS)


def healthz(request: HttpRequest) -> HttpResponse:
    """Says that this process answers. Asks nobody else."""
    return JsonResponse({"status": "ok"})


async def readyz(request: HttpRequest) -> HttpResponse:
    lag = await measure_loop_lag()
    loop = asyncio.get_running_loop()
    checked = await loop.run_in_executor(None, examine)
    checked = [*checked, Checked("loop_lag", lag <= MAX_LOOP_LAG_SECONDS, True, "", round(lag * 1000))]
    is_ready = all(each.is_healthy for each in checked if each.is_critical)
    body = {
        "status": "ready" if is_ready else "not_ready",
        "checks": {
            each.name: {"ok": each.is_healthy, "detail": each.detail, "milliseconds": each.milliseconds}
            for each in checked
        },
    }
    return JsonResponse(body, status=200 if is_ready else 503, headers={} if is_ready else {"Retry-After": "5"})


class DoorCollector(Collector):
    """The gauges that apps registered, read when somebody scrapes. One that fails is left out, and counted."""

    def describe(self) -> list[Any]:
        return []

    def collect(self) -> Iterable[GaugeMetricFamily]:
        failed = GaugeMetricFamily("parlance_gauges_failed", "Gauges that could not be read.", labels=["gauge"])
        for gauge in metrics:
            try:
                yield _read(gauge)
            except Exception:  # noqa: BLE001  (a broken gauge must not hide the others)
                failed.add_metric([gauge.name], 1)
        yield failed


def _read(gauge: Gauge) -> GaugeMetricFamily:
    family = GaugeMetricFamily(gauge.name, gauge.help, labels=list(gauge.labels))
    for labels, value in gauge.read():
        family.add_metric(list(labels), value)
    return family


def may_read_metrics(request: HttpRequest) -> bool:
    """With the token, or from this machine itself. What came through a proxy did not come from this machine."""
    token = settings.PARLANCE_METRICS_TOKEN
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if token and hmac.compare_digest(given.encode(), token.encode()):
        return True
    if settings.SECURE_PROXY_SSL_HEADER or any(
        name in request.headers for name in ("X-Forwarded-For", "Forwarded", "X-Real-Ip")
    ):
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def metrics_page(request: HttpRequest) -> HttpResponse:
    if not may_read_metrics(request):
        return HttpResponse(status=404)
    return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)
