"""Are two records the same thing? Field by field, each with the weight that its kind has; blocks find whom to compare with.

The weights are those of Fellegi and Sunter (1969): what agreeing on a field says for, and disagreeing says against, two records being
one, in natural logarithms of odds, set by kind of field and not learnt. A field that one of them lacks says nothing. Likeness between
agreeing and disagreeing is graded by edits (Jaro-Winkler for names, optimal string alignment for digits and dates).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import combinations
from typing import Any

from rapidfuzz import fuzz
from rapidfuzz.distance import OSA, JaroWinkler

from apps.extraction import readings
from apps.extraction.schema import Field, Schema


class Kind(StrEnum):
    NAME = "name"
    GIVEN = "given"
    SURNAME = "surname"
    DATE = "date"
    EMAIL = "email"
    PHONE = "phone"
    IDENTIFIER = "identifier"
    POSTCODE = "postcode"
    STREET = "street"
    PLACE = "place"
    NUMBER = "number"
    CHOICE = "choice"
    TEXT = "text"


class Verdict(StrEnum):
    SAME = "same"
    ASK = "ask"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Score:
    """``total`` is how likely they are the same, 0 to 1; ``by_field`` what each field said for (above 0) or against it."""

    total: float
    by_field: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Weight:
    """What agreeing and disagreeing say, and between which likenesses one turns into the other."""

    agree: float
    disagree: float
    low: float
    high: float


_WEIGHTS = {
    Kind.NAME: _Weight(7.0, 5.0, 0.72, 0.95),
    Kind.GIVEN: _Weight(3.5, 3.5, 0.70, 0.95),
    Kind.SURNAME: _Weight(4.0, 3.0, 0.72, 0.95),
    Kind.DATE: _Weight(5.5, 4.5, 0.45, 1.0),
    Kind.EMAIL: _Weight(5.5, 1.2, 0.8, 1.0),
    Kind.PHONE: _Weight(6.0, 1.2, 0.6, 1.0),
    Kind.IDENTIFIER: _Weight(8.0, 3.0, 0.6, 1.0),
    Kind.POSTCODE: _Weight(2.5, 1.0, 0.5, 1.0),
    Kind.STREET: _Weight(3.0, 0.8, 0.6, 0.95),
    Kind.PLACE: _Weight(1.5, 0.8, 0.7, 0.95),
    Kind.NUMBER: _Weight(1.5, 1.0, 0.9, 1.0),
    Kind.CHOICE: _Weight(0.5, 1.0, 0.5, 1.0),
    Kind.TEXT: _Weight(1.5, 0.7, 0.5, 0.95),
}
#: What stands in ``by_field`` for what both records mean, as a whole.
MEANING = "~meaning"
#: Cosine of what a model makes of both. Which numbers are usual differs between models: only high ones say much, and low ones little.
_MEANS = _Weight(6.0, 0.7, 0.86, 0.98)
_MEANS_OTHER_BELOW = 0.5
#: Where other words may say the same.
_WORDED = {Kind.NAME, Kind.TEXT, Kind.PLACE}
#: Where a running number tells things apart that are called alike.
_NUMBERED = {Kind.NAME, Kind.EMAIL}
_WHOLE = re.compile(r"[1-9]\d*")
#: As parts of a decimal number, whose point is a blank by then: “1.5” is “1.50”.
_PARTS = re.compile(r"(?<=\d )\d*[1-9](?=0*(?!\d))|[1-9]\d*")
#: Two records of one collection are far likelier two things than one.
_PRIOR = -6.5
_SAME_FROM = 0.85
_ASK_FROM = 0.25
_LONGEST = 1_000
#: What is longer than this seldom comes twice.
_REMEMBERED = 60
#: Of those that share a block, the ones that share most of them are worth scoring; common names share one with hundreds.
MOST_CANDIDATES = 100
_FOLDED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
_NAMED = (
    (Kind.EMAIL, r"e ?mail"),
    (Kind.PHONE, r"phone|telefon|tel|mobile|mobil|handy|fax|cell"),
    (Kind.IDENTIFIER, r"(?:ssn|iban|isbn|ean|sku|vat|passport|soc sec id|tax id|(?:\w+ )?(?:id|nr|number|nummer))"),
    (Kind.POSTCODE, r"(?:postal|zip|post) ?code|zip|plz|postleitzahl|postcode"),
    (Kind.GIVEN, r"given ?names?|first ?names?|forename|vornamen?"),
    (Kind.SURNAME, r"surname|last ?name|family ?name|nachname|familienname"),
    (Kind.STREET, r"street|address(?: \d)?|strasse|straße|adresse|street address"),
    (Kind.PLACE, r"city|town|suburb|state|country|region|ort|stadt|land|place"),
    (Kind.NAME, r"(?:full |display |company |product )?names?|title|label|titel|bezeichnung"),
)


@lru_cache(maxsize=2_000)
def kind_of(field: Field) -> Kind:
    """By format, then by what it is called."""
    if field.format in {"date", "date-time"}:
        return Kind.DATE
    if field.format == "email":
        return Kind.EMAIL
    if field.enum or field.type == "boolean":
        return Kind.CHOICE
    spoken = [readings.plain(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", each)) for each in (field.name, field.title)]
    for kind, pattern in _NAMED:
        if any(re.fullmatch(pattern, each) for each in spoken):
            if kind is Kind.IDENTIFIER and re.search(r"house|street|haus", spoken[0]):
                continue
            return kind
    return Kind.NUMBER if field.type in {"integer", "number"} else Kind.TEXT


def normalize(field: Field, value: Any) -> str:
    """As it is compared: names without case, accents and titles, numbers by their digits. Empty when it says nothing."""
    return _normalized(kind_of(field), value)


def _normalized(kind: Kind, value: Any) -> str:
    if readings.is_nothing(value):
        return ""
    if isinstance(value, list):
        return " ".join(sorted(filter(None, (_normalized(kind, each) for each in value))))
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip()[:_LONGEST]
    return _known_text(kind, text) if len(text) <= _REMEMBERED else _text(kind, text)


def _text(kind: Kind, text: str) -> str:
    if kind is Kind.EMAIL:
        local, _at, host = text.casefold().partition("@")
        return f"{local.partition('+')[0]}@{host}"
    if kind is Kind.PHONE:
        digits = re.sub(r"\D", "", text)
        return re.sub(r"^(?:00)?(?:49|44|1|351|43|41)(?=\d{9})|^0+", "", digits) or digits
    if kind in {Kind.IDENTIFIER, Kind.POSTCODE}:
        return re.sub(r"[\W_]", "", text).casefold()
    if kind is Kind.DATE:
        return re.sub(r"\D", "", text)[:8]
    if kind in {Kind.NUMBER, Kind.CHOICE}:
        return text.casefold()
    spoken = readings.plain(text.casefold().translate(_FOLDED))
    if kind is Kind.STREET:
        spoken = re.sub(r"str(?:asse|eet)?\b", "st", spoken)
        spoken = re.sub(r"\b(?:avenue|ave)\b", "av", re.sub(r"\b(?:road|rd)\b", "rd", spoken))
    if kind in {Kind.NAME, Kind.GIVEN, Kind.SURNAME}:
        spoken = re.sub(r"\b(?:dr|prof|mr|mrs|ms|herr|frau|jr|sr)\b", "", spoken)
    return " ".join(spoken.split())


# Names, places and days come again and again among a hundred candidates.
_known_text = lru_cache(maxsize=20_000)(_text)


class Comparer:
    """For the records of one schema. Only fields at the top are compared; ``prepared`` keeps what one record's are normalized to."""

    def __init__(self, schema: Schema) -> None:
        self.fields = tuple(each for each in schema.top if each.type not in {"object", "any"} and each.relation is None)
        self._kinds = {each.name: kind_of(each) for each in self.fields}
        self._given = next((name for name, kind in self._kinds.items() if kind is Kind.GIVEN), "")
        self._surname = next((name for name, kind in self._kinds.items() if kind is Kind.SURNAME), "")

    def prepared(self, record: Mapping[str, Any]) -> dict[str, str]:
        found = {name: _normalized(kind, record[name]) for name, kind in self._kinds.items() if name in record}
        return {name: value for name, value in found.items() if value}

    def blocks(self, record: Mapping[str, Any]) -> set[str]:
        """Records worth comparing share at least one of these; each is rare enough to be looked up among 100,000."""
        return self.blocks_of(self.prepared(record))

    def blocks_of(self, known: Mapping[str, str]) -> set[str]:
        names = self._sounds(known)
        found = {f"n:{one} {other}" for one, other in combinations(names, 2)}
        by_kind: dict[Kind, list[str]] = {}
        for name, value in known.items():
            by_kind.setdefault(self._kinds[name], []).append(value)
        for value in by_kind.get(Kind.DATE, []):
            found.add(f"d:{value}")
            found |= {f"y:{sound} {value[:4]}" for sound in names} | {f"m:{sound} {value[4:]}" for sound in names}
        for value in by_kind.get(Kind.POSTCODE, []):
            found |= {f"p:{sound} {value}" for sound in names}
        for kind, mark, length in ((Kind.EMAIL, "e", 80), (Kind.PHONE, "t", 7), (Kind.IDENTIFIER, "i", 40)):
            found |= {f"{mark}:{value[-length:]}" for value in by_kind.get(kind, [])}
        if not found or not by_kind.keys() - {Kind.NAME, Kind.TEXT, Kind.CHOICE, Kind.NUMBER}:
            # Nothing but a name tells them apart: its words, and for one that is all one word its beginning.
            found |= {f"w:{sound}" for sound in names}
        if not found:
            found |= {f"x:{value[:24]}" for value in by_kind.get(Kind.TEXT, [])}
        return found

    def _sounds(self, known: Mapping[str, str]) -> list[str]:
        spoken = " ".join(
            value for name, value in known.items() if self._kinds[name] in {Kind.NAME, Kind.GIVEN, Kind.SURNAME}
        )
        return sorted({sound(word) for word in spoken.split()[:6] if len(word) > 1})

    def score(self, one: Mapping[str, Any], other: Mapping[str, Any]) -> Score:
        return self.score_of(self.prepared(one), self.prepared(other))

    def score_of(self, one: Mapping[str, str], other: Mapping[str, str], *, meaning: float | None = None) -> Score:
        """Of what ``prepared`` gave. An exact twin with little in it still asks: two Sarahs may be two people.

        ``meaning`` is how near what both mean is, from 0 to 1, where that is known.
        """
        by_field: dict[str, float] = {}
        for name, value in one.items():
            if name in other:
                by_field[name] = _says(self._kinds[name], value, other[name])
        self._swapped(one, other, by_field)
        if meaning is not None:
            self._mean(by_field, meaning)
        odds = _PRIOR + sum(by_field.values())
        return Score(1 / (1 + math.exp(-max(-60.0, min(60.0, odds)))), by_field)

    def _mean(self, by_field: dict[str, float], meaning: float) -> None:
        """Other words for the same say nothing against it then; and it says for it what the words do not say already."""
        near = _part(_MEANS, meaning)
        said = 0.0
        for name, each in by_field.items():
            if self._kinds[name] in _WORDED:
                said += max(each, 0.0)
                by_field[name] = each if each > 0 else each * (1 - near)
        if near:
            by_field[MEANING] = max(0.0, near * _MEANS.agree - said)
        elif meaning < _MEANS_OTHER_BELOW:
            by_field[MEANING] = -_MEANS.disagree

    def _swapped(self, one: Mapping[str, str], other: Mapping[str, str], by_field: dict[str, float]) -> None:
        """First and last name in each other's place."""
        given, surname = self._given, self._surname
        if given not in by_field or surname not in by_field or by_field[given] + by_field[surname] > 0:
            return
        crossed = (
            _says(Kind.GIVEN, one[given], other[surname]) - 0.5,
            _says(Kind.SURNAME, one[surname], other[given]) - 0.5,
        )
        if sum(crossed) > by_field[given] + by_field[surname]:
            by_field[given], by_field[surname] = crossed


