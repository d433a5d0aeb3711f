# ruff: noqa: RUF001  (signs as they are printed)
"""Where in a text a value was said: the words behind a field.

Tried in this order, the first that finds something wins: the same characters; the same without case, accents and kinds of white space
and dashes; the same digits (telephone numbers, groups of thousands); a number said in words; a date written otherwise; nearly the same
words. A value that is found by none of them is *inferred*. ``Text`` prepares a text once, so that each value costs little even in a
text of 200 pages.
"""

from __future__ import annotations

import bisect
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import cached_property
from typing import Any

from rapidfuzz import fuzz, process

from apps.extraction import dates, numerals
from apps.extraction.schema import Field


class Method(StrEnum):
    """How a value was found. Part of the API."""

    EXACT = "exact"
    NORMALIZED = "normalized"
    NUMBER_WORD = "number_word"
    DATE = "date"
    FUZZY = "fuzzy"


@dataclass(frozen=True, slots=True)
class Grounded:
    """``start`` and ``end`` count code points, the others UTF-16 units (what a browser's strings count). ``confidence`` 0 to 1."""

    start: int
    end: int
    start_utf16: int
    end_utf16: int
    method: Method
    confidence: float


_WORD = re.compile(r"\w+")
_LONGEST = 2_000
_MOST_PLACES = 200
_MOST_SIMILAR_WORDS = 8
_MOST_WINDOWS = 60
_LEAST_FUZZY_LETTERS = 4
_LEAST_LIKENESS = 84.0
_LEAST_DIGITS = 5
_BETWEEN_DIGITS = frozenset("-./()+'’\u2010\u2011\u2012\u2013\u2014")
_PREFIX = re.compile(r"(?:(?:\+|00)\d{1,3}|(?<!\d)0)$")
_SAME = str.maketrans(
    {"\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-", "’": "'", "‘": "'", "´": "'"}
)
_SAME |= str.maketrans({"“": '"', "”": '"', "„": '"', "«": '"', "»": '"'})


class Text:
    """A text with what is looked up in it. Made in time linear in the text; the parts only when they are needed."""

    def __init__(self, text: str, *, language: str = "en") -> None:
        self.text = text
        self.language = language

    def utf16(self, place: int) -> int:
        return place + bisect.bisect_left(self._wide, place)

    @cached_property
    def _wide(self) -> list[int]:
        """Places of the characters that take two units."""
        return [] if self.text.isascii() else [place for place, letter in enumerate(self.text) if ord(letter) > 0xFFFF]  # noqa: PLR2004

    @cached_property
    def plain(self) -> tuple[str, list[int]]:
        """Without case, accents and double spaces; and where each letter of that stands in the text."""
        letters: list[str] = []
        places: list[int] = []
        for place, letter in enumerate(self.text):
            for each in plain(letter) or ("" if not letter.isspace() else " "):
                if each != " " or (letters and letters[-1] != " "):
                    letters.append(each)
                    places.append(place)
        return "".join(letters), places

    @cached_property
    def words(self) -> dict[str, list[tuple[int, int]]]:
        """Every word, plain, with its places in the plain text."""
        found: dict[str, list[tuple[int, int]]] = {}
        for word in _WORD.finditer(self.plain[0]):
            found.setdefault(word.group(), []).append(word.span())
        return found

    @cached_property
    def vocabulary(self) -> list[str]:
        return list(self.words)

    @cached_property
    def digits(self) -> tuple[str, list[int]]:
        places = [place for place, letter in enumerate(self.text) if letter.isdecimal()]
        return "".join(self.text[place] for place in places), places

    @cached_property
    def numbers(self) -> dict[Decimal, list[tuple[int, int, bool, bool]]]:
        """Each value with start, end, whether in words, and whether that is the likeliest reading."""
        found: dict[Decimal, list[tuple[int, int, bool, bool]]] = {}
        for searched in (numerals.in_digits(self.text, language=self.language), numerals.in_words(self.text)):
            for each in searched:
                for rank, value in enumerate(each.values):
                    found.setdefault(value, []).append((each.start, each.end, each.in_words, rank == 0))
        return found

    @cached_property
    def dates(self) -> dict[str, list[tuple[int, int, bool]]]:
        found: dict[str, list[tuple[int, int, bool]]] = {}
        for each in dates.find(self.text, language=self.language):
            for rank, value in enumerate(each.values):
                found.setdefault(value, []).append((each.start, each.end, rank == 0))
        return found


def plain(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text.translate(_SAME).casefold())
    return " ".join("".join(letter for letter in apart if not unicodedata.combining(letter)).split())


