"""Checks behind ``/readyz`` and ``doctor``. Run by ``core``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from apps.core.doors import Door


@dataclass(frozen=True, slots=True)
class Health:
    is_healthy: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """``check`` answers within two seconds or counts as failed. ``is_critical``: without it ``/readyz`` says 503."""

    name: str
    check: Callable[[], Health]
    is_critical: bool = True


health_checks: Door[HealthCheck] = Door("health check")