def decide(score: Score, *, same_from: float = _SAME_FROM, ask_from: float = _ASK_FROM) -> Verdict:
    if score.total >= same_from:
        return Verdict.SAME
    return Verdict.ASK if score.total >= ask_from else Verdict.NEW


@lru_cache(maxsize=50_000)
def _says(kind: Kind, one: str, other: str) -> float:
    weight = _WEIGHTS[kind]
    part = _part(weight, 1.0 if one == other else _likeness(kind, one, other))
    return part * weight.agree - (1 - part) * weight.disagree


def _part(weight: _Weight, likeness: float) -> float:
    return min(1.0, max(0.0, (likeness - weight.low) / (weight.high - weight.low)))


def _likeness(kind: Kind, one: str, other: str) -> float:
    if kind in _NUMBERED and _are_numbered_apart(one, other):
        return 0.0
    if kind in {Kind.NAME, Kind.GIVEN, Kind.SURNAME}:
        return _of_names(one, other)
    if kind is Kind.DATE:
        is_turned = one[:4] == other[:4] and one[4:6] == other[6:8] and one[6:8] == other[4:6]
        return 0.9 if is_turned else {1: 0.88, 2: 0.65}.get(OSA.distance(one, other, score_cutoff=2), 0.0)
    if kind in {Kind.PHONE, Kind.IDENTIFIER, Kind.POSTCODE}:
        return {1: 0.88, 2: 0.7}.get(OSA.distance(one, other, score_cutoff=2), 0.0)
    if kind is Kind.EMAIL:
        return OSA.normalized_similarity(one, other)
    if kind is Kind.NUMBER:
        return _of_numbers(one, other)
    return 0.0 if kind is Kind.CHOICE else fuzz.token_sort_ratio(one, other) / 100


