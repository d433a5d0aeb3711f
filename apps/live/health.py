"""What ``/readyz`` learns from this app: does the hub hear Redis."""

from __future__ import annotations

from django.utils.translation import gettext as _

from apps.core.doors.health import Health, HealthCheck, health_checks
from apps.live.metrics import counts


def check_hub() -> Health:
    """A hub exists from the first socket on; without one there is nothing to hear."""
    if counts.hub_connected is None or counts.hub_connected:
        return Health(is_healthy=True)
    return Health(is_healthy=False, detail=_("The hub does not hear Redis; pages get news every five seconds."))


def register() -> None:
    health_checks.register("hub", HealthCheck("hub", check_hub, is_critical=False))
