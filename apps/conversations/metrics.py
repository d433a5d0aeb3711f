"""Gauges of turns and queues."""

from __future__ import annotations

from collections.abc import Iterator

from apps.conversations import selectors
from apps.core.doors.metrics import Gauge, metrics


def _turns() -> Iterator[tuple[tuple[str, ...], float]]:
    for status, count in selectors.stats_active_turns().items():
        yield (status,), float(count)


def _oldest() -> Iterator[tuple[tuple[str, ...], float]]:
    yield (), selectors.stats_oldest_queued_seconds()


def _links() -> Iterator[tuple[tuple[str, ...], float]]:
    yield (), float(selectors.stats_links_in_force())


def register() -> None:
    for gauge in (
        Gauge("parlance_turns", "Turns that are not final, by status.", ("status",), _turns),
        Gauge("parlance_share_links", "Share links that open something.", (), _links),
        Gauge("parlance_turns_oldest_queued_seconds", "How long the oldest queued turn has waited.", (), _oldest),
    ):
        metrics.register(gauge.name, gauge)