def ground(value: Any, text: Text, *, field: Field | None = None, near: int | None = None) -> Grounded | None:
    """The place that says ``value``, the one closest to ``near`` (a code point) where there are several, else the first.

    None: nothing in the text says it. Values that no text says word by word (yes or no, objects, lists) are never found.
    """
    if isinstance(value, bool) or value is None or isinstance(value, dict | list):
        return None
    if isinstance(value, int | float):
        return _number(value, text, near)
    spoken = str(value).strip()
    if not spoken or len(spoken) > _LONGEST or not text.text:
        return None
    if found := _exact(spoken, text, near) or _plainly(spoken, text, near):
        return found
    if (field is not None and field.format in {"date", "date-time"}) or re.fullmatch(
        r"\d{4}-\d\d-\d\d(?:T.*)?", spoken
    ):
        return _date(spoken, text, near)
    if field is not None and field.format == "time":
        return None
    if found := _digits(spoken, text, near) or _as_number(spoken, text, near):
        return found
    # A number that is nearly the same is another one.
    return _fuzzily(spoken, text, near) if any(letter.isalpha() for letter in spoken) else None


def _exact(spoken: str, text: Text, near: int | None) -> Grounded | None:
    places = _whole_words(text.text, spoken)
    return _closest(((start, end, 1.0) for start, end in places), text, Method.EXACT, near)


def _plainly(spoken: str, text: Text, near: int | None) -> Grounded | None:
    known, places = text.plain
    wanted = plain(spoken)
    if not wanted:
        return None
    found = ((places[start], places[end - 1] + 1, 0.97) for start, end in _whole_words(known, wanted))
    return _closest(found, text, Method.NORMALIZED, near)


def _digits(spoken: str, text: Text, near: int | None) -> Grounded | None:
    """Telephone and account numbers: the same digits, whatever stands between them; a country's prefix for a leading zero."""
    wanted = "".join(letter for letter in spoken if letter.isdecimal())
    if len(wanted) < _LEAST_DIGITS or any(letter.isalpha() for letter in spoken):
        return None
    known, places = text.digits
    for each in _spellings(spoken, wanted):
        at = known.find(each)
        spans: list[tuple[int, int, float]] = []
        while at >= 0 and len(spans) < _MOST_PLACES:
            held = places[at : at + len(each)]
            if _is_a_number(text.text, held, is_shortened=each != wanted):
                spans.append((held[0], held[-1] + 1, 0.95 if each == wanted else 0.85))
            at = known.find(each, at + 1)
        if spans:
            return _closest(spans, text, Method.NORMALIZED, near)
    return None


def _spellings(spoken: str, wanted: str) -> list[str]:
    """As it is, without the zeros before it, and without the prefix of a country, where it begins with one."""
    found = [wanted, wanted.lstrip("0")]
    if spoken.startswith("+"):
        found.append(wanted[2:].lstrip("0"))
    elif spoken.startswith("00"):
        found.append(wanted[4:].lstrip("0"))
    return [each for each in dict.fromkeys(found) if len(each) >= _LEAST_DIGITS]


def _is_a_number(text: str, held: Sequence[int], *, is_shortened: bool) -> bool:
    """Whether the digits at these places stand for one number: it begins and ends with them, and only what groups digits parts them.

    ``is_shortened``: the zero or the country's prefix that it goes without may stand right before.
    """
    start, end = held[0], held[-1] + 1
    # Digits far apart are no number.
    if end - start > 2 * len(held) + 4 or (end < len(text) and text[end].isdecimal()):
        return False
    if start and text[start - 1].isdecimal() and not (is_shortened and _PREFIX.search(text[max(0, start - 6) : start])):
        return False
    between = text[start:end]
    return all(letter.isdecimal() or letter.isspace() or letter in _BETWEEN_DIGITS for letter in between)


def _as_number(spoken: str, text: Text, near: int | None) -> Grounded | None:
    """A number that a text field keeps: ``"28"`` for a text that says twenty-eight."""
    try:
        return _number(Decimal(spoken), text, near) if len(spoken) < 20 else None  # noqa: PLR2004
    except InvalidOperation:
        return None


