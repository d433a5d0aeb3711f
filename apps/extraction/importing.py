"""From a row of a table to the fields of a record, with what does not fit. Pure."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from apps.core.storable import as_json
from apps.extraction import readings, shape
from apps.extraction.schema import Field, Schema
from apps.extraction.tables import RawRow, Sheet

#: The column of an export that says which record a row is.
ID_COLUMN = "_id"
_SAMPLES = 5
_SHOWN = 120
_LOOKED_AT = 200
#: One separator with three digits behind it (1.234) tells nothing, and neither does 3/4/2025.
_WAYS = {
    "de": re.compile(
        r"[+-]?(?:\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:\.\d{3}){2,}|\d+,(?:\d{1,2}|\d{4,}))(?:\s?\D{1,4})?"
        r"|\d{1,2}\.\s?\d{1,2}\.\s?(?:\d{4}|\d{2})|(?:1[3-9]|2\d|3[01])/\d{1,2}/\d{2,4}"
    ),
    "en": re.compile(
        r"[+-]?(?:\d{1,3}(?:,\d{3})+\.\d+|\d{1,3}(?:,\d{3}){2,}|\d+\.(?:\d{1,2}|\d{4,}))(?:\s?\D{1,4})?"
        r"|\d{1,2}/(?:1[3-9]|2\d|3[01])/\d{2,4}"
    ),
}


@dataclass(frozen=True, slots=True)
class Misfit:
    """What is wrong in one cell; ``value`` as it stands there, cut."""

    column: str
    code: str
    detail: str
    value: str = ""

    def as_json(self, row: int) -> dict[str, Any]:
        return {"row": row, "value": self.value, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class Fitted:
    """``data`` are the fields of the record; ``titles`` those that name records by their titles. Blank: nothing stands in the row."""

    data: dict[str, Any] = field(default_factory=dict)
    record_id: str = ""
    misfits: tuple[Misfit, ...] = ()
    is_blank: bool = False


def suggested(columns: Sequence[str], schema: Schema, aliases: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Which column is which field: by name, title or another word for it; each field once, the first column that fits."""
    words: dict[str, str] = {}
    for each in schema.top:
        for word in (each.name, each.title, *each.aliases, *aliases.get(each.name, ())):
            words.setdefault(readings.plain(word), each.name)
    found: dict[str, str] = {}
    for column in columns:
        name = column if column in {each.name for each in schema.top} else words.get(readings.plain(column))
        if column == ID_COLUMN and name is None:
            found[column] = ID_COLUMN
        elif name and name not in found.values():
            found[column] = name
    return found


def language_of(sheet: Sheet, schema: Schema, mapping: Mapping[str, str]) -> str:
    """``de`` or ``en``: how most numbers and dates of the first rows are written that can be read in one of the two ways only. Empty:
    none of them tells.
    """
    known = {each.name: each for each in schema.top}
    told = [
        column
        for column, name in mapping.items()
        if name in known and (known[name].type in {"integer", "number"} or known[name].format == "date")
    ]
    votes: Counter[str] = Counter()
    with closing(sheet.rows()) as rows:  # type: ignore[type-var]
        for row in islice(rows, _LOOKED_AT):
            cells = [str(row.values.get(column) or "").strip()[:_SHOWN] for column in told]
            votes.update(way for cell in cells for way, form in _WAYS.items() if form.fullmatch(cell))
    (first, most), (_other, fewer) = (votes + Counter(de=1, en=1)).most_common(2)
    return first if most > fewer else ""


