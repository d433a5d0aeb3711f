"""What the demo understands of a wish to have records made up: how many, of what, and the brief. By rules, English and German. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from apps.llm.adapters.demo_words import PEOPLE_SLUGS, PLACE_SLUGS

_WORDS = {
    **dict(zip(["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"], range(1, 13), strict=True)),
    **dict(zip(["ein", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf"], range(1, 13), strict=True)),
    "fifteen": 15, "twenty": 20, "fifty": 50, "zwanzig": 20, "fünfzig": 50, "hundert": 100, "dozen": 12, "dutzend": 12, "hundred": 100,
}  # fmt: skip
_NUMBER = rf"\d{{1,3}}(?:[.,'\u2019]\d{{3}})+|\d{{1,9}}|{'|'.join(sorted(_WORDS, key=len, reverse=True))}"
_BREAK = r"for|about|of|in|from|set|who|with|that|living|based|around|to|für|über|von|aus|die|mit|in|im|rund"
_WISH = re.compile(
    rf"\b(?:a |an |ein )?(?P<count>{_NUMBER})\s+(?P<what>[^\W\d_][\w' -]{{0,60}}?)(?=\s+(?:{_BREAK})\b|[,.;:!?\n]|$)",
    re.IGNORECASE,
)
_COLLECTION = re.compile(r"^- ([^:\n]{1,60}): ([^(\n]{1,80})", re.MULTILINE)
_SAID = re.compile(r"^Words: (.*)", re.MULTILINE | re.DOTALL)
_ENDINGS = ("s", "en", "n", "e", "r", "es")
_MAKES = re.compile(
    r"\b(?:create|make|generate|invent|write|give me|come up|erstell\w*|erzeug\w*|erfind\w*|mach\w*|schreib\w*|denk\w*|gib mir)\b",
    re.IGNORECASE,
)
_FIELDS = {
    "people": (("name", "text"), ("age", "integer"), ("occupation", "text"), ("background", "long_text")),
    "places": (("name", "text"), ("city", "text"), ("description", "long_text")),
    "things": (("name", "text"), ("description", "long_text")),
}
_FIELDS_GERMAN = {
    "people": (("Name", "text"), ("Alter", "integer"), ("Beruf", "text"), ("Hintergrund", "long_text")),
    "places": (("Name", "text"), ("Stadt", "text"), ("Beschreibung", "long_text")),
    "things": (("Name", "text"), ("Beschreibung", "long_text")),
}
_GERMAN = re.compile(r"\b(?:für|über|mit|aus|und|erstell\w*|erfind\w*|Figuren|Orte|ein\w*|im)\b", re.IGNORECASE)


def is_asked(schema: Mapping[str, Any]) -> bool:
    return {"is_wish", "brief", "fields"} <= set(schema.get("properties", {}))


def read(text: str) -> dict[str, Any]:
    said = found[1].strip() if (found := _SAID.search(text)) else text.strip()
    wish = _WISH.search(said)
    if wish is None:
        return {"is_wish": False, "count": 0, "brief": said, "collection": "", "name": "", "fields": []}
    what = " ".join(wish["what"].split())
    brief = said[wish.end() :].strip(" ,.;:!?\n") or said
    number = re.sub(r"(?<=\d)\D", "", wish["count"].lower())
    last = what.split()[-1]
    slug = known_collection(f"{what}\n{last}", text)
    fields = usual_fields(last, said)
    return {
        "is_wish": bool(_MAKES.search(said[: wish.start()])),
        "count": int(number) if number.isdecimal() else _WORDS[number],
        # Words before the noun belong to the brief: "10 corrupt officers".
        "brief": f"{' '.join(what.split()[:-1])} {brief}".strip() if " " in what else brief,
        "collection": slug,
        "name": "" if slug else last[:1].upper() + last[1:],
        "fields": [] if slug else [{"name": name, "kind": kind, "choices": []} for name, kind in fields],
    }


def known_collection(words: str, text: str) -> str:
    """The short name of the collection that is called as one line of ``words`` says, of those that the prompt lists."""
    wanted = {_stem(line) for line in words.splitlines() if line.strip()}
    for slug, name in _COLLECTION.findall(text):
        if {_stem(slug), _stem(name.strip())} & wanted:
            return str(slug)
    return ""


def usual_fields(word: str, said: str) -> tuple[tuple[str, str], ...]:
    """Names and kinds that fit what is called so, in the language of what was said."""
    return (_FIELDS_GERMAN if _GERMAN.search(said) else _FIELDS)[_kind(word)]


def _kind(word: str) -> str:
    plain = word.lower()
    if plain in PEOPLE_SLUGS:
        return "people"
    return "places" if plain in PLACE_SLUGS else "things"


def _stem(word: str) -> str:
    plain = word.lower().strip()
    return next(
        (plain.removesuffix(end) for end in _ENDINGS if len(plain) > len(end) + 2 and plain.endswith(end)), plain
    )
