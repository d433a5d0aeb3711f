"""Gauges that an app reads when somebody scrapes ``/metrics``. Run by ``core``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from apps.core.doors import Door


@dataclass(frozen=True, slots=True)
class Gauge:
    """``read`` gives (labels, value) pairs; one short query at most."""

    name: str
    help: str
    labels: tuple[str, ...]
    read: Callable[[], Iterable[tuple[tuple[str, ...], float]]]


metrics: Door[Gauge] = Door("metric")
