"""Cron expressions: when they come next, in a time zone whose clocks change."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from apps.workflows import cron

BERLIN = ZoneInfo("Europe/Berlin")


def after(text, moment, zone=BERLIN):
    found = cron.read(text).next_after(datetime.fromisoformat(moment).replace(tzinfo=UTC), zone)
    return found and found.isoformat()[:16]


@pytest.mark.parametrize(
    ("text", "moment", "expected"),
    [
        ("0 9 * * *", "2026-01-10T07:59", "2026-01-10T08:00"),
        ("0 9 * * *", "2026-01-10T08:00", "2026-01-11T08:00"),
        ("0 9 * * mon-fri", "2026-01-09T09:00", "2026-01-12T08:00"),
        ("*/15 * * * *", "2026-01-10T08:01", "2026-01-10T08:15"),
        ("5,35 8-10 * * *", "2026-01-10T08:05", "2026-01-10T08:35"),
        ("0 0 1 jan *", "2026-01-10T00:00", "2026-12-31T23:00"),
        ("0 0 29 2 *", "2026-01-10T00:00", "2028-02-28T23:00"),
        ("0 0 * * 7", "2026-01-10T00:00", "2026-01-10T23:00"),
        ("@weekly", "2026-01-10T00:00", "2026-01-10T23:00"),
        # Both days narrowed: one of them is enough. The 13th, or a Friday.
        ("0 0 13 * 5", "2026-01-09T00:00", "2026-01-12T23:00"),
        ("0 0 30 2 *", "2026-01-10T00:00", None),
    ],
)
def test_next_time(text, moment, expected):
    assert after(text, moment) == expected


def test_a_time_that_the_clock_leaves_out_comes_after_it():
    assert after("30 2 * * *", "2026-03-28T12:00") == "2026-03-29T01:30"


def test_a_time_that_comes_twice_comes_once():
    first = after("30 2 * * *", "2026-10-24T12:00")

    assert first == "2026-10-25T00:30"
    assert after("30 2 * * *", first) == "2026-10-26T01:30"


def test_what_is_of_every_hour_comes_in_the_hour_that_comes_twice():
    assert after("30 * * * *", "2026-10-25T00:30") == "2026-10-25T01:30"


@pytest.mark.parametrize(
    "text", ["", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "5-1 * * * *", "*/0 * * * *",
             "x * * * *", "* * * * * *", "1-2-3 * * * *", "9999999999 * * * *", "-1 * * * *", "٣ * * * *"],
)  # fmt: skip
def test_what_is_none_is_refused(text):
    with pytest.raises(ValueError, match=r"\w"):
        cron.read(text)
