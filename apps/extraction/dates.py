# ruff: noqa: PLR2004  (digits of years and days)
"""Dates in English and German text. Every search is linear in the text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

_MONTHS = {
    **{
        name: n
        for n, name in enumerate(
            [
                "january",
                "february",
                "march",
                "april",
                "may",
                "june",
                "july",
                "august",
                "september",
                "october",
                "november",
                "december",
            ],
            1,
        )
    },
    **{
        name: n
        for n, name in enumerate(
            [
                "januar",
                "februar",
                "märz",
                "april",
                "mai",
                "juni",
                "juli",
                "august",
                "september",
                "oktober",
                "november",
                "dezember",
            ],
            1,
        )
    },
    **{
        name: n
        for n, name in enumerate(
            ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1
        )
    },
    "jän": 1,
    "jänner": 1,
    "mär": 3,
    "mrz": 3,
    "maerz": 3,
    "sept": 9,
    "okt": 10,
    "dez": 12,
}
_MONTH = "(?:" + "|".join(sorted(_MONTHS, key=len, reverse=True)) + r")(?!\w)\.?"
_YEAR = r"(?:1\d|20|21)\d\d"
_FORMS = re.compile(
    rf"(?<![\w.])(?:"
    rf"(?P<y1>\d{{4}})(?P<s>[-/.])(?P<m1>\d{{1,2}})(?P=s)(?P<d1>\d{{1,2}})"
    rf"|(?P<a>\d{{1,2}})(?P<sep>[./-])\s?(?P<b>\d{{1,2}})(?P=sep)\s?(?P<y2>\d{{4}}|\d{{2}})"
    rf"|(?P<d3>\d{{1,2}})(?:st|nd|rd|th|\.)?(?:\s+of)?[\s-]{{1,2}}(?P<m3>{_MONTH})(?:,?[\s-]{{1,2}}(?P<y3>{_YEAR}))?"
    rf"|(?P<m4>{_MONTH})\s(?P<d4>\d{{1,2}})(?:st|nd|rd|th)?(?!\d)(?:,?\s(?P<y4>{_YEAR}))?"
    rf"|(?P<m5>{_MONTH})(?:\s+of)?,?\s(?P<y5>{_YEAR})"
    rf")(?![\w])(?![./-]\d)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Dated:
    """``values`` are what it may mean, the likelier first: ``1990-03-12``, ``1990-03`` (no day said), ``--03-12`` (no year said)."""

    values: tuple[str, ...]
    start: int
    end: int


def find(text: str, *, language: str = "en") -> Iterator[Dated]:
    for found in _FORMS.finditer(text):
        if values := tuple(dict.fromkeys(filter(None, _values(found, language)))):
            yield Dated(values, found.start(), found.end())


def read(text: str, *, language: str = "en") -> tuple[str, ...]:
    """What the whole text may mean as one date; empty when it is none."""
    bare = text.strip().rstrip(".")
    for found in find(bare, language=language):
        if found.start == 0 and found.end >= len(bare):
            return found.values
    return ()


def _values(found: re.Match[str], language: str) -> list[str]:
    part = found.groupdict()
    if part["y1"]:
        return [_whole(part["y1"], part["m1"], part["d1"])]
    if part["a"]:
        year = part["y2"] if len(part["y2"]) == 4 else _century(part["y2"])
        day_first, month_first = _whole(year, part["b"], part["a"]), _whole(year, part["a"], part["b"])
        if part["sep"] == ".":
            return [day_first]
        return [day_first, month_first] if language.startswith("de") else [month_first, day_first]
    if part["m5"]:
        return [f"{int(part['y5']):04}-{_month(part['m5']):02}"]
    month = _month(part["m3"] or part["m4"])
    day, year = part["d3"] or part["d4"], part["y3"] or part["y4"]
    if year:
        return [_whole(year, str(month), day)]
    return [f"--{month:02}-{int(day):02}"] if _whole("2000", str(month), day) else []


def _month(name: str) -> int:
    return _MONTHS[name.lower().rstrip(".")]


def _century(year: str) -> str:
    """Of two digits: years to come are rarer than those gone by."""
    return f"20{year}" if int(year) <= 30 else f"19{year}"


def _whole(year: str, month: str, day: str) -> str:
    try:
        return date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return ""
