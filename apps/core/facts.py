"""Facts that core's own services announce."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from apps.core.events import event


@event("core.setting_changed.v1")
@dataclass(frozen=True, slots=True)
class SettingChanged:
    """Which setting, at which level; never the value, which may be a text that somebody wrote."""

    key: str
    level: str
    target_id: UUID | None
    is_reset: bool


@event("core.health_changed.v1", public="system.health_changed")
@dataclass(frozen=True, slots=True)
class HealthChanged:
    """A check of ``/readyz`` failed, or is well again. ``is_critical``: without it no request can be answered."""

    check: str
    is_healthy: bool
    is_critical: bool
