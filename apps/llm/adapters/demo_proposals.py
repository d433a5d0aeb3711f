"""What the demo proposes to people who have to choose: three ways that differ, whatever the question is. Pure.

The words are the demo's own, in both languages, and not in the catalogue.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_GERMAN = re.compile(r"\b(?:wie|was|wer|wo|welche[rsn]?|und|der|die|das|soll|wird)\b", re.IGNORECASE)
_NAMES = ("title", "description", "difficulty", "time", "impact")
_ENGLISH = (
    ("Everything comes out in the open", "Nobody can go on as before.", "medium", "the longest way", "high"),
    (
        "It is settled quietly, between few",
        "What the others do not know stays as it is.",
        "low",
        "the shortest way",
        "low",
    ),
    ("It stays open", "Whoever looks on has to decide for themselves.", "high", "no longer than now", "medium"),
)
_IN_GERMAN = (
    ("Alles kommt ans Licht", "Niemand kann weitermachen wie zuvor.", "mittel", "der längste Weg", "hoch"),
    ("Es klärt sich still, unter wenigen", "Was die anderen nicht wissen, bleibt, wie es ist.", "niedrig", "der kürzeste Weg", "niedrig"),
    ("Es bleibt offen", "Wer zusieht, muss selbst entscheiden.", "hoch", "nicht länger als jetzt", "mittel"),
)  # fmt: skip


def is_asked(schema: Mapping[str, Any]) -> bool:
    """A list of options that say what they cost and change."""
    found: Any = schema
    for step in ("properties", "options", "items", "properties"):
        found = found.get(step) if isinstance(found, Mapping) else None
    return isinstance(found, Mapping) and set(found) >= {"category", *_NAMES}


def propose(text: str) -> dict[str, Any]:
    """The first is recommended. Each says that it is the demo's."""
    options = []
    for place, words in enumerate(_IN_GERMAN if _GERMAN.search(text) else _ENGLISH):
        said = dict(zip(_NAMES, words, strict=True))
        said["description"] = f"Demo: {said['description']}"
        options.append({"category": "alternative" if place else "recommended", **said})
    return {"options": options}
