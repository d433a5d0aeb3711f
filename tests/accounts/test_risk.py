"""The score of an attempt: each signal by a table with a fixed clock, and what the sum leads to."""

import itertools
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from apps.accounts import risk
from apps.accounts.risk import Circumstances, Place, Thresholds
from apps.accounts.types import RiskSignal, RiskVerdict, SignInMethod

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
USUAL = Circumstances(at=NOW)
LISBON, PORTO, TOKYO = Place("PT", 38.72, -9.14), Place("PT", 41.15, -8.61), Place("JP", 35.68, 139.69)
DOCS = Path(__file__).parents[2] / "docs/subsystems/sign-in-risk.md"


def found(**changes):
    return {signal.kind: signal.facts for signal in risk.signals_of(replace(USUAL, **changes))}


def test_what_is_usual_has_no_signal():
    assert found() == {}


@pytest.mark.parametrize(
    ("is_first", "knows_device", "expected"),
    [(False, True, False), (False, False, True), (True, False, False), (True, True, False)],
)
def test_new_device_counts_for_whom_devices_are_known_of(is_first, knows_device, expected):
    assert (RiskSignal.NEW_DEVICE in found(is_first=is_first, knows_device=knows_device)) is expected


@pytest.mark.parametrize(
    ("is_first", "knows_network", "expected"),
    [(False, True, False), (False, False, True), (True, False, False), (True, True, False)],
)
def test_new_network_counts_for_whom_networks_are_known_of(is_first, knows_network, expected):
    seen = found(is_first=is_first, knows_network=knows_network, network="192.0.2.0/24")

    assert seen == ({RiskSignal.NEW_NETWORK: {"network": "192.0.2.0/24"}} if expected else {})


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("192.0.2.255", "192.0.2.0/24"),
        ("192.0.3.0", "192.0.3.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("2001:db8:1:ffff::1", "2001:db8:1::/48"),
        ("2001:db8:2::1", "2001:db8:2::/48"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        (None, ""),
    ],
)
def test_neighbourhood_of_an_address(address, network):
    assert risk.network_of(address) == network


def test_every_network_around_an_address_is_asked_for():
    around = risk.networks_around("198.51.100.7")

    assert (len(around), around[0], around[24], around[32]) == (33, "0.0.0.0/0", "198.51.100.0/24", "198.51.100.7/32")
    assert len(risk.networks_around("2001:db8::1")) == 129
    assert risk.networks_around("::ffff:198.51.100.7") == around
    assert risk.networks_around(None) == []


@pytest.mark.parametrize(
    ("one", "other", "kilometres"),
    [
        (LISBON, LISBON, 0),
        (LISBON, PORTO, 274),
        (LISBON, TOKYO, 11_142),
        (Place("", 0, 0), Place("", 0, 180), 20_015),  # half of the way around
        (Place("", 90, 0), Place("", -90, 0), 20_015),
        (Place("", 51.0, 179.9), Place("", 51.0, -179.9), 14),  # across the date line
    ],
)
def test_distance_is_the_great_circle(one, other, kilometres):
    assert risk.distance_km(one, other) == pytest.approx(kilometres, abs=3)


@pytest.mark.parametrize(
    ("last", "here", "minutes", "expected"),
    [
        (LISBON, TOKYO, 60, True),
        (LISBON, TOKYO, 12 * 60, True),  # 928 km/h
        (LISBON, TOKYO, 13 * 60, False),  # 857 km/h: a flight
        (LISBON, PORTO, 10, True),
        (LISBON, PORTO, 20, False),
        (LISBON, Place("PT", 39.5, -8.9), 0, False),  # near: tables are no more exact
        (Place("PT"), TOKYO, 1, False),  # a country has no place
        (LISBON, Place(), 1, False),
        (LISBON, TOKYO, -5, True),  # a clock that went back
    ],
)
def test_impossible_travel(last, here, minutes, expected):
    seen = found(last_place=last, place=here, last_at=NOW - timedelta(minutes=minutes))

    assert (RiskSignal.IMPOSSIBLE_TRAVEL in seen) is expected


