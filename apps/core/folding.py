"""Words as they are sought: without accents, so that ``cafe`` finds *Café* and *Café* finds ``cafe``.

The same is done here, to what somebody asks, and in PostgreSQL (``core_folded``), to what is indexed: its own ``unaccent`` is an
extension that an embedded server does not bring. ``core_words`` makes the index of a text, and triggers call it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import reduce
from operator import and_, or_
from typing import Any

from django.contrib.postgres.search import CombinedSearchQuery, SearchQuery
from django.db.models import Func, Q, TextField, Value
from django.db.models.functions import StrIndex, Upper
from django.db.models.lookups import GreaterThan

_STROKES = str.maketrans({"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ß": "ss"})
_ACCENTS = re.compile("[\u0300-\u036f]+")
_LAST_WITH_ACCENTS = 0x1FFF  # Latin, Greek and Cyrillic end here


def folded(text: str) -> str:
    """Its length may change. What has no accents stays as it is, and so do the marks of scripts that are read by them."""
    if text.isascii():
        return text
    apart = unicodedata.normalize("NFD", text.translate(_STROKES))
    return unicodedata.normalize("NFC", _ACCENTS.sub("", apart))


_SPELLED_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "æ": "ae"})
_SPELLED_OUT |= {ord(chr(code).upper()): plain.capitalize() for code, plain in _SPELLED_OUT.items()}
# Where two letters may stand for one: not in *queue*, *neue*, *value*, nor in *toe* and other short words, which would be other words.
_LONG = re.compile(r"[^\W\d_]{5,}")
_TWO_FOR_ONE = re.compile(r"(?<![aeiouq])(?:[aou]e|aa)(?=\w)", re.IGNORECASE)


def spellings(text: str) -> list[str]:
    """``folded``, and beside it the other way to write it where German and the Nordic languages have two: *Müller* is found by
    ``mueller`` and *Mueller* by ``müller`` (so are ``oe`` for ö and ø, ``ae`` for ä, ``aa`` for å; ``ss`` is ß in each).
    """
    plain = folded(text)
    other = folded(unicodedata.normalize("NFC", text).translate(_SPELLED_OUT))
    if other == plain:
        other = _LONG.sub(lambda word: _TWO_FOR_ONE.sub(lambda two: two[0][0], word[0]), plain)
    return [plain] if other == plain else [plain, other]


_LETTERS = {
    code: plain
    for code in range(0xC0, _LAST_WITH_ACCENTS + 1)
    if len(plain := folded(chr(code))) == 1 and plain != chr(code)
}


def folded_in_place(text: str) -> str:
    """As ``folded`` for a text in NFC, letter for letter: what is found there stands at the same place in the text."""
    return text if text.isascii() else text.translate(_LETTERS)


def all_words(text: str) -> CombinedSearchQuery | SearchQuery:
    """Every word of it, for an index that ``core_words`` made."""
    if len(spellings(text)) == 1:
        return _plain(folded(text))
    return reduce(and_, (reduce(or_, map(_plain, spellings(piece))) for piece in text.split()))


def _plain(text: str) -> Any:
    return SearchQuery(text, search_type="plain", config="simple")


def begun_words(text: str) -> SearchQuery | None:
    """Words that begin as each of the first ten do, for such an index. None: there is no word in it."""
    words = re.findall(r"\w+", unicodedata.normalize("NFC", text))
    each = [" | ".join(f"{one}:*" for one in spellings(word)) for word in words if folded(word)][:10]
    return SearchQuery(" & ".join(f"({one})" for one in each), search_type="raw", config="simple") if each else None


class Folded(Func):
    """``folded`` of an expression, in the database."""

    function = "core_folded"
    arity = 1

    def __init__(self, *expressions: Any, **extra: Any) -> None:
        super().__init__(*expressions, output_field=TextField(), **extra)


def holds(field: str, words: Iterable[str]) -> Q:
    """One of the words, which are ``spellings``, stands in the field: as ``icontains`` finds it, but without accents, and as a value and no pattern."""
    places = [StrIndex(Upper(Folded(field)), Upper(Value(word))) for word in words]
    return reduce(or_, (Q(GreaterThan(place, 0)) for place in places))
