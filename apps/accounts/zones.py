"""The time zone of whoever asks: what a day is to them."""

from __future__ import annotations

from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from django.utils import timezone

from apps.accounts.types import Actor

#: In which a page at a door says where its browser is (``static/web/zone.js``).
COOKIE = "time_zone"


@cache
def offered_zones() -> frozenset[str]:
    """Names that somebody may choose: those of places, and UTC."""
    return frozenset(name for name in available_timezones() if "/" in name or name == "UTC")


def zone_asked() -> str:
    """For whoever has no account yet: that of their browser (``web.middleware``), else UTC."""
    current = str(timezone.get_current_timezone())
    return current if current in offered_zones() else "UTC"


def zone_named(name: str) -> ZoneInfo | None:
    """None for what is no zone of the IANA database."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return None


def in_zone_of(actor: Actor) -> timezone.override:
    """For programs and workers: pages have it from the middleware. Who has no zone has that of the installation."""
    return timezone.override(zone_named(actor.time_zone) if actor.time_zone else None)
