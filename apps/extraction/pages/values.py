"""Values of fields on pages: what a field is edited with, how its value is shown, and how what was typed becomes a value."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.formats import get_format, number_format
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from apps.core import rules
from apps.core.date_words import date_words
from apps.core.errors import FieldError, Invalid
from apps.extraction import moments, numerals
from apps.extraction.pages import drawing
from apps.extraction.schema import Field, Schema

NUMBERS = {"integer", "number"}
RELATIONS = {"relation", "relations"}
_FORMATS = {"date": "date", "date-time": "date_time", "email": "email", "uri": "url"}
_NUMBER = re.compile(r"[+-]?\d{1,300}(?:[.,]\d{1,300})?(?:[eE][+-]?\d{1,3})?")


@dataclass(frozen=True, slots=True)
class Column:
    """A field as pages show it. ``kind`` says what it is edited with."""

    name: str
    title: str
    kind: str
    help: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()
    relation: str = ""
    item: str = "string"

    @property
    def is_number(self) -> bool:
        return self.kind in NUMBERS

    @property
    def is_relation(self) -> bool:
        return self.kind in RELATIONS


@dataclass(frozen=True, slots=True)
class Part:
    """One of several values. ``record_id`` is what it points to, ``is_gone``: that is no longer there."""

    text: str
    record_id: str = ""
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """``raw`` is what the editor begins with: items of a list one a line."""

    column: Column
    text: str
    raw: str
    parts: tuple[Part, ...] = ()

    @property
    def is_link(self) -> bool:
        """Other schemes than those of the web are text: what somebody typed must not run."""
        return self.column.kind == "url" and self.text.startswith(("https://", "http://"))

    @property
    def is_empty(self) -> bool:
        return not self.text and not self.parts

    @property
    def drawn(self) -> SafeString | str:
        """As HTML, cut short."""
        return drawing.value(self)

    @property
    def whole(self) -> SafeString | str:
        return drawing.value(self, is_whole=True)


@lru_cache(maxsize=256)
def columns_of(schema: Schema) -> tuple[Column, ...]:
    """The fields of a record in the order of its schema."""
    properties = schema.document.get("properties", {})
    return tuple(_column(field, properties.get(field.name)) for field in schema.top)


def _column(field: Field, own: Any) -> Column:
    is_long = isinstance(own, Mapping) and own.get("x-lines") == "many"
    return Column(
        name=field.name,
        title=field.title,
        kind=_kind(field, is_long=is_long),
        help=field.description,
        required=field.required,
        choices=tuple(choice for choice in field.enum if isinstance(choice, str)),
        relation=field.relation.collection_slug if field.relation else "",
        item=field.type,
    )


def _kind(field: Field, *, is_long: bool) -> str:
    if field.relation:
        return "relations" if field.is_list else "relation"
    if field.enum:
        is_plain = all(isinstance(choice, str) for choice in field.enum)
        return ("choices" if field.is_list else "choice") if is_plain else "json"
    if field.type not in {"string", "integer", "number", "boolean"}:
        return "json"
    if field.is_list:
        return "json" if field.type == "boolean" else "list"
    if field.type != "string":
        return field.type
    return _FORMATS.get(field.format) or ("long_text" if is_long else "text")


# Shown


def cell_of(column: Column, data: Mapping[str, Any], titles: Mapping[str, str]) -> Cell:
    """``titles`` are those of records by their ids, as far as they are there."""
    return shown(column, data.get(column.name), titles)


def shown(column: Column, value: Any, titles: Mapping[str, str]) -> Cell:
    if value in (None, "", [], {}):
        return Cell(column, "", "")
    if column.is_relation:
        ids = [str(each) for each in (value if isinstance(value, list) else [value])]
        parts = tuple(Part(titles.get(each, ""), each, is_gone=each not in titles) for each in ids)
        return Cell(column, ", ".join(part.text for part in parts if part.text), "\n".join(ids), parts)
    if column.kind in {"list", "choices"} and isinstance(value, list):
        items = [_spoken(each, column) for each in value]
        raw = "\n".join(each if isinstance(each, str) else typed(each) for each in value)
        return Cell(column, ", ".join(items), raw, tuple(Part(item) for item in items))
    if isinstance(value, list | dict):
        return Cell(column, _plain_json(value), json.dumps(value, ensure_ascii=False, indent=1))
    raw = value if isinstance(value, str) else typed(value)
    return Cell(column, _spoken(value, column), _local(raw) if column.kind == "date_time" else raw)


def typed(value: Any) -> str:
    """As somebody would type it: a number with the decimal sign of the reader's language, by which it is read again."""
    said = json.dumps(value)
    return said.replace(".", get_format("DECIMAL_SEPARATOR")) if isinstance(value, float) else said


