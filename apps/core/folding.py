"""Words as they are sought: without accents, so that ``cafe`` finds *Café* and *Café* finds ``cafe``.

The same is done here, to what somebody asks, and in PostgreSQL (``core_folded``), to what is indexed: its own ``unaccent`` is an
extension that an embedded server does not bring. ``core_words`` makes the index of a text, and triggers call it.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from django.contrib.postgres.search import SearchQuery
from django.db.models import Func, TextField

_STROKES = str.maketrans({"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ß": "ss"})
_ACCENTS = re.compile("[\u0300-\u036f]+")
_LAST_WITH_ACCENTS = 0x1FFF  # Latin, Greek and Cyrillic end here


def folded(text: str) -> str:
    """Its length may change. What has no accents stays as it is, and so do the marks of scripts that are read by them."""
    if text.isascii():
        return text
    apart = unicodedata.normalize("NFD", text.translate(_STROKES))
    return unicodedata.normalize("NFC", _ACCENTS.sub("", apart))


_LETTERS = {
    code: plain
    for code in range(0xC0, _LAST_WITH_ACCENTS + 1)
    if len(plain := folded(chr(code))) == 1 and plain != chr(code)
}


def folded_in_place(text: str) -> str:
    """As ``folded`` for a text in NFC, letter for letter: what is found there stands at the same place in the text."""
    return text if text.isascii() else text.translate(_LETTERS)


def all_words(text: str) -> SearchQuery:
    """Every word of it, for an index that ``core_words`` made."""
    return SearchQuery(folded(text), search_type="plain", config="simple")


def begun_words(text: str) -> SearchQuery | None:
    """Words that begin as each of the first ten do, for such an index. None: there is no word in it."""
    words = re.findall(r"\w+", folded(text))[:10]
    return SearchQuery(" & ".join(f"{word}:*" for word in words), search_type="raw", config="simple") if words else None


class Folded(Func):
    """``folded`` of an expression, in the database."""

    function = "core_folded"
    arity = 1

    def __init__(self, *expressions: Any, **extra: Any) -> None:
        super().__init__(*expressions, output_field=TextField(), **extra)
