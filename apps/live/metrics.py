"""What this process has done on the live side: plain numbers, read when somebody scrapes ``/metrics``."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, fields

from django.utils.translation import gettext_noop

from apps.core.doors.metrics import Gauge, metrics

LAG_SECONDS = 0.1
LAG_SAMPLES = 600  # one minute


@dataclass(slots=True)
class Counts:
    open_sockets: int = 0
    subscriptions: int = 0
    sse_readers: int = 0
    frames_sent: int = 0
    flushes_heard: int = 0
    catch_up_reads: int = 0
    rights_checks: int = 0
    hub_reconnects: int = 0
    slow_consumers: int = 0
    hub_connected: bool | None = None
    lags: deque[float] = field(default_factory=lambda: deque(maxlen=LAG_SAMPLES))

    def lag_p95(self) -> float:
        ordered = sorted(self.lags)
        return ordered[int(len(ordered) * 0.95)] if ordered else 0.0


counts = Counts()

_HELP = {
    "open_sockets": gettext_noop("Sockets that are open in this process"),
    "subscriptions": gettext_noop("Topics that sockets of this process follow"),
    "sse_readers": gettext_noop("Open server-sent event answers"),
    "frames_sent": gettext_noop("Frames sent to sockets since the start"),
    "flushes_heard": gettext_noop("Flushes of turns heard from Redis since the start"),
    "catch_up_reads": gettext_noop("Reads of the event log for topics since the start"),
    "rights_checks": gettext_noop("Rights of viewers looked at again since the start"),
    "hub_reconnects": gettext_noop("Times that the hub found Redis again"),
    "slow_consumers": gettext_noop("Sockets closed because their client did not read"),
}


def _reader(name: str) -> Gauge:
    return Gauge(
        name=f"parlance_live_{name}",
        help=_HELP[name],
        labels=(),
        read=lambda: [((), float(getattr(counts, name)))],
    )


def _lag() -> Iterable[tuple[tuple[str, ...], float]]:
    return [((), counts.lag_p95())]


def register() -> None:
    for each in fields(Counts):
        if each.name in _HELP:
            gauge = _reader(each.name)
            metrics.register(gauge.name, gauge)
    metrics.register(
        "parlance_live_loop_lag_p95_seconds",
        Gauge(
            name="parlance_live_loop_lag_p95_seconds",
            help=gettext_noop("Lateness of the web process's event loop over the last minute, 95th percentile"),
            labels=(),
            read=_lag,
        ),
    )


async def watch_lag() -> None:
    """How late the loop wakes up. Runs as long as the hub."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LAG_SECONDS
        await asyncio.sleep(LAG_SECONDS)
        counts.lags.append(max(0.0, loop.time() - due))
