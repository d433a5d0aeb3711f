"""Conditions on the fields of records: from text to SQL. Values are bound, names are looked up in the schema."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import F, Func, JSONField, Q, TextField, Value
from django.db.models.functions import Cast, Coalesce, Collate
from django.db.models.lookups import GreaterThan, GreaterThanOrEqual, IContains, In, LessThan, LessThanOrEqual
from django.utils.translation import gettext as _

from apps.core.errors import FieldError, Invalid
from apps.extraction import moments
from apps.extraction.schema import Field, Schema

OPERATORS = ("is", "not", "has", "over", "under", "from", "to", "empty", "filled")
MAX_CONDITIONS = 20


@dataclass(frozen=True, slots=True)
class Condition:
    """``field`` ``operator`` ``value``, the value as text: ``age over 30``."""

    field: str
    operator: str
    value: str = ""


def read(raw: str) -> Condition:
    """``field:operator:value`` as it stands in an address; the value may hold colons. ``field:value`` is ``is``."""
    name, _colon, rest = raw.partition(":")
    operator, colon, value = rest.partition(":")
    if operator in OPERATORS and (colon or operator in {"empty", "filled"}):
        return Condition(name, operator, value)
    return Condition(name, "is", rest)


def as_q(schema: Schema, conditions: Sequence[Condition]) -> Q:
    """All of them hold. Raises ``Invalid`` that names the first field or operator that is none. Of a moment a bare day is that of the
    time zone that is active.
    """
    if len(conditions) > MAX_CONDITIONS:
        raise _wrong("filter", _("At most %(number)d conditions.") % {"number": MAX_CONDITIONS})
    known = {field.name: field for field in schema.top}
    found = Q()
    for condition in conditions:
        field = known.get(condition.field)
        if field is None:
            raise _wrong("filter", _("There is no field “%(name)s”.") % {"name": condition.field[:80]})
        found &= _one(field, condition)
    return found


def _one(field: Field, condition: Condition) -> Q:
    if moments.is_moment(field):
        day = None if field.is_list else moments.day_in(condition.value)
        if day is not None and condition.operator in _ON_A_DAY:
            return _ON_A_DAY[condition.operator](field, *day)
        if condition.operator in {"is", "not"}:
            # A moment that the schema takes only as it was said, or that was written before, is no text in UTC.
            same = _contains(field, moments.of_reader(condition.value)) | _contains(field, condition.value)
            return same if condition.operator == "is" else ~same
        if condition.operator != "has":
            condition = replace(condition, value=moments.of_reader(condition.value))
    match condition.operator:
        case "is":
            return _contains(field, condition.value)
        case "not":
            return ~_contains(field, condition.value)
        case "has":
            return Q(IContains(_text_of(field), condition.value))
        case "empty":
            return _is_empty(field)
        case "filled":
            return ~_is_empty(field)
        case "over" | "under" | "from" | "to":
            return _beside(field, condition.operator, _typed(field, condition.value))
        case _:
            raise _wrong("filter", _("“%(name)s” is no comparison.") % {"name": condition.operator[:20]})


# Texts are in the order of their characters, which is the order of ISO dates.
_COMPARED = {"over": GreaterThan, "under": LessThan, "from": GreaterThanOrEqual, "to": LessThanOrEqual}


def _beside(field: Field, comparison: str, value: Any) -> Q:
    """Numbers as numbers, one text as text: as values of jsonb texts have the same order, but each comparison takes thrice as long."""
    if field.type == "string" and not field.is_list:
        return Q(_COMPARED[comparison](Collate(_text_of(field), "C"), Value(value, TextField())))
    return Q(_COMPARED[comparison](_value_of(field), Value(value, JSONField())))


def _within(field: Field, first: str, after: str) -> Q:
    return _beside(field, "from", first) & _beside(field, "under", after)


#: A moment and a day, from where it begins to where the next one does.
_ON_A_DAY: Mapping[str, Callable[[Field, str, str], Q]] = {
    "is": _within,
    "not": lambda field, first, after: ~_within(field, first, after) | _is_empty(field),
    "over": lambda field, _first, after: _beside(field, "from", after),
    "from": lambda field, first, _after: _beside(field, "from", first),
    "under": lambda field, first, _after: _beside(field, "under", first),
    "to": lambda field, _first, after: _beside(field, "under", after),
}


def _value_of(field: Field) -> Func:
    """The name is bound, as text: whatever a schema calls its fields, none of it is read as a path or a place in a list."""
    return Func(F("data"), _name_of(field), template="(%(expressions)s)", arg_joiner=" -> ", output_field=JSONField())


def _text_of(field: Field) -> Func:
    return Func(F("data"), _name_of(field), template="(%(expressions)s)", arg_joiner=" ->> ", output_field=TextField())


def _name_of(field: Field) -> Cast:
    return Cast(Value(field.name), TextField())


def _contains(field: Field, raw: str) -> Q:
    """``@>``: what the index on data answers."""
    value = _typed(field, raw)
    return Q(data__contains={field.name: [value] if field.is_list else value})


def _is_empty(field: Field) -> Q:
    """Not there, null, no text, no items."""
    return Q(In(Coalesce(_text_of(field), Value("", output_field=TextField())), ["", "[]", "{}"]))


def _typed(field: Field, raw: str) -> Any:
    """The text as the field's kind of value."""
    try:
        match field.type:
            case "integer" | "number":
                return _finite(float(raw)) if "." in raw or "e" in raw.lower() else int(raw)
            case "boolean":
                return _BOOLEANS[raw.strip().casefold()]
            case _:
                return raw
    except (ValueError, KeyError):
        raise _wrong(field.name, _("“%(value)s” is no value for this field.") % {"value": raw[:80]}) from None


def _finite(number: float) -> float:
    """JSON knows no other, nor does the column."""
    if not math.isfinite(number):
        raise ValueError
    return number


_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def _wrong(field: str, detail: str) -> Invalid:
    return Invalid(fields=[FieldError(field, "invalid", detail)])