def _are_numbered_apart(one: str, other: str) -> bool:
    """``Part 297`` and ``Part 2397`` are two things, however alike the rest is. What has no number says nothing here."""
    return _lack(_WHOLE, one, other) and _lack(_PARTS, one, other)


def _lack(numbers: re.Pattern[str], one: str, other: str) -> bool:
    """Whether each has a number that the other lacks: “Studio 54” and “Studio 54, 254 W 54th” may be one place."""
    first, second = (set(numbers.findall(each.partition("@")[0])) for each in (one, other))
    return bool(first - second and second - first)


def _of_numbers(one: str, other: str) -> float:
    try:
        first, second = float(one), float(other)
    except ValueError:
        return 0.0
    return 1 - abs(first - second) / max(abs(first), abs(second), 1e-9)


def _of_names(one: str, other: str) -> float:
    best = float(JaroWinkler.similarity(one, other))
    if " " in one or " " in other:
        best = max(best if best > 0.9 else 0.0, fuzz.token_sort_ratio(one, other) / 100)  # noqa: PLR2004
        fewer, more = sorted((set(one.split()), set(other.split())), key=len)
        if fewer and fewer < more and len(fewer) > 1:
            best = max(best, 0.93)
        elif fewer and fewer < more:
            best = max(best, 0.86)
    elif len(one) == 1 or len(other) == 1:
        best = 0.86 if one[0] == other[0] else best
    if best < 0.93 and [*map(sound, one.split())] == [*map(sound, other.split())]:  # noqa: PLR2004
        best = 0.93
    return best


