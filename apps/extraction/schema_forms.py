"""Schemas from other things: the header of a CSV file, the form builder; and back into the form."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from django.utils.text import slugify

from apps.extraction.schema import Schema, effective, title_of, type_of


class FieldKind(StrEnum):
    TEXT = "text"
    LONG_TEXT = "long_text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATE_TIME = "date_time"
    TIME = "time"
    EMAIL = "email"
    URL = "url"
    CHOICE = "choice"
    RELATION = "relation"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class FieldForm:
    """One line of the form builder. ``rest`` are the keywords the form has no place for; they go through it unchanged.

    Of kind ``other`` the whole schema of the property is in ``rest`` and only name and ``required`` can be edited.
    """

    name: str
    kind: FieldKind = FieldKind.TEXT
    title: str = ""
    description: str = ""
    required: bool = False
    is_list: bool = False
    choices: tuple[str, ...] = ()
    relation: str = ""
    aliases: tuple[str, ...] = ()
    was: str = ""
    rest: Mapping[str, Any] = field(default_factory=dict)


_BASES: dict[FieldKind, dict[str, Any]] = {
    FieldKind.TEXT: {"type": "string"},
    FieldKind.LONG_TEXT: {"type": "string", "x-lines": "many"},
    FieldKind.INTEGER: {"type": "integer"},
    FieldKind.NUMBER: {"type": "number"},
    FieldKind.BOOLEAN: {"type": "boolean"},
    FieldKind.DATE: {"type": "string", "format": "date"},
    FieldKind.DATE_TIME: {"type": "string", "format": "date-time"},
    FieldKind.TIME: {"type": "string", "format": "time"},
    FieldKind.EMAIL: {"type": "string", "format": "email"},
    FieldKind.URL: {"type": "string", "format": "uri"},
}
_MOST_COLUMNS = 200
_WHOLE = re.compile(r"[+-]?(?:0|[1-9]\d{0,17})")
_DECIMAL = re.compile(r"[+-]?(?:\d{1,3}(?:[.,' ]\d{3})+|\d+)(?:[.,]\d+)?")
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(?:\.[^@\s.]+)+")
_URL = re.compile(r"https?://[^\s/]+\S*", re.IGNORECASE)
_LETTERS_APART = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "o", "æ": "ae", "ł": "l"})
_YES_OR_NO = {"true", "false", "yes", "no", "ja", "nein", "wahr", "falsch"}


def from_csv_header(names: Sequence[str], samples: Sequence[Sequence[str]] = ()) -> dict[str, Any]:
    """A property for every column, in order; types are what *every* sample that is not empty agrees on, else text.

    ``00123`` and ``+49 151 …`` are text: as numbers they would lose what they say. The document still has to pass ``check``.
    """
    taken: dict[str, Any] = {}
    for place, title in enumerate(names[:_MOST_COLUMNS]):
        given = [row[place].strip() for row in samples if place < len(row) and row[place].strip()]
        name = name_of(title) or f"column_{place + 1}"
        unique, number = name, 1
        while unique in taken:
            number += 1
            unique = f"{name}_{number}"
        shown = " ".join(title.split()) or title_of(unique)
        taken[unique] = {"title": shown, **_guessed(given)}
    return {"type": "object", "properties": taken, "additionalProperties": False, "x-order": list(taken)}


def name_of(title: str) -> str:
    """``Größe (cm)`` is the property ``groesse_cm``."""
    apart = unicodedata.normalize("NFC", title).lower().translate(_LETTERS_APART)
    plain = unicodedata.normalize("NFKD", apart).encode("ascii", "ignore").decode()
    return "_".join(re.findall(r"[a-z0-9]+", plain))[:64].rstrip("_")


def slug_of(name: str) -> str:
    """The short name of a collection of this name, which fields that point to it say."""
    return slugify(unicodedata.normalize("NFC", name).lower().translate(_LETTERS_APART))[:60].strip("-") or "records"


def from_fields(fields: Sequence[FieldForm], *, base: Schema | None = None) -> dict[str, Any]:
    """The document of a form. What ``base`` says outside its properties (title, definitions, conditions) is kept."""
    document = {name: value for name, value in (base.document if base else {}).items() if name != "$schema"}
    document |= {"type": "object", "properties": {each.name: _property(each) for each in fields}}
    document.setdefault("additionalProperties", False)
    needed = [each.name for each in fields if each.required]
    document.pop("required", None)
    if needed:
        document["required"] = needed
    document["x-order"] = [each.name for each in fields]
    return document


def to_fields(schema: Schema) -> list[FieldForm]:
    """The lines of the form: ``from_fields(to_fields(s), base=s)`` takes and refuses the same values as ``s``."""
    properties = schema.document.get("properties", {})
    needed = schema.document.get("required", [])
    order = [each.name for each in schema.top if each.name in properties]
    return [_form(name, properties[name], schema, required=name in needed) for name in order]


def _property(form: FieldForm) -> dict[str, Any]:
    if form.kind is FieldKind.OTHER:
        return dict(form.rest) | ({"x-was": form.was} if form.was else {})
    found: dict[str, Any] = {}
    if form.kind is FieldKind.CHOICE:
        found = {"type": "string", "enum": list(form.choices)}
    elif form.kind is FieldKind.RELATION:
        found = {"type": "string"}
    else:
        found = dict(_BASES[form.kind])
    found |= dict(form.rest.get("items", {}) if form.is_list else form.rest)
    if form.is_list:
        found = {"type": "array", "items": found} | {n: v for n, v in form.rest.items() if n != "items"}
    told = {
        "title": form.title,
        "description": form.description,
        "x-relation": form.relation,
        "x-aliases": list(form.aliases),
        "x-was": form.was,
    }
    return found | {name: value for name, value in told.items() if value}


def _form(name: str, own: Any, schema: Schema, *, required: bool) -> FieldForm:
    if not isinstance(own, dict) or {"$ref", "allOf", "anyOf", "oneOf"} & own.keys():
        return FieldForm(name, FieldKind.OTHER, required=required, rest=own if isinstance(own, dict) else {})
    is_list = own.get("type") == "array"
    item = own.get("items", {}) if is_list else own
    kind = _kind_of(own, item, schema)
    if kind is None:
        title, description = str(own.get("title", "")), str(own.get("description", ""))
        return FieldForm(name, FieldKind.OTHER, title, description, required=required, rest=own)
    said = {"title", "description", "x-relation", "x-aliases", "x-was"}
    used = {"type", "format", "enum", "x-lines"} if kind is FieldKind.CHOICE else {"type", *_BASES.get(kind, {})}
    left = {key: value for key, value in item.items() if key not in used | (set() if is_list else said)}
    if is_list:
        left = ({"items": left} if left else {}) | {
            key: value for key, value in own.items() if key not in said | {"type", "items"}
        }
    relation = own.get("x-relation", "")
    return FieldForm(
        name=name,
        kind=kind,
        title=str(own.get("title", "")),
        description=str(own.get("description", "")),
        required=required,
        is_list=is_list,
        choices=tuple(item.get("enum", ())) if kind is FieldKind.CHOICE else (),
        relation=relation["collection"] if isinstance(relation, dict) else relation,
        aliases=tuple(own.get("x-aliases", ())),
        was=str(own.get("x-was", "")),
        rest=left,
    )


def _kind_of(own: Mapping[str, Any], item: Any, schema: Schema) -> FieldKind | None:
    if not isinstance(item, dict) or not isinstance(item.get("type"), str):
        return None
    if {"$ref", "allOf", "anyOf", "oneOf"} & item.keys():
        return None
    kind = type_of(effective(item, schema.document))
    if "x-relation" in own:
        return FieldKind.RELATION if kind == "string" and "enum" not in item and "format" not in item else None
    if "enum" in item:
        plain = kind == "string" and "format" not in item and all(isinstance(each, str) for each in item["enum"])
        return FieldKind.CHOICE if plain else None
    wanted = {"type": kind} | {name: item[name] for name in ("format", "x-lines") if name in item}
    return next((each for each, base in _BASES.items() if base == wanted), None)


def _guessed(given: Sequence[str]) -> dict[str, Any]:
    if not given:
        return {"type": "string"}
    lower = {each.lower() for each in given}
    tests: list[tuple[dict[str, Any], bool]] = [
        ({"type": "boolean"}, lower <= _YES_OR_NO),
        ({"type": "integer"}, all(_WHOLE.fullmatch(each) for each in given)),
        ({"type": "number"}, all(_DECIMAL.fullmatch(each) and not _keeps_zeros(each) for each in given)),
        ({"type": "string", "format": "date"}, all(_is_date(each) for each in given)),
        ({"type": "string", "format": "date-time"}, all(_is_moment(each) for each in given)),
        ({"type": "string", "format": "email"}, all(_EMAIL.fullmatch(each) for each in given)),
        ({"type": "string", "format": "uri"}, all(_URL.fullmatch(each) for each in given)),
    ]
    return next((found for found, holds in tests if holds), {"type": "string"})


def _keeps_zeros(text: str) -> bool:
    return (
        text.startswith("+")
        or bool(re.match(r"-?0\d", text))
        or (" " in text and not re.search(r"\d [0-9]{3}\b", text))
    )


def _is_date(text: str) -> bool:
    german = re.fullmatch(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", text)
    try:
        date.fromisoformat(f"{german[3]}-{int(german[2]):02}-{int(german[1]):02}" if german else text)
    except ValueError:
        return False
    return bool(german) or len(text) == len(date.min.isoformat())


def _is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return len(text) > len(date.min.isoformat())