def _spoken(value: Any, column: Column) -> str:
    match value:
        case bool():
            return _("Yes") if value else _("No")
        case int() | float():
            return str(value) if isinstance(value, int) else str(number_format(value))
        case str() if column.kind == "date":
            return _day(value)
        case str() if column.kind == "date_time":
            moment = _moment(value)
            return date_words(moment, "DATETIME_FORMAT") if moment else value
        case str():
            return value
        case _:
            return _plain_json(value)


def _plain_json(value: Any) -> str:
    """Of an object what it says, without its brackets."""
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_plain_json(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(map(_plain_json, value))
    return value if isinstance(value, str) else json.dumps(value)


def _day(text: str) -> str:
    try:
        return date_words(date.fromisoformat(text), "DATE_FORMAT")
    except ValueError:
        return text


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else timezone.make_aware(found)


def _local(text: str) -> str:
    """As a field of a form for date and time has it."""
    moment = _moment(text)
    return timezone.localtime(moment).strftime("%Y-%m-%dT%H:%M") if moment else text


def relation_ids(columns: Iterable[Column], rows: Iterable[Mapping[str, Any]]) -> set[UUID]:
    """What the rows point to: their titles are fetched at once."""
    names = [column.name for column in columns if column.is_relation]
    said = [row.get(name) for row in rows for name in names]
    flat = [each for value in said for each in (value if isinstance(value, list) else [value])]
    return {found for found in map(as_uuid, flat) if found}


def as_uuid(value: Any) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None


# Typed


def read(column: Column, texts: Sequence[str]) -> Any:
    """What somebody typed or chose; None for nothing. What is no such value stays text, and the schema says so in its own words."""
    if column.kind in {"relations", "choices", "list"}:
        items = [line.strip() for text in texts for line in text.splitlines() if line.strip()]
        return [_scalar(item, column.item) for item in items] or None
    text = texts[0] if texts else ""
    if column.kind == "json":
        return _read_json(text, column.name)
    if column.kind != "long_text":
        text = text.strip()
    if not text.strip():
        return None
    if column.kind == "boolean":
        return {"true": True, "false": False}.get(text, text)
    if column.kind == "date_time":
        moment = _moment(text)
        return moments.of_reader(moment.isoformat()) if moment else text
    return _scalar(text, column.item if column.is_number else "string")


def _scalar(text: str, kind: str) -> Any:
    if kind not in NUMBERS:
        return text
    if (said := _grouped(text, kind)) is not None:
        return said
    if not _NUMBER.fullmatch(text):
        return text
    plain = text.replace(",", ".")
    try:
        return int(plain)
    except ValueError:
        number = float(plain)
    return number if math.isfinite(number) else text


def _grouped(text: str, kind: str) -> int | float | None:
    """As an import reads it: ``1,500`` as the reader's language writes numbers; of a whole number what parts three digits only groups.

    ``static/extraction/numbers.js`` says the same for cards.
    """
    if any(each.isalpha() for each in text):  # 5k, 3 million
        return None
    found = [*numerals.in_digits(text, language=get_language() or "en")]
    if len(found) != 1 or (found[0].start, found[0].end) != (0, len(text)):
        return None
    value = max(found[0].values, key=abs) if kind == "integer" else found[0].values[0]
    return int(value) if value == value.to_integral_value() else float(value)


def _read_json(text: str, name: str) -> Any:
    if not text.strip():
        return None
    try:
        rules.require_json_depth(text)
        found = json.loads(text, parse_constant=lambda _name: None)
        rules.require_storable(found)
    except ValueError:
        raise Invalid(fields=[FieldError(f"data.{name}", "invalid_json", _("This is not JSON."))]) from None
    return found