class Reader:
    """Rows of one table, as one collection takes them."""

    def __init__(self, schema: Schema, mapping: Mapping[str, str], *, language: str = "en") -> None:
        self._schema, self._language = schema, language
        self._fields = {each.name: each for each in schema.top}
        self._mapping = dict(mapping)
        self._columns = {name: column for column, name in mapping.items()}

    def read(self, row: RawRow) -> Fitted:
        if row.problem:
            return Fitted(misfits=(Misfit("", "unreadable", row.problem),))
        data: dict[str, Any] = {}
        misfits: list[Misfit] = []
        record_id = ""
        for column, name in self._mapping.items():
            raw = row.values.get(column)
            if raw is None or raw == "":
                continue
            if name == ID_COLUMN:
                record_id = str(raw)
                if not _is_id(record_id):
                    misfits.append(self._misfit(column, "invalid", _("This is no id of a record."), raw))
                continue
            taken = self._value(raw, self._fields[name])
            if isinstance(taken, _Refusal):
                misfits.append(self._misfit(column, taken.code, taken.detail, raw))
            elif not _is_sayable(taken):
                misfits.append(self._misfit(column, "not_a_number", _("This holds a number that is none."), str(raw)))
            elif taken is not None:
                data[name] = taken
        if not data and not misfits and not record_id:
            return Fitted(is_blank=True)
        return Fitted(data, record_id, (*misfits, *self._judged(data, misfits, is_change=bool(record_id))))

    def _judged(self, data: dict[str, Any], misfits: list[Misfit], *, is_change: bool) -> list[Misfit]:
        """What the schema says of the whole; a name that stands for a record is looked up when it is written."""
        spoken = {each.column for each in misfits}
        found = []
        for error in self._schema.validate(data):
            name = _first_step(error.field)
            column = self._columns.get(name, name)
            known = self._fields.get(name)
            is_missing = error.code == "required"
            if column in spoken or (is_missing and is_change) or (known and known.relation and not is_missing):
                continue
            found.append(self._misfit(column, error.code, error.detail, data.get(name)))
        return found

    def _misfit(self, column: str, code: str, detail: str, raw: Any) -> Misfit:
        return Misfit(column, code, detail, "" if raw is None else shape.as_text(raw)[:_SHOWN])

    def _value(self, raw: Any, known: Field) -> Any:
        if known.is_list:
            return self._list(raw, known)
        if known.type in {"object", "any"}:
            return _structured(raw, known)
        return self._scalar(raw, known)

    def _list(self, raw: Any, known: Field) -> Any:
        given = raw
        if isinstance(raw, str):
            given = (
                _from_json(raw) if raw.lstrip().startswith("[") else [each.strip() for each in re.split(r"[;\n]", raw)]
            )
        given = given if isinstance(given, list) else [given]
        taken: list[Any] = []
        for each in given:
            if readings.is_nothing(each):
                continue
            one = _structured(each, known) if known.type in {"object", "any"} else self._scalar(each, known)
            if isinstance(one, _Refusal):
                return one
            taken.append(one)
        return taken or None

    def _scalar(self, raw: Any, known: Field) -> Any:
        if isinstance(raw, dict | list):
            return _Refusal("does_not_fit", _("There is room for one value here, not for several."))
        is_plain_text = known.type == "string" and not known.enum and known.format not in {"date", "email", "date-time"}
        if isinstance(raw, str) and (is_plain_text or raw in known.enum):
            return raw
        if known.format == "date-time" and isinstance(raw, str):
            return _moment(raw)
        reading = readings.read(raw, known, language=self._language)
        if isinstance(reading, readings.Refused):
            if reading.reason == "no_value":
                return None
            return _Refusal(reading.reason, _SAID.get(reading.reason, _SAID["does_not_fit"])())
        if reading.rest:
            return _Refusal("does_not_fit", _SAID["does_not_fit"]())
        return reading.value


@dataclass(frozen=True, slots=True)
class _Refusal:
    code: str
    detail: str


_SAID = {
    "does_not_fit": lambda: _("This value does not fit the field."),
    "ambiguous": lambda: _("This value can be read in more than one way."),
}


def _structured(raw: Any, known: Field) -> Any:
    value = _from_json(raw) if isinstance(raw, str) and raw.lstrip()[:1] in {"{", "["} else raw
    if known.type == "object" and not isinstance(value, dict):
        return _Refusal("does_not_fit", _("A JSON object is needed here."))
    return value


def _from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _is_sayable(value: Any) -> bool:
    """Python's JSON also reads NaN and infinity, which no other one knows."""
    if not isinstance(value, float | list | dict):
        return True
    try:
        as_json(value)
    except ValueError:
        return False
    return True


def _moment(text: str) -> str:
    """A spreadsheet knows no time zone: what names none is UTC."""
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?))?", text.strip())
    if not found:
        return text.strip()
    clock = found[2] or "00:00:00"
    return f"{found[1]}T{clock if clock.count(':') > 1 else clock + ':00'}Z"


def _first_step(place: str) -> str:
    steps = place.split("/")
    return steps[1].replace("~1", "/").replace("~0", "~") if len(steps) > 1 else ""


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


class Findings:
    """Counts and samples of what a whole table says, in memory that does not grow with it."""

    def __init__(self, sheet: Sheet, mapping: Mapping[str, str]) -> None:
        self._mapping = dict(mapping)
        self._left_out = dict.fromkeys(column for column in sheet.columns if column not in mapping)
        self._counts: Counter[str] = Counter()
        self._errors: dict[tuple[str, str], tuple[int, list[dict[str, Any]]]] = {}

    def note(self, row: RawRow, fitted: Fitted) -> None:
        self._counts["blank" if fitted.is_blank else "bad" if fitted.misfits else "good"] += 1
        if len(self._left_out) < _MOST_LEFT_OUT:
            self._left_out |= dict.fromkeys(
                str(name)[:_SHOWN] for name, value in row.values.items() if name not in self._mapping and value
            )
        for each in fitted.misfits:
            count, samples = self._errors.get((each.column, each.code), (0, []))
            if len(samples) < _SAMPLES:
                samples.append(each.as_json(row.number))
            if (each.column, each.code) in self._errors or len(self._errors) < _MOST_CAUSES:
                self._errors[each.column, each.code] = (count + 1, samples)

    def as_json(self) -> dict[str, Any]:
        return {
            "rows": sum(self._counts.values()),
            **{name: self._counts[name] for name in ("good", "bad", "blank")},
            "columns": self._mapping,
            "left_out": list(self._left_out),
            "errors": [
                {"column": column, "code": code, "count": count, "samples": samples}
                for (column, code), (count, samples) in sorted(self._errors.items(), key=lambda item: -item[1][0])
            ],
        }


_MOST_LEFT_OUT = 200
_MOST_CAUSES = 500
