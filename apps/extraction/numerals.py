# ruff: noqa: PLR2004, RUF001  (numbers are what numerals are about; signs as they are printed)
"""Numbers in English and German text, in digits and in words. Every search is linear in the text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Number:
    """``values`` are what it may mean, the likelier first: ``1.234`` is 1.234 in English and 1234 in German."""

    values: tuple[Decimal, ...]
    start: int
    end: int
    in_words: bool = False


_DIGITS = re.compile(
    # A sign only where it cannot be a hyphen; groups of three; a fraction; what multiplies it. All repeats are bounded.
    r"(?<![\w.,])(?P<sign>[+\-−](?=\d))?"
    r"(?P<body>\d{1,3}(?:(?P<group>[.,'’\u00a0\u202f ])\d{3}(?!\d)(?:(?P=group)\d{3}(?!\d)){0,5})|\d{1,18})"
    r"(?P<fraction>[.,]\d{1,12})?"
    r"(?:\s?(?P<times>k|thousand|tsd\.?|tausend|million(?:en|s)?|mio\.?|billion(?:s)?|milliarden?|mrd\.?)(?!\w))?"
    r"(?![\w])",
    re.IGNORECASE,
)
_TIMES = {"k": 3, "thousand": 3, "tsd": 3, "tausend": 3, "million": 6, "millions": 6, "millionen": 6, "mio": 6}
_TIMES |= {"billion": 9, "billions": 9, "milliarde": 9, "milliarden": 9, "mrd": 9}


def in_digits(text: str, *, language: str = "en") -> Iterator[Number]:
    for found in _DIGITS.finditer(text):
        values = _values(found["body"], found["group"] or "", found["fraction"] or "", language)
        if times := found["times"]:
            values = [value.scaleb(_TIMES[times.lower().rstrip(".")]) for value in values]
        if found["sign"] in {"-", "−"}:
            values = [-value for value in values]
        start, end = found.span()
        yield Number(tuple(dict.fromkeys(_plain(value) for value in values)), start, end)


def _values(body: str, group: str, fraction: str, language: str) -> list[Decimal]:
    whole = Decimal(body.replace(group, "") if group else body)
    if fraction:
        return [Decimal((body.replace(group, "") if group else body) + "." + fraction[1:])]
    if group in {".", ","} and body.count(group) == 1:
        # One separator with three digits after it: which it is depends on who wrote it.
        as_fraction = Decimal(body.replace(group, "."))
        if body.startswith("0"):
            return [as_fraction]
        is_group = (group == ",") != language.startswith("de")
        return [whole, as_fraction] if is_group else [as_fraction, whole]
    return [whole]


def _plain(value: Decimal) -> Decimal:
    return Decimal(int(value)) if value == value.to_integral_value() else value.normalize()


_ONES = {
    **{
        w: n
        for n, w in enumerate(
            ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
        )
    },
    **{
        w: n
        for n, w in enumerate(
            ["thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"], start=13
        )
    },
}
_TENS = {
    w: n * 10
    for n, w in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], start=2)
}
_SCALES = {"thousand": 1000, "million": 10**6, "billion": 10**9}
_ENGLISH = {*_ONES, *_TENS, *_SCALES, "hundred", "dozen"}
_WORD = re.compile(r"[^\W\d_]{2,80}")
_LINK = re.compile(r"(?:\s|[-\u2010\u2011])(?:and\s)?")

_GERMAN_ONES = {
    **{
        w: n
        for n, w in enumerate(
            ["null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf"]
        )
    },
    **{
        w: n
        for n, w in enumerate(
            ["dreizehn", "vierzehn", "fünfzehn", "sechzehn", "siebzehn", "achtzehn", "neunzehn"], start=13
        )
    },
    "zwo": 2,
}
_GERMAN_TENS = {
    **{
        w: n * 10
        for n, w in enumerate(
            ["zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig"], start=2
        )
    },
    "dreissig": 30,
}
_GERMAN_PARTS = re.compile(
    r"(?:(?P<thousands>[a-zäöüß]{0,40}?)tausend(?:und)?)?(?:(?P<hundreds>[a-zäöüß]{0,8}?)hundert(?:und)?)?(?P<rest>[a-zäöüß]{0,20})"
)
_GERMAN_UNDER_TEN = {**{word: number for word, number in _GERMAN_ONES.items() if 1 <= number <= 9}, "ein": 1}


def in_words(text: str) -> Iterator[Number]:
    """``twenty-eight``, ``two hundred and five thousand``, ``achtundzwanzig``, ``ein Dutzend``. Articles (a, ein, eine) are none."""
    run: list[re.Match[str]] = []
    for word in _WORD.finditer(text):
        spoken = word.group().lower()
        if spoken in _ENGLISH:
            if run and not _LINK.fullmatch(text, run[-1].end(), word.start()):
                yield from _english(run)
                run = []
            run.append(word)
            continue
        if run and spoken != "and":
            yield from _english(run)
            run = []
        if spoken == "dutzend":
            yield Number((Decimal(12),), word.start(), word.end(), in_words=True)
        elif (value := german(spoken)) is not None:
            yield Number((Decimal(value),), word.start(), word.end(), in_words=True)
    yield from _english(run)


def _english(run: list[re.Match[str]]) -> Iterator[Number]:
    """A run of number words is one number as long as it goes on as one: ``two three`` are two, ``two hundred`` is one."""
    total = group = 0
    start = last = -1
    largest = 10**12
    for word in run:
        spoken = word.group().lower()
        small = _ONES.get(spoken, _TENS.get(spoken))
        if small is not None:
            goes_on = start >= 0 and _takes(group, small) and (group or total)
            if start >= 0 and not goes_on:
                yield Number((Decimal(total + group),), start, last, in_words=True)
                total = group = 0
                largest, start = 10**12, -1
            group += small
        elif spoken == "hundred":
            group = (group or 1) * 100
        elif spoken == "dozen":
            group = (group or 1) * 12
        elif _SCALES[spoken] < largest:
            largest = _SCALES[spoken]
            total, group = total + (group or 1) * largest, 0
        start = word.start() if start < 0 else start
        last = word.end()
    if start >= 0:
        yield Number((Decimal(total + group),), start, last, in_words=True)


def _takes(group: int, small: int) -> bool:
    """May ``small`` follow within a group: 20 takes 8, 100 takes everything below, 8 takes nothing."""
    if group == 0 or group % 100 == 0:
        return small < 100 and (group > 0 or small > 0)
    return group % 100 >= 20 and group % 10 == 0 and 0 < small < 10


@lru_cache(maxsize=4096)
def german(word: str) -> int | None:
    """The value of one German number word under a million."""
    if word in _GERMAN_ONES:
        return _GERMAN_ONES[word]
    parts = _GERMAN_PARTS.fullmatch(word) if len(word) <= 60 else None
    if parts is None or not (parts["rest"] or parts["hundreds"] is not None or parts["thousands"] is not None):
        return None
    total = 0
    if parts["thousands"] is not None:
        thousands = 1 if parts["thousands"] in {"", "ein"} else german(parts["thousands"])
        if not thousands or thousands > 999:
            return None
        total += thousands * 1000
    if parts["hundreds"] is not None:
        hundreds = 1 if parts["hundreds"] == "" else _GERMAN_UNDER_TEN.get(parts["hundreds"])
        if hundreds is None:
            return None
        total += hundreds * 100
    rest = _german_under_hundred(parts["rest"])
    return None if rest is None else total + rest


def _german_under_hundred(word: str) -> int | None:
    if word == "" or word in _GERMAN_ONES:
        return _GERMAN_ONES.get(word, 0)
    for name, tens in _GERMAN_TENS.items():
        if word.endswith(name):
            before = word.removesuffix(name)
            if not before:
                return tens
            ones = _GERMAN_UNDER_TEN.get(before.removesuffix("und")) if before.endswith("und") else None
            return None if ones is None else tens + ones
    return None
