"""Gauges of runs, and of what starts them."""

from __future__ import annotations

from collections.abc import Iterator

from apps.core.doors.metrics import Gauge, metrics
from apps.workflows import selectors


def _runs() -> Iterator[tuple[tuple[str, ...], float]]:
    for status, count in selectors.stats_runs().items():
        yield (status,), float(count)


def _starts() -> Iterator[tuple[tuple[str, ...], float]]:
    for status, count in selectors.stats_starts().items():
        yield (status,), float(count)


def register() -> None:
    for gauge in (
        Gauge("parlance_workflow_runs", "Runs of workflows that have not ended, by status.", ("status",), _runs),
        Gauge("parlance_workflow_starts", "What starts workflows by itself, by status.", ("status",), _starts),
    ):
        metrics.register(gauge.name, gauge)
