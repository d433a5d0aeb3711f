"""Cron expressions: five fields, as POSIX has them, with steps and the names of months and days, in a time zone.

Where the day of the month and the day of the week are both narrowed, a day that fits one of them fits (POSIX crontab; Vixie cron).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
#: The 29th of February comes at least once in eight years.
YEARS = 8
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Cron:
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    is_any_day: bool
    is_any_weekday: bool

    def next_after(self, moment: datetime, zone: ZoneInfo) -> datetime | None:
        """The first time after ``moment``, in UTC. None: there is none (the 30th of February).

        A local time that a change of the clock leaves out comes when the clock has been put forward; one that comes twice comes once, unless
        it is of every hour.
        """
        local = moment.astimezone(zone)
        day = local.date() - timedelta(days=1)  # the clock may have been put back over midnight
        for _day in range(366 * YEARS):
            if self._fits(day):
                for found in self._times_of(day, zone):
                    if found > moment:
                        return found
            day += timedelta(days=1)
        return None

    def _fits(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        by_day, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        if self.is_any_day or self.is_any_weekday:
            return by_day and by_weekday
        return by_day or by_weekday

    def _times_of(self, day: date, zone: ZoneInfo) -> Iterator[datetime]:
        """In order; where the clock jumps two local times may be the same moment."""
        folds = (0, 1) if len(self.hours) == 24 else (0,)  # noqa: PLR2004  (every hour of the day)
        found = {
            datetime.combine(day, time(hour, minute, fold=fold), zone).astimezone(UTC)
            for hour in self.hours
            for minute in self.minutes
            for fold in folds
        }
        yield from sorted(found)


def read(text: str) -> Cron:
    """``ValueError`` for what is none."""
    text = " ".join(text.lower().split())
    parts = _NICKNAMES.get(text, text).split(" ")
    if len(text) > _LONGEST or len(parts) != 5:  # noqa: PLR2004  (minute, hour, day, month, weekday)
        message = "A cron expression has five fields: minute, hour, day, month, day of the week."
        raise ValueError(message)
    weekdays = frozenset(day % 7 for day in _field(parts[4], 0, 7, _DAYS, 0))
    return Cron(
        _field(parts[0], 0, 59),
        _field(parts[1], 0, 23),
        _field(parts[2], 1, 31),
        _field(parts[3], 1, 12, _MONTHS, 1),
        weekdays,
        parts[2].startswith("*"),
        parts[4].startswith("*"),
    )


def _field(text: str, least: int, most: int, names: tuple[str, ...] = (), first: int = 0) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        low, dash, high = span.partition("-")
        begin = least if span == "*" else _number(low, names, first)
        end = most if span == "*" or (slash and not dash) else _number(high, names, first) if dash else begin
        stride = _number(step, (), 0) if slash else 1
        if not least <= begin <= end <= most or stride < 1:
            message = f"“{part}” is not between {least} and {most}."
            raise ValueError(message)
        found.update(range(begin, end + 1, stride))
    return frozenset(found)


def _number(text: str, names: tuple[str, ...], first: int) -> int:
    if text in names:
        return names.index(text) + first
    if not text.isascii() or not text.isdigit() or len(text) > 3:  # noqa: PLR2004
        message = f"“{text[:20]}” is no number."
        raise ValueError(message)
    return int(text)
