"""How risky an attempt to sign in is: signals with points, and what their sum leads to. Pure; ``docs/subsystems/sign-in-risk.md``.

The score is a plain sum, so that the signals stored with an attempt say why it is what it is. The points are chosen such
that what strangers can cause (``velocity``) never adds up to a refusal: without a listed network or an address that sprays
passwords everything together stays below ``REFUSE_AT``, and whoever reads their mail gets in.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address, ip_network
from typing import Any

from apps.accounts.types import RiskSignal, RiskVerdict, SignInMethod

# The table of docs/subsystems/sign-in-risk.md; a test compares both.
POINTS: dict[RiskSignal, int] = {
    RiskSignal.NEW_DEVICE: 20,
    RiskSignal.NEW_NETWORK: 15,
    RiskSignal.IMPOSSIBLE_TRAVEL: 30,
    RiskSignal.VELOCITY: 20,
    RiskSignal.PASSWORD_SPRAY: 30,
    RiskSignal.KNOWN_BAD: 65,
}
STEP_UP_AT = 40
REFUSE_AT = 100

LOOK_BACK_SECONDS = 3600
FAILURES = 5  # wrong tries at one account by others within the hour
ACCOUNTS = 5  # other accounts that one address tried in vain within the hour
EARTH_RADIUS_KM = 6371.0088  # mean radius, IUGG
FASTEST_KM_AN_HOUR = 900.0
NEAR_KM = 200.0  # tables of addresses are no more exact than this
NETWORK_BITS = {4: 24, 6: 48}


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address is, as far as the table knows. Without coordinates it is only a country."""

    country: str = ""
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """All that the signals look at. ``is_first``: the person never signed in, so there is nothing to compare with."""

    at: datetime
    is_first: bool = False
    knows_device: bool = True
    knows_network: bool = True
    network: str = ""
    place: Place = Place()
    last_place: Place = Place()
    last_at: datetime | None = None
    failures: int = 0
    other_accounts: int = 0
    listed_as: str = ""


@dataclass(frozen=True, slots=True)
class Signal:
    kind: RiskSignal
    points: int
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Thresholds:
    step_up_at: int = STEP_UP_AT
    refuse_at: int = REFUSE_AT


def signals_of(seen: Circumstances) -> tuple[Signal, ...]:
    """Each at most once, in the order of the table."""
    found: dict[RiskSignal, dict[str, Any]] = {}
    if not seen.is_first and not seen.knows_device:
        found[RiskSignal.NEW_DEVICE] = {}
    if not seen.is_first and not seen.knows_network:
        found[RiskSignal.NEW_NETWORK] = {"network": seen.network}
    if travel := _travel(seen):
        found[RiskSignal.IMPOSSIBLE_TRAVEL] = travel
    if seen.failures >= FAILURES:
        found[RiskSignal.VELOCITY] = {"failures": seen.failures}
    if seen.other_accounts >= ACCOUNTS:
        found[RiskSignal.PASSWORD_SPRAY] = {"accounts": seen.other_accounts}
    if seen.listed_as:
        found[RiskSignal.KNOWN_BAD] = {"network": seen.listed_as}
    return tuple(Signal(kind, POINTS[kind], found[kind]) for kind in POINTS if kind in found)


def score_of(points: Iterable[int]) -> int:
    return sum(points)


def verdict_of(score: int, *, method: SignInMethod, thresholds: Thresholds, is_guessed_at: bool = False) -> RiskVerdict:
    """A link was handed over by another way already: it is scored and always lets in, as the way out for who is asked or refused.

    ``is_guessed_at``: more wrong passwords than the limit; a right one may be one more guess, so a second step is asked at any score.
    """
    if method == SignInMethod.LINK or (score < thresholds.step_up_at and not is_guessed_at):
        return RiskVerdict.ALLOWED
    return RiskVerdict.REFUSED if score >= thresholds.refuse_at else RiskVerdict.STEP_UP


def network_of(address: str | None) -> str:
    """The neighbourhood an address counts as: /24, for IPv6 /48. An IPv4 address in IPv6 clothes is the IPv4 one."""
    if not address:
        return ""
    found = ip_address(address)
    found = getattr(found, "ipv4_mapped", None) or found
    return str(ip_network((found, NETWORK_BITS[found.version]), strict=False))


def networks_around(address: str | None) -> list[str]:
    """Every network that holds the address, as lists write them: 33 for IPv4, 129 for IPv6."""
    if not address:
        return []
    found = ip_address(address)
    found = getattr(found, "ipv4_mapped", None) or found
    return [str(ip_network((found, bits), strict=False)) for bits in range(found.max_prefixlen + 1)]


def distance_km(one: Place, other: Place) -> float | None:
    """Great-circle distance by the haversine formula (R. W. Sinnott, Sky and Telescope 68, 1984). None without coordinates."""
    if None in {one.latitude, one.longitude, other.latitude, other.longitude}:
        return None
    here, there = math.radians(one.latitude or 0.0), math.radians(other.latitude or 0.0)
    half_north = (there - here) / 2
    half_east = math.radians((other.longitude or 0.0) - (one.longitude or 0.0)) / 2
    chord = math.sin(half_north) ** 2 + math.cos(here) * math.cos(there) * math.sin(half_east) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(min(1.0, chord)))


def _travel(seen: Circumstances) -> dict[str, Any] | None:
    distance = distance_km(seen.last_place, seen.place)
    if seen.last_at is None or distance is None or distance <= NEAR_KM:
        return None
    hours = max(0.0, (seen.at - seen.last_at).total_seconds() / 3600)
    if distance <= FASTEST_KM_AN_HOUR * hours:
        return None
    return {
        "kilometres": round(distance),
        "minutes": round(hours * 60),
        "from": seen.last_place.country,
        "to": seen.place.country,
    }
