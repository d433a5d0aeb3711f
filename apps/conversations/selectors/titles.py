"""Titles that hold every word of what is asked, in any order: for the search and the list."""

from __future__ import annotations

from django.db.models import QuerySet
from django.db.models import Value as Words
from django.db.models.functions import StrIndex, Upper

from apps.conversations.models import Conversation
from apps.core.folding import Folded


def place_of(words: str) -> StrIndex:
    """Where they stand in the title, 0 where they do not: as ``icontains`` finds them, but without accents, and they are a value and
    no pattern. They come folded.
    """
    return StrIndex(Upper(Folded("title")), Upper(Words(words)))


def with_words(rows: QuerySet[Conversation], *words: str) -> QuerySet[Conversation]:
    """``search_terms.title_words``. Beginnings and insides of words count: no index of words would find the second half of a compound."""
    places = {f"word_{number}": place_of(word) for number, word in enumerate(words)}
    return rows.alias(**places).filter(**{f"{name}__gt": 0 for name in places})