def test_travel_tells_how_far_and_how_long():
    seen = found(last_place=LISBON, place=TOKYO, last_at=NOW - timedelta(minutes=90))

    assert seen == {RiskSignal.IMPOSSIBLE_TRAVEL: {"kilometres": 11_144, "minutes": 90, "from": "PT", "to": "JP"}}
    assert found(last_place=LISBON, place=TOKYO) == {}  # never signed in with a place


@pytest.mark.parametrize(("failures", "expected"), [(0, False), (4, False), (5, True), (500, True)])
def test_velocity(failures, expected):
    assert found(failures=failures) == ({RiskSignal.VELOCITY: {"failures": failures}} if expected else {})


@pytest.mark.parametrize(("accounts", "expected"), [(0, False), (4, False), (5, True), (500, True)])
def test_password_spray(accounts, expected):
    assert found(other_accounts=accounts) == ({RiskSignal.PASSWORD_SPRAY: {"accounts": accounts}} if expected else {})


@pytest.mark.parametrize(("listed", "expected"), [("", False), ("198.51.100.0/24", True)])
def test_known_bad(listed, expected):
    assert found(listed_as=listed) == ({RiskSignal.KNOWN_BAD: {"network": listed}} if expected else {})


@pytest.mark.parametrize(
    ("score", "method", "verdict"),
    [
        (0, SignInMethod.PASSWORD, RiskVerdict.ALLOWED),
        (39, SignInMethod.PASSWORD, RiskVerdict.ALLOWED),
        (40, SignInMethod.PASSWORD, RiskVerdict.STEP_UP),
        (99, SignInMethod.SSO, RiskVerdict.STEP_UP),
        (100, SignInMethod.PASSKEY, RiskVerdict.REFUSED),
        (180, SignInMethod.PASSWORD, RiskVerdict.REFUSED),
        (180, SignInMethod.LINK, RiskVerdict.ALLOWED),
    ],
)
def test_thresholds(score, method, verdict):
    assert risk.verdict_of(score, method=method, thresholds=Thresholds()) == verdict


def sums_of(signals):
    return [
        sum(risk.POINTS[each] for each in chosen)
        for count in range(len(signals) + 1)
        for chosen in itertools.combinations(signals, count)
    ]


def test_nobody_is_refused_for_what_strangers_do():
    """Without a listed network or a spraying address everything together only asks for a code."""
    blameless = set(RiskSignal) - {RiskSignal.KNOWN_BAD, RiskSignal.PASSWORD_SPRAY}

    assert max(sums_of(blameless)) < risk.REFUSE_AT


def test_guesses_of_others_ask_nothing_of_who_is_known():
    assert risk.POINTS[RiskSignal.VELOCITY] < risk.STEP_UP_AT
    assert risk.POINTS[RiskSignal.NEW_DEVICE] + risk.POINTS[RiskSignal.NEW_NETWORK] < risk.STEP_UP_AT
    assert risk.POINTS[RiskSignal.KNOWN_BAD] >= risk.STEP_UP_AT


def test_all_signals_at_once_are_the_sum_of_the_table():
    everything = replace(
        USUAL,
        knows_device=False,
        knows_network=False,
        network="192.0.2.0/24",
        last_place=LISBON,
        place=TOKYO,
        last_at=NOW - timedelta(hours=1),
        failures=9,
        other_accounts=9,
        listed_as="192.0.2.0/24",
    )

    signals = risk.signals_of(everything)

    assert [signal.kind for signal in signals] == list(risk.POINTS)
    assert risk.score_of(signal.points for signal in signals) == sum(risk.POINTS.values()) == 180


def test_documentation_has_the_same_table():
    rows = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE))

    assert {name: int(points) for name, points in rows.items()} == {
        str(key): value for key, value in risk.POINTS.items()
    }
