"""Collections are JSON Schemas (2020-12): which are taken, what fields they have, and whether a value fits.

A schema comes from strangers and is run for every record, so what it may cost is settled before it is ever used: it is small, its
references are local and end, and its patterns are of the dialect whose matching is linear in the text (no look-around, no back
references). Keywords of our own, which other tools ignore: ``x-relation``, ``x-aliases``, ``x-was`` (the name before), ``x-order``.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any, TypeAlias

import orjson

from apps.core.errors import FieldError
from apps.extraction import schema_limits, schema_words
from apps.extraction.pointers import pointer, steps

Json: TypeAlias = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

_MOST_ERRORS = 100
_MOST_KEPT = 64
_TYPES = ("string", "integer", "number", "boolean", "object", "array")


@dataclass(frozen=True, slots=True)
class RelationTo:
    collection_slug: str
    many: bool


@dataclass(frozen=True, slots=True)
class Field:
    """One property, at any depth. In ``pointer`` a ``*`` stands for every index of a list: ``/children/*/name``.

    ``type`` is that of the value, of each value where ``is_list``: string, integer, number, boolean, object or any
    (also an object whose properties the schema does not name). ``required``
    holds only when everything above is required too, so a record without it never fits.
    """

    pointer: str
    name: str
    title: str
    type: str
    format: str = ""
    description: str = ""
    enum: tuple[Any, ...] = ()
    required: bool = False
    is_list: bool = False
    is_nullable: bool = False
    relation: RelationTo | None = None
    aliases: tuple[str, ...] = ()
    was: str = ""

    @property
    def is_top(self) -> bool:
        return self.pointer.count("/") == 1


@dataclass(frozen=True, eq=False)
class Schema:
    """A schema that passed ``check``. ``document`` is a copy that nobody else holds: do not change it."""

    document: dict[str, Any]
    digest: str
    fields: tuple[Field, ...]
    _validator: Any = field(repr=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and other.digest == self.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    @cached_property
    def by_pointer(self) -> Mapping[str, Field]:
        return {each.pointer: each for each in self.fields}

    @property
    def top(self) -> tuple[Field, ...]:
        return tuple(each for each in self.fields if each.is_top)

    def named(self, name: str) -> Field | None:
        """The field at the top of that name; None when the schema knows it no more."""
        return self.by_pointer.get(pointer([name]))

    def field_at(self, place: str) -> Field | None:
        """Of a place (a JSON pointer) in a value: ``/children/0/name`` finds ``/children/*/name``; an item of a list finds the list's field."""
        if found := self.by_pointer.get(place):
            return found
        general = "/".join("*" if step.isdigit() else step for step in place.split("/"))
        return self.by_pointer.get(general) or self.by_pointer.get(general.removesuffix("/*"))

    def validate(self, value: object) -> list[FieldError]:
        """What is wrong where (JSON pointers into ``value``), at most 100 of it; empty when it fits."""
        if problem := schema_limits.problem_of_value(value):
            return [problem]
        found: list[FieldError] = []
        for error in islice(self._validator.iter_errors(value), _MOST_ERRORS):
            found += schema_words.errors_of(error)
        return found[:_MOST_ERRORS]

    def is_valid(self, value: object) -> bool:
        return schema_limits.problem_of_value(value) is None and bool(self._validator.is_valid(value))


_kept: OrderedDict[str, Schema] = OrderedDict()
_keeping = threading.Lock()


def check(document: object) -> Schema:
    """Raises ``SchemaRejected`` with everything that is wrong. The same document gives the same compiled ``Schema``."""
    content = schema_limits.settled(document)
    _put_in_order(content)
    digest = _digest(content)
    if found := _find_kept(digest):
        return found
    validator = schema_limits.compiled(content)
    found = Schema(content, digest, tuple(_fields_of(content, content, above="", is_needed=True)), validator)
    with _keeping:
        _kept[digest] = found
        while len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
    return found


def of_row(document: dict[str, Any]) -> Schema:
    """Of a document that was checked when it was written: while it is kept, it is not checked once more."""
    return _find_kept(_digest(document)) or check(document)


def _digest(content: dict[str, Any]) -> str:
    """Sorted, so that a document keeps its digest through a jsonb column, which forgets the order of keys."""
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _find_kept(digest: str) -> Schema | None:
    with _keeping:
        if digest not in _kept:
            return None
        _kept.move_to_end(digest)
        return _kept[digest]


def effective(schema: Any, document: Mapping[str, Any]) -> dict[str, Any]:
    """``schema`` with its references, ``allOf`` and the one branch that is not null put together; what cannot be is left out."""
    if not isinstance(schema, dict):
        return {}
    found = {name: value for name, value in schema.items() if name not in {"$ref", "allOf", "anyOf", "oneOf"}}
    parts = []
    if isinstance(reference := schema.get("$ref"), str):
        parts.append(document.get("$defs", {}).get(steps(reference)[-1], {}))
    parts += schema.get("allOf", [])
    for part in parts:
        found = _together(effective(part, document), found)
    branches = [effective(branch, document) for name in ("anyOf", "oneOf") for branch in schema.get(name, [])]
    full = [branch for branch in branches if branch.get("type") != "null" and branch.get("const", 0) is not None]
    if len(full) == 1:
        found = _together(full[0], found)
    elif full:
        found = _together(_either(full), found)
    if len(full) < len(branches):
        found["x-nullable"] = True
    return found


