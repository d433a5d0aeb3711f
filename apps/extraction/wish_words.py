"""Which words are worth asking a model whether they are a wish, and of what. English and German; pure."""

from __future__ import annotations

import re

from apps.extraction.wish_types import WishKind

_VERB = r"create|make(?: up)?|generate|invent|write|give me|come up with|erstell\w*|erzeug\w*|erfind\w*|mach(?:e|en|t)?|schreib\w*|denk\w*|gib mir"
_NUMBERS = "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|fifty|a hundred|a dozen|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|elf|zwölf|zwanzig|hundert|ein dutzend"
_SOUNDS = re.compile(rf"\b(?:{_VERB})\b.{{0,40}}?\b(?:\d{{1,9}}|{_NUMBERS})\b\s+\w", re.IGNORECASE)
# Not tables and lists: who wants one written is answered. A database with or for something is mostly a server's.
_COLLECTION = re.compile(
    rf"\b(?:{_VERB}|set up|build|add|start|we need|i need|leg(?:e|en|t)?|richt(?:e|en|et)?|wir brauchen|ich brauche)\b.{{0,40}}?"
    r"(?:\b(?:collections?|sammlung)\b.{0,20}?\b(?:of|for|with|called|named|von|für|mit|namens|aller)|"
    r"\b(?:databases?\s+of|datenbank\s+(?:von|aller)))\b\s+\w",
    re.IGNORECASE,
)
_LONGEST = 1_000


def kind_of(text: str) -> WishKind | None:
    """What a model is asked for. Records: a verb of making, soon a number, then a word. A collection: such a verb, soon that word, then
    what of. None: nothing of the kind.
    """
    if len(text) > _LONGEST:
        return None
    if _SOUNDS.search(text):
        return WishKind.RECORDS
    return WishKind.COLLECTION if _COLLECTION.search(text) else None
