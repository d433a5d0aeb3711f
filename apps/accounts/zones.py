"""The time zone of whoever asks: what a day is to them."""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils import timezone

from apps.accounts.types import Actor


def zone_named(name: str) -> ZoneInfo | None:
    """None for what is no zone of the IANA database."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return None


def in_zone_of(actor: Actor) -> timezone.override:
    """For programs and workers: pages have it from the middleware. Who has no zone has that of the installation."""
    return timezone.override(zone_named(actor.time_zone) if actor.time_zone else None)