def _together(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = below | above
    if "properties" in below and "properties" in above:
        merged["properties"] = above["properties"] | {
            name: each for name, each in below["properties"].items() if name not in above["properties"]
        }
    if "required" in below and "required" in above:
        merged["required"] = [*below["required"], *above["required"]]
    return merged


def _either(branches: list[dict[str, Any]]) -> dict[str, Any]:
    """One of several: objects give all the properties any has, none of them needed; the rest a type where they agree on one."""
    kinds = {str(branch.get("type")) for branch in branches}
    if len(kinds) > 1:
        return {}
    if all("const" in branch for branch in branches):
        return {"enum": [branch["const"] for branch in branches]}
    properties: dict[str, Any] = {}
    for branch in branches:
        properties = branch.get("properties", {}) | properties
    found = {"type": branches[0].get("type")} | ({"properties": properties} if properties else {})
    return {name: value for name, value in found.items() if value is not None}


def properties_of(found: Schema) -> dict[str, Any]:
    """The schemas of the fields at the top, by name: also of those that come from ``allOf`` or the like."""
    properties: dict[str, Any] = effective(found.document, found.document).get("properties", {})
    return properties


def type_of(schema: Mapping[str, Any]) -> str:
    """``any`` where several types are allowed; null does not count. Without ``type``, as far as the choices tell."""
    kinds = schema.get("type")
    if kinds is None:
        choices = schema.get("enum", [schema["const"]] if "const" in schema else [])
        if choices and all(isinstance(choice, str) for choice in choices if choice is not None):
            return "string"
        return "object" if "properties" in schema else "array" if "items" in schema else "any"
    named = [kind for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind != "null"]
    if set(named) == {"integer", "number"}:
        return "number"
    return named[0] if len(named) == 1 and named[0] in _TYPES else "any"


def title_of(name: str) -> str:
    """``firstName`` and ``first_name`` are called “First name”."""
    words = re.sub(r"(?<=[a-zäöüß\d])(?=[A-ZÄÖÜ])", " ", name).replace("_", " ").replace("-", " ").split()
    spoken = " ".join(word if word.isupper() and len(word) > 1 else word.lower() for word in words)
    return spoken[:1].upper() + spoken[1:] or name


def _fields_of(schema: Any, document: Mapping[str, Any], *, above: str, is_needed: bool) -> list[Field]:
    found: list[Field] = []
    whole = effective(schema, document)
    properties = whole.get("properties", {})
    order = {name: place for place, name in enumerate(whole.get("x-order", []))}
    for name in sorted(properties, key=lambda each: order.get(each, len(order))):
        own = effective(properties[name], document)
        kind, is_list = type_of(own), False
        inner, item = own, own
        if kind == "array":
            item = effective(own.get("items", {}), document)
            kind, is_list, inner = type_of(item), True, item
            kind = "any" if kind == "array" else kind
        if kind == "object" and not inner.get("properties") and inner.get("additionalProperties", True) is not False:
            kind = "any"
        place = above + pointer([name])
        required = is_needed and name in whole.get("required", [])
        choices = item.get("enum", [item["const"]] if "const" in item else [])
        found.append(
            Field(
                pointer=place,
                name=name,
                title=str(own.get("title") or title_of(name)),
                type=kind,
                format=str(item.get("format", "")),
                description=str(own.get("description", "")),
                enum=tuple(choice for choice in choices if choice is not None),
                required=required,
                is_list=is_list,
                is_nullable=_is_nullable(own),
                relation=_relation_of(own, is_list=is_list),
                aliases=tuple(own.get("x-aliases", [])),
                was=str(own.get("x-was", "")),
            )
        )
        if kind == "object":
            deeper = place + "/*" if is_list else place
            found += _fields_of(inner, document, above=deeper, is_needed=required and not is_list)
    return found


def _is_nullable(schema: Mapping[str, Any]) -> bool:
    kinds = schema.get("type", [])
    return bool(schema.get("x-nullable")) or "null" in ([kinds] if isinstance(kinds, str) else kinds)


def _relation_of(schema: Mapping[str, Any], *, is_list: bool) -> RelationTo | None:
    said = schema.get("x-relation")
    if isinstance(said, str):
        return RelationTo(said, is_list)
    return RelationTo(said["collection"], is_list) if isinstance(said, dict) else None


def _put_in_order(content: dict[str, Any]) -> None:
    """Properties keep the order they were written in, in ``x-order``, through stores that forget the order of keys."""
    for _path, schema in schema_limits.subschemas(content):
        names = list(schema.get("properties", {}))
        if len(names) > 1:
            said = [name for name in schema.get("x-order", []) if name in names]
            schema["x-order"] = list(dict.fromkeys([*said, *names]))
