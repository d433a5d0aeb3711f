"""One scalar of an answer as the type a field asks for, when it is the same said otherwise: ``"29"`` is 29, ``"yes"`` is true.

What counts as the same, whatever the language of the answer:

- spaces around, and for choices also case and accents;
- digits with their grouping, numbers in words (English, German), ``5k`` and ``3 Mio.``;
- words that only say what a number counts (``28 years old``, ``etwa 30 Jahre``);
- yes/no, true/false, ja/nein, wahr/falsch; dates in the forms of ``dates``, where one reading is left.

What stands beside a number and is more than that (``5,000 EUR``) is not dropped: it comes back as the rest.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from apps.extraction import dates, numerals
from apps.extraction.schema import Field

_YES = {"true", "yes", "y", "ja", "wahr", "1"}
_NO = {"false", "no", "n", "nein", "falsch", "0"}
_NOTHING = {
    *(
        "n/a",
        "na",
        "n.a.",
        "none",
        "null",
        "nil",
        "undefined",
        "unknown",
        "unspecified",
        "not specified",
        "not mentioned",
    ),
    *("not provided", "not given", "not stated", "-", "--", "—", "–", "?", "???", "...", "…"),  # noqa: RUF001
    *("unbekannt", "keine angabe", "k. a.", "k.a.", "nicht angegeben", "nicht genannt", "nicht bekannt"),
}
_NOISE = {
    *(
        "year",
        "years",
        "yr",
        "yrs",
        "old",
        "of",
        "age",
        "aged",
        "about",
        "around",
        "approx",
        "approximately",
        "roughly",
    ),
    *("ca", "circa", "jahr", "jahre", "jahren", "alt", "etwa", "ungefähr", "rund", "the", "a", "~", "≈"),
}
_LONGEST_NUMBER = 200
_TEXT_FORMATS = {"email": ("mailto:",), "uri": ()}
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Reading:
    """``rest`` is what stood beside it and says something of its own."""

    value: Any
    rest: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """``reason``: ``does_not_fit``, ``ambiguous``, ``no_value``. Part of the API."""

    reason: str


def is_nothing(value: object) -> bool:
    """Null and blank text say nothing: they are no scalars of an answer."""
    return value is None or (isinstance(value, str) and not value.strip())


def plain(text: str) -> str:
    """Without case, accents and what is between words; for comparing names."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return " ".join(
        _WORD.findall("".join(letter for letter in apart if not unicodedata.combining(letter)).replace("_", " "))
    )


def read(value: Any, field: Field, *, language: str = "en") -> Reading | Refused:
    """``value`` is a scalar that says something."""
    if field.enum:
        return _choice(value, field)
    if isinstance(value, str) and value.strip().casefold() in _NOTHING:
        return Refused("no_value")
    readers = {"string": _text, "integer": _number, "number": _number, "boolean": _yes_or_no}
    reader = readers.get(field.type)
    if reader is None:
        return Reading(value) if field.type == "any" else Refused("does_not_fit")
    return reader(value, field, language)


def _choice(value: Any, field: Field) -> Reading | Refused:
    if any(type(value) is type(choice) and value == choice for choice in field.enum):
        return Reading(value)
    spoken = plain(_as_text(value))
    fitting = [choice for choice in field.enum if plain(_as_text(choice)) == spoken]
    if len(fitting) == 1 and spoken:
        return Reading(fitting[0])
    nothing = isinstance(value, str) and value.strip().casefold() in _NOTHING
    return Refused("ambiguous" if fitting else "no_value" if nothing else "does_not_fit")


def _text(value: Any, field: Field, language: str) -> Reading | Refused:
    if not isinstance(value, str):
        return Reading(_as_text(value))
    text = value.strip()
    if field.format == "date":
        return _date(text, language)
    if field.format == "email":
        return Reading(text.removeprefix("mailto:").strip("<>"))
    return Reading(text)


def _date(text: str, language: str) -> Reading | Refused:
    found = dates.read(text, language=language)
    whole = [each for each in found if len(each) == len("2000-01-01") and not each.startswith("-")]
    if len(whole) > 1:
        return Refused("ambiguous")
    if whole:
        return Reading(whole[0])
    midnight = re.fullmatch(r"(\d{4}-\d\d-\d\d)[T ]00:00(?::00(?:\.0+)?)?(?:Z|[+-]\d\d:?\d\d)?", text)
    return Reading(midnight[1]) if midnight and dates.read(midnight[1]) else Refused("does_not_fit")


def _yes_or_no(value: Any, field: Field, language: str) -> Reading | Refused:
    if isinstance(value, bool):
        return Reading(value)
    spoken = _as_text(value).strip().casefold()
    if spoken in _YES or spoken in _NO:
        return Reading(spoken in _YES)
    return Refused("does_not_fit")


def _number(value: Any, field: Field, language: str) -> Reading | Refused:
    if isinstance(value, bool):
        return Refused("does_not_fit")
    if isinstance(value, int | float):
        return _of_type([Decimal(str(value))], field)
    if not isinstance(value, str) or len(value) > _LONGEST_NUMBER:
        return Refused("does_not_fit")
    try:
        plain_form = _of_type([Decimal(value.strip())], field)
    except ArithmeticError:
        plain_form = Refused("does_not_fit")
    return plain_form if isinstance(plain_form, Reading) else _spoken(value, field, language)


def _spoken(value: str, field: Field, language: str) -> Reading | Refused:
    found = [*numerals.in_digits(value, language=language)] or [*numerals.in_words(value)]
    if len(found) != 1:
        return Refused("ambiguous" if found else "does_not_fit")
    number = found[0]
    reading = _of_type(list(number.values), field)
    if isinstance(reading, Refused):
        return reading
    left = f"{value[: number.start]} {value[number.end :]}"
    words = [word for word in re.findall(r"[^\s,;:()]+", left) if word.strip(".-").casefold() not in _NOISE | {""}]
    return Reading(reading.value, " ".join(words))


def _of_type(values: list[Decimal], field: Field) -> Reading | Refused:
    """The likeliest value that the type has; a number too large for the store is none."""
    for value in values:
        if not value.is_finite() or value.adjusted() > 300:  # noqa: PLR2004
            continue
        whole = value == value.to_integral_value()
        if whole and abs(value) < 2**63:
            return Reading(int(value))
        if field.type == "number":
            return Reading(float(value))
    return Refused("does_not_fit")


def _as_text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