def _number(value: float | Decimal, text: Text, near: int | None) -> Grounded | None:
    wanted = Decimal(str(value))
    if not wanted.is_finite():
        return None
    wanted = Decimal(int(wanted)) if wanted == wanted.to_integral_value() else wanted.normalize()
    places = text.numbers.get(wanted, [])[:_MOST_PLACES]
    written = str(value)
    as_it_is = [(s, e, 1.0) for s, e, in_words, _first in places if not in_words and text.text[s:e] == written]
    in_digits = [(s, e, 0.95 if first else 0.7) for s, e, in_words, first in places if not in_words]
    in_words = [(s, e, 0.95) for s, e, spoken, _first in places if spoken]
    for found, method in ((as_it_is, Method.EXACT), (in_digits, Method.NORMALIZED), (in_words, Method.NUMBER_WORD)):
        if found:
            return _closest(found, text, method, near)
    return None


def _date(spoken: str, text: Text, near: int | None) -> Grounded | None:
    """The whole date; else its month and year, or its day without the year, with less confidence."""
    whole = spoken[:10]
    for wanted, confidence in ((whole, 0.97), (f"--{whole[5:]}", 0.7), (whole[:7], 0.6)):
        places = text.dates.get(wanted, [])[:_MOST_PLACES]
        if places:
            found = ((start, end, confidence if first else confidence - 0.2) for start, end, first in places)
            return _closest(found, text, Method.DATE, near)
    return None


def _fuzzily(spoken: str, text: Text, near: int | None) -> Grounded | None:
    """Windows of as many words, around the rarest word of the value or those most like it, measured by edits."""
    wanted = plain(spoken)
    words = _WORD.findall(wanted)
    if sum(map(len, words)) < _LEAST_FUZZY_LETTERS or not text.vocabulary:
        return None
    known = text.plain[0]
    best: tuple[float, int, int] | None = None
    for start, end in _windows(words, wanted, text):
        likeness = fuzz.ratio(wanted, known[start:end])
        if best is None or likeness > best[0]:
            best = (likeness, start, end)
    if best is None or best[0] < _LEAST_LIKENESS:
        return None
    places = text.plain[1]
    span = (places[best[1]], places[best[2] - 1] + 1, round(best[0] / 100 * 0.9, 2))
    return _closest([span], text, Method.FUZZY, near)


def _windows(words: list[str], wanted: str, text: Text) -> Iterator[tuple[int, int]]:
    known = text.plain[0]
    longest = sorted({word for word in words if len(word) > 2}, key=len, reverse=True)[:4] or words[:1]  # noqa: PLR2004
    rarest = sorted(longest, key=lambda word: len(text.words.get(word, ())) or 1_000_000)
    for anchor in rarest[:3]:
        before = wanted.find(anchor)
        alike = [anchor] if anchor in text.words else []
        alike += [
            word
            for word, _score, _place in process.extract(
                anchor, text.vocabulary, scorer=fuzz.ratio, score_cutoff=70, limit=_MOST_SIMILAR_WORDS
            )
            if word != anchor
        ]
        for word in alike:
            for start, end in text.words[word][:_MOST_WINDOWS]:
                if len(words) == 1:
                    yield start, end
                begin = max(0, start - before)
                for each in {begin, known.rfind(" ", 0, begin + 1) + 1, start}:
                    stop = min(len(known), each + len(wanted))
                    yield each, max(stop, end)
                    next_space = known.find(" ", stop, stop + 30)
                    yield each, max(end, next_space if next_space >= 0 else min(len(known), stop + 1))


def _whole_words(text: str, wanted: str) -> Iterator[tuple[int, int]]:
    """Where ``wanted`` stands by itself: Ana is not in Banana."""
    at = text.find(wanted)
    count = 0
    starts_word, ends_word = _is_of_word(wanted[0]), _is_of_word(wanted[-1])
    while at >= 0 and count < _MOST_PLACES:
        end = at + len(wanted)
        is_apart = not (starts_word and at > 0 and _is_of_word(text[at - 1]))
        if is_apart and not (ends_word and end < len(text) and _is_of_word(text[end])):
            count += 1
            yield at, end
        at = text.find(wanted, at + 1)


def _is_of_word(letter: str) -> bool:
    return letter.isalnum() or letter == "_" or bool(unicodedata.combining(letter))


def _closest(spans: Iterable[tuple[int, int, float]], text: Text, method: Method, near: int | None) -> Grounded | None:
    ranked = sorted(spans, key=lambda span: (-span[2], abs(span[0] - near) if near is not None else span[0]))
    if not ranked:
        return None
    start, end, confidence = ranked[0]
    while start < end and text.text[start].isspace():
        start += 1
    while end > start and text.text[end - 1].isspace():
        end -= 1
    # A letter with its accents apart keeps them.
    while end < len(text.text) and unicodedata.combining(text.text[end]):
        end += 1
    return Grounded(start, end, text.utf16(start), text.utf16(end), method, confidence)
