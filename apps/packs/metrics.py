"""How many packs are installed."""

from __future__ import annotations

from collections.abc import Iterator

from apps.core.doors.metrics import Gauge, metrics
from apps.packs import selectors


def _installed() -> Iterator[tuple[tuple[str, ...], float]]:
    for origin, count in selectors.stats_installed().items():
        yield (origin,), float(count)


def register() -> None:
    gauge = Gauge("parlance_packs_installed", "Packs in projects, by where they came from.", ("origin",), _installed)
    metrics.register(gauge.name, gauge)
