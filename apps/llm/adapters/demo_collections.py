"""What the demo understands of the description of a collection: its name and its fields, whose kinds their names tell. English and
German. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from apps.llm.adapters import demo_wishes

_SAID = re.compile(r"^Words: (.*)", re.MULTILINE | re.DOTALL)
_HEAD = re.compile(
    r"^(?P<name>[^:\n]{1,120}?)\s*(?::|\n|\b(?:with(?: the fields)?|having|that (?:each )?ha(?:s|ve)|mit(?: den Feldern)?)\b)\s*:?\s*(?P<rest>.+)$",
    re.DOTALL | re.IGNORECASE,
)
_OPENING = re.compile(
    r"^(?:please |bitte )?(?:(?:make|create|set up|build|i need|we need|erstelle?|mach|lege?|wir brauchen|ich brauche)\s+)?(?:me |us |mir |uns )?"
    r"(?:(?:an?|the|eine?n?|die|der|das)\s+)?(?:(?:new|neue)\s+)?(?:(?:collection|list|table|sammlung|liste|tabelle)\s+(?:of|for|called|von|für|namens)?\s*)?"
    r"(?:(?:our|my|all|the|unsere[rn]?|meine[rn]?|alle[rn]?|die|den)\s+)?",
    re.IGNORECASE,
)
#: Words that ask for one: of those that the command was not given for.
_ASKED = re.compile(
    r"^(?:please |bitte )?(?:(?:can|could) you (?:please )?|let us |let's )?(?:make|create|set up|build|add|start|i need|we need|erstell\w*|mach\w*|leg\w*|richt\w*|wir brauchen|ich brauche)\b",
    re.IGNORECASE,
)
#: Commas, semicolons, lines and "and" between fields; none of them inside of parentheses.
_BETWEEN = re.compile(r"(?:[,;\n•]|\s[-\u2013]\s|\b(?:and|und|sowie|plus)\b)(?![^(]*\))", re.IGNORECASE)
_FIELD = re.compile(r"^(?P<name>[^(:]+?)\s*(?:[(:]\s*(?P<of>[^)]*)\)?)?\s*(?P<star>\*?)$")
_ARTICLE = re.compile(
    r"^(?:[-*•\d.)]+\s+)?(?:(?:an?|the|their|its|his|her|der|die|das|eine?n?|ihre?n?|ob es|whether (?:it|they)(?: is| are)?)\s+)?",
    re.IGNORECASE,
)
_NEEDED = re.compile(r"\b(?:required|needed|mandatory|pflicht\w*|erforderlich|notwendig)\b", re.IGNORECASE)
_ALL_OF = re.compile(r"\b(?:list of|several|many|liste von|mehrere|viele)\b\s*", re.IGNORECASE)
_SAID_KINDS = (
    (r"whole number|integer|ganze zahl|count", "integer"),
    (r"date and time|date-time|datetime|datum und uhrzeit", "date_time"),
    (r"date|day|datum|tag", "date"),
    (r"time|uhrzeit", "time"),
    (r"yes[ /]*(?:or)?[ /]*no|boolean|ja[ /]*(?:oder)?[ /]*nein", "boolean"),
    (r"number|decimal|amount|zahl|betrag", "number"),
    (r"e-?mail\w*", "email"),
    (r"url|link|web\s?(?:site|page|address)|webseite|adresse im netz", "url"),
    (r"long text|notes?|langer text", "long_text"),
    (r"text|word|words|string|wort", "text"),
)
_GUESSES = (
    (r"^(?:is|has|are|was|ist|hat)[ _]|\?$|\balive\b|\bactive\b|\bactiv\w+\b|\blebt\b|\baktiv\b", "boolean"),
    (r"\be-?mail\w*\b", "email"),
    (r"\burl\b|\blink\b|\bweb\s?site\b|\bhomepage\b|\bwebseite\b", "url"),
    (r"\bborn\b|\bbirth\w*\b|\bdate\b|\bdeadline\b|\bdue\b|\bday\b|\bgeboren\b|\bgeburts\w+\b|\w*datum\b|\bfrist\b", "date"),
    (r"\bage\b|\byear\w*\b|\bcount\b|\bquantity\b|\brank\b|\bfloors?\b|\bpages?\b|\balter\b|\w*jahr\b|\banzahl\b|\bmenge\b|\bseiten\b", "integer"),
    (
        (r"\bprice\b|\bcost\w*\b|\bamount\b|\bweight\b|\bheight\b|\blength\b|\bwidth\b|\btonnage\b|\bspeed\b|\brating\b|\bscore\b|\bsalary\b|\bbudget\b"
        r"|\w*preis\b|\bkosten\b|\bbetrag\b|\bgewicht\b|\bgröße\b|\bhöhe\b|\blänge\b|\bbreite\b|\bgehalt\b|\bbewertung\b"),
        "number",
    ),
    (
        (r"\bnotes?\b|\bdescription\b|\bbackground\b|\bbio\w*\b|\bstory\b|\bsummary\b|\bcomments?\b|\bplot\b|\bnotizen\b|\bbeschreibung\b|\bhintergrund\b"
        r"|\bgeschichte\b|\bhandlung\b"),
        "long_text",
    ),
)  # fmt: skip
_SEVERAL = re.compile(
    r"^(?:tags?|keywords?|aliases|nicknames|topics|schlag\w+|stichwort\w*|spitznamen)$", re.IGNORECASE
)
_FEW = 2


def is_asked(schema: Mapping[str, Any]) -> bool:
    return {"is_wish", "name", "purpose", "fields"} == set(schema.get("properties", {}))


def read(text: str) -> dict[str, Any]:
    said = found[1].strip() if (found := _SAID.search(text)) else text.strip()
    head = _HEAD.match(said)
    name = " ".join(_OPENING.sub("", head["name"] if head else said, count=1).strip(" .,;:!?").split())
    fields = [each for piece in _BETWEEN.split(head["rest"] if head else "") if (each := _field(piece, text))]
    if not fields and name:
        usual = demo_wishes.usual_fields(name.split()[-1], said)
        fields = [_as_field(title, kind) for title, kind in usual]
    if fields and not any(each["required"] for each in fields):
        fields[0]["required"] = True
    is_wish = bool(_ASKED.search(head["name"] if head else said))
    return {"is_wish": is_wish, "name": f"{name[:1].upper()}{name[1:]}", "purpose": "", "fields": fields}


def _field(piece: str, text: str) -> dict[str, Any] | None:
    found = _FIELD.match(piece.strip(" .!\t\n"))
    if found is None:
        return None
    name, of = _ARTICLE.sub("", found["name"].strip()).strip(), (found["of"] or "").strip()
    if not any(letter.isalpha() for letter in name):
        return None
    is_needed = bool(found["star"]) or bool(_NEEDED.search(of)) or bool(_NEEDED.search(name))
    of, name = _NEEDED.sub("", of).strip(" ,"), _NEEDED.sub("", name).strip()
    is_list = bool(_ALL_OF.search(of) or _ALL_OF.search(name) or _SEVERAL.match(name))
    of, name = _ALL_OF.sub("", of).strip(), _ALL_OF.sub("", name).strip()
    made = _as_field(name, "text", required=is_needed, is_list=is_list)
    choices = [each.strip() for each in re.split(r"[|/,]|\bor\b|\boder\b", of) if each.strip()]
    if said := next((kind for words, kind in _SAID_KINDS if re.fullmatch(words, of, re.IGNORECASE)), ""):
        return made | {"kind": said}
    if slug := demo_wishes.known_collection(of or name, text):
        return made | {"kind": "relation", "relation": slug}
    if len(choices) >= _FEW:
        return made | {"kind": "choice", "choices": choices}
    guess = next((kind for words, kind in _GUESSES if re.search(words, name, re.IGNORECASE)), "text")
    return made | {"kind": guess}


def _as_field(name: str, kind: str, *, required: bool = False, is_list: bool = False) -> dict[str, Any]:
    title = f"{name[:1].upper()}{name[1:]}"[:80]
    return {"name": title, "kind": kind, "choices": [], "required": required, "is_list": is_list, "relation": ""}
