"""The part of a schema that a provider enforces while it writes, and what had to be left out of it.

Providers take a subset of JSON Schema and refuse the rest. What is dropped here is checked by ``Schema.validate`` when the answer has
come. The subsets, as their documentation has them in autumn 2026:

- ``openai``: every property required (optional ones may be null), ``additionalProperties: false``, no ``allOf``, ``oneOf``, ``not``,
  conditions, lengths of texts or ``default``; formats, patterns and limits of numbers and lists are taken; ten levels.
- ``anthropic``: no limits of numbers, texts and lists but ``minItems`` of 0 and 1; at most 24 optional properties and 16 unions.
- ``plain``: for prompts, tool calls and servers that take what they know and pass over the rest: everything but our own keywords.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from apps.extraction.pointers import pointer, steps
from apps.extraction.schema import Schema, type_of

Kind: TypeAlias = Literal["openai", "anthropic", "plain"]

_FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
_KEPT: dict[str, set[str]] = {
    "openai": {
        *("pattern", "format", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
        *("minItems", "maxItems"),
    },
    "anthropic": {"format", "minItems"},
}
_TAKEN_APART = {
    *("type", "enum", "const", "properties", "required", "additionalProperties", "items", "title", "description"),
    *(
        "anyOf",
        "oneOf",
        "$defs",
        "$schema",
        "$id",
        "$comment",
        "examples",
        "default",
        "deprecated",
        "readOnly",
        "writeOnly",
    ),
}
_MOST_LEVELS = {"openai": 9, "anthropic": 12}
_MOST_CHOICES = 250
_MOST_OPTIONAL, _MOST_UNIONS = 24, 16


@dataclass(frozen=True, slots=True)
class Dropped:
    """``pointer`` is a field's (``Field.pointer``), the empty one is the whole."""

    pointer: str
    keyword: str


@dataclass(frozen=True, slots=True)
class Strict:
    schema: dict[str, Any]
    dropped: tuple[Dropped, ...] = ()


def for_provider(schema: Schema, kind: Kind) -> Strict:
    """A schema for one object of the collection."""
    if kind == "plain":
        return Strict(_without_our_own(schema.document))
    work = _Narrowing(schema.document, kind, _Room())
    return Strict(work.narrowed(schema.document, "", 1), tuple(work.dropped))


def envelope(schemas: Mapping[str, Schema], kind: Kind = "openai") -> Strict:
    """A schema for an answer with any number of objects of several collections, which ``coercion.fit`` reads.

    ``{"entities": {slug: [{"id": …, "fields": {…}}]}, "links": [{"from": id, "field": "slug.relation", "to": id or name}]}``:
    grouped by collection, because alternatives in a list are what providers differ most about. Relations are told as links only.
    """
    room = _Room()
    groups: dict[str, Any] = {}
    dropped: list[Dropped] = []
    relations: dict[str, str] = {}
    definitions: dict[str, Any] = {}
    for slug, schema in schemas.items():
        for each in schema.fields:
            if each.relation:
                relations[f"{slug}.{each.pointer[1:]}"] = f"{each.title}: {slug} → {each.relation.collection_slug}"
        if kind == "plain":
            fields = _without_our_own(_without_relations(schema.document))
            definitions |= {f"{slug}.{name}": each for name, each in _moved(fields.pop("$defs", {}), slug).items()}
            fields = _moved(fields, slug)
        else:
            work = _Narrowing(schema.document, kind, room, with_relations=False)
            fields = work.narrowed(schema.document, "", 4)
            dropped += [Dropped(f"/{slug}{each.pointer}", each.keyword) for each in work.dropped]
        one = _object(
            {"id": {"type": "string", "description": "A short name for this one, such as p1."}, "fields": fields}
        )
        groups[slug] = {"type": "array", "items": one} | _told(schema.document)
    parts: dict[str, Any] = {"entities": _object(groups)}
    if relations:
        described = "; ".join(f"{name} ({told})" for name, told in relations.items())
        link = {
            "from": {"type": "string", "description": "The id of an entity."},
            "field": {"type": "string", "enum": list(relations), "description": described},
            "to": {
                "type": "string",
                "description": "The id of an entity, or the name of one that is not in this answer.",
            },
        }
        parts["links"] = {"type": "array", "items": _object(link)}
    whole = _object(parts) | ({"$defs": definitions} if definitions else {})
    return Strict(whole, tuple(dropped))


