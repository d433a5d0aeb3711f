"""Gauges of operations and their items."""

from __future__ import annotations

from collections.abc import Iterator

from apps.bulk import selectors
from apps.core.doors.metrics import Gauge, metrics


def _operations() -> Iterator[tuple[tuple[str, ...], float]]:
    for status, count in selectors.stats_operations().items():
        yield (status,), float(count)


def _items() -> Iterator[tuple[tuple[str, ...], float]]:
    for status, count in selectors.stats_items().items():
        yield (status,), float(count)


def register() -> None:
    for gauge in (
        Gauge("parlance_bulk_operations", "Bulk operations that have not ended, by status.", ("status",), _operations),
        Gauge("parlance_bulk_items", "Items of bulk operations that have not ended, by status.", ("status",), _items),
    ):
        metrics.register(gauge.name, gauge)
