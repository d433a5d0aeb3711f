"""Gauges of attempts to sign in."""

from __future__ import annotations

from collections.abc import Iterator

from apps.accounts import sign_in_selectors
from apps.core.doors.metrics import Gauge, metrics


def _attempts() -> Iterator[tuple[tuple[str, ...], float]]:
    for outcome, count in sign_in_selectors.stats_attempts().items():
        yield (outcome,), float(count)


def register() -> None:
    name = "parlance_sign_in_attempts"
    says = "Attempts to sign in within the last hour, by outcome: let_in, wrong_proof, step_up, refused."
    metrics.register(name, Gauge(name, says, ("outcome",), _attempts))