def _moved(schema: Any, slug: str) -> Any:
    """References lead to the definitions of the whole, where each collection's carry its short name."""
    if isinstance(schema, list):
        return [_moved(each, slug) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: value.replace("#/$defs/", f"#/$defs/{slug}.")
        if name == "$ref" and isinstance(value, str)
        else _moved(value, slug)
        for name, value in schema.items()
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


@dataclass(slots=True)
class _Room:
    """What Anthropic has room for, in all schemas of a request together."""

    optional: int = _MOST_OPTIONAL
    unions: int = _MOST_UNIONS


@dataclass(slots=True)
class _Narrowing:
    document: dict[str, Any]
    kind: str
    room: _Room
    with_relations: bool = True
    dropped: list[Dropped] = field(default_factory=list)

    def narrowed(self, schema: Any, at: str, level: int) -> dict[str, Any]:
        whole = self._whole(schema, at)
        if whole.get("type") == "null":
            return {"type": "null"}
        branches = [each for name in ("anyOf", "oneOf") for each in whole.get(name, [])]
        if "oneOf" in whole:
            self._drop(at, "oneOf")
        if branches and "properties" not in whole:
            return self._alternatives(whole, branches, at, level)
        if branches:
            self._drop(at, "anyOf" if "anyOf" in whole else "oneOf")
        kind = type_of(whole)
        for keyword in whole:
            if (
                keyword not in _TAKEN_APART
                and not keyword.startswith("x-")
                and not self._keeps(keyword, whole[keyword])
            ):
                self._drop(at, keyword)
        kept = {name: value for name, value in whole.items() if self._keeps(name, value)} | _told(whole)
        if kind == "object" and whole.get("properties") and level <= _MOST_LEVELS[self.kind]:
            kept = _told(whole) | self._of_properties(whole, at, level)
        elif kind == "array" and level <= _MOST_LEVELS[self.kind]:
            kept |= {"type": "array", "items": self.narrowed(whole.get("items", True), at, level + 1)}
        elif kind in {"object", "array", "any"} and not self._choices(whole):
            # As text of its own: coercion reads JSON in a string as what it holds.
            self._drop(at, "type")
            told = str(whole.get("description", "")).strip()
            hint = "As JSON text." if kind != "any" else "As text, or as JSON text."
            return {"type": "string", "description": f"{told} {hint}".strip()}
        elif kind != "any":
            kept["type"] = kind
        if choices := self._choices(whole):
            if len(choices) <= _MOST_CHOICES and all(isinstance(each, str | int | float | bool) for each in choices):
                kept = {name: value for name, value in kept.items() if name == "description"} | {"enum": choices}
                kept |= {"type": kind} if kind != "any" else {}
            else:
                self._drop(at, "enum")
        if _is_nullable(whole):
            self.room.unions -= 1
            return _or_null(kept)
        return kept

    def _of_properties(self, whole: dict[str, Any], at: str, level: int) -> dict[str, Any]:
        if whole.get("additionalProperties", True) is not False:
            self._drop(at, "additionalProperties")
        needed = whole.get("required", [])
        order = [*whole.get("x-order", []), *whole["properties"]]
        properties: dict[str, Any] = {}
        required: list[str] = []
        for name in dict.fromkeys(each for each in order if each in whole["properties"]):
            own = whole["properties"][name]
            if not self.with_relations and isinstance(own, dict) and "x-relation" in own:
                continue
            place = at + pointer([name])
            inner = self.narrowed(own, place, level + 1)
            if name in needed or _takes_null(inner):
                required.append(name)
            elif self.kind == "openai":
                inner = _or_null(inner)
                required.append(name)
            elif self.room.optional > 0:
                self.room.optional -= 1
            elif self.room.unions > 0:
                self.room.unions -= 1
                inner = _or_null(inner)
                required.append(name)
            else:
                # A text may be empty, and is read as the type that is wanted.
                self._drop(place, "type")
                inner = {"type": "string"} | _told(inner)
                required.append(name)
            properties[name] = inner
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}

    def _alternatives(self, whole: dict[str, Any], branches: list[Any], at: str, level: int) -> dict[str, Any]:
        known = [self.narrowed(each, at, level) for each in branches]
        nulls = [each for each in known if each.get("type") == "null"]
        values = [each for each in known if each.get("type") != "null"]
        if not values:
            return {"type": "null"} | _told(whole)
        found = values[0] if len(values) == 1 else {"anyOf": values}
        if len(values) > 1:
            self.room.unions -= 1
        found = found | _told(whole)
        if nulls and not _takes_null(found):
            self.room.unions -= 1
            return _or_null(found)
        return found

    def _whole(self, schema: Any, at: str) -> dict[str, Any]:
        """With its reference and its ``allOf`` written out; where they contradict each other the outer one holds."""
        if not isinstance(schema, dict):
            return {}
        found = {name: value for name, value in schema.items() if name not in {"$ref", "allOf"}}
        parts = list(schema.get("allOf", []))
        if "$ref" in schema:
            parts.append(self.document["$defs"][steps(schema["$ref"])[-1]])
        for part in parts:
            inner = self._whole(part, at)
            both = {"properties", "required", "description", "title"}
            for name in inner.keys() & found.keys() - both:
                if inner[name] != found[name]:
                    self._drop(at, name)
            merged = inner | found
            if "properties" in inner and "properties" in found:
                merged["properties"] = inner["properties"] | found["properties"]
            if "required" in inner and "required" in found:
                merged["required"] = [*inner["required"], *found["required"]]
            found = merged
        return found

    def _keeps(self, keyword: str, value: Any) -> bool:
        if keyword == "format":
            return value in _FORMATS or (value == "uri" and self.kind == "anthropic")
        if keyword == "minItems" and self.kind == "anthropic":
            return value in {0, 1}
        return keyword in _KEPT[self.kind]

    def _choices(self, whole: dict[str, Any]) -> list[Any]:
        given = whole.get("enum", [whole["const"]] if "const" in whole else [])
        return [each for each in given if each is not None]

    def _drop(self, at: str, keyword: str) -> None:
        if Dropped(at, keyword) not in self.dropped:
            self.dropped.append(Dropped(at, keyword))