_SPELLINGS = [
    *(
        ("sch", "s"),
        ("tsch", "s"),
        ("sh", "s"),
        ("ch", "k"),
        ("ph", "f"),
        ("pf", "f"),
        ("ck", "k"),
        ("gh", "k"),
        ("th", "t"),
    ),
    *(("kn", "n"), ("wr", "r"), ("dt", "t"), ("tz", "s"), ("ts", "s"), ("qu", "k"), ("x", "ks"), ("mb", "m")),
]
_CLASSES = str.maketrans(
    {"b": "p", "d": "t", "g": "k", "c": "k", "q": "k", "v": "f", "w": "f", "z": "s", "m": "n", "j": "i", "y": "i"}
)


@lru_cache(maxsize=50_000)
def sound(word: str) -> str:
    """What is left of a word however it is spelled: consonants by class, vowels only where it begins. English and German."""
    spoken = word.casefold().translate(_FOLDED)
    for spelled, said in _SPELLINGS:
        spoken = spoken.replace(spelled, said)
    spoken = spoken.translate(_CLASSES)
    rest = re.sub(r"[aeiouh]", "", spoken[1:])
    return re.sub(r"(.)\1+", r"\1", ("a" if spoken[:1] in "aeiouh" else spoken[:1]) + rest)[:6]