def _told(schema: Mapping[str, Any]) -> dict[str, Any]:
    """What a model reads of a field: its description, and its title where that is more than the name says."""
    title, description = str(schema.get("title", "")), str(schema.get("description", ""))
    told = f"{title}: {description}" if title and description else title or description
    return {"description": told} if told else {}


def _is_nullable(schema: Mapping[str, Any]) -> bool:
    kinds = schema.get("type", [])
    return kinds == "null" or "null" in (kinds if isinstance(kinds, list) else []) or None in schema.get("enum", [])


def _takes_null(schema: Mapping[str, Any]) -> bool:
    return _is_nullable(schema) or any(_takes_null(each) for each in schema.get("anyOf", []))


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    if "anyOf" in schema:
        return schema | {"anyOf": [*schema["anyOf"], {"type": "null"}]}
    if isinstance(schema.get("type"), str) and schema["type"] not in {"object", "array", "null"}:
        choices = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
        return schema | {"type": [schema["type"], "null"]} | choices
    told = {name: value for name, value in schema.items() if name == "description"}
    bare = {name: value for name, value in schema.items() if name != "description"}
    return {"anyOf": [bare, {"type": "null"}]} | told


def _without_our_own(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            name: value if name in {"enum", "const", "default", "examples"} else _without_our_own(value)
            for name, value in schema.items()
            if not name.startswith("x-") and name not in {"$schema", "$id", "$comment"}
        }
    return [_without_our_own(each) for each in schema] if isinstance(schema, list) else schema


def _without_relations(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_relations(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _without_relations(value) for name, value in schema.items()}
    properties = schema.get("properties")
    if isinstance(properties, dict):
        gone = {name for name, each in properties.items() if isinstance(each, dict) and "x-relation" in each}
        found["properties"] = {name: each for name, each in found["properties"].items() if name not in gone}
        if isinstance(schema.get("required"), list):
            found["required"] = [name for name in schema["required"] if name not in gone]
    return found
