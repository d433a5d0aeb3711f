"""What a schema, or a value, may cost: looked at before anything is run on it, and without recursion that its author controls."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs
import orjson
from django.utils.translation import gettext as _

from apps.core.errors import FieldError
from apps.extraction.pointers import pointer
from apps.extraction.types import SchemaRejected

MAX_BYTES = 256 * 1024
MAX_DEPTH = 12
MAX_PROPERTIES = 200
MAX_SUBSCHEMAS = 2_000
MAX_NESTING = 64
MAX_PATTERN = 500
MAX_PATTERNS = 100
MAX_VALUE_NODES = 100_000
MAX_VALUE_CHARACTERS = 4 * 1024 * 1024

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ONE = (
    *("additionalProperties", "items", "contains", "not", "if", "then", "else", "propertyNames"),
    *("unevaluatedItems", "unevaluatedProperties", "contentSchema"),
)
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAPS = ("properties", "patternProperties", "dependentSchemas", "$defs")
_REFUSED = (
    "$anchor",
    "$dynamicRef",
    "$dynamicAnchor",
    "$recursiveRef",
    "$recursiveAnchor",
    "$vocabulary",
    "definitions",
)
_REFERENCE = re.compile(r"#/\$defs/([^/]+)")
_SLUG = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
# What all patterns of a schema together may unfold to, which bounds the time to compile them and the memory they keep.
_PATTERN_BYTES = 4_000_000

Path = tuple[str | int, ...]


def settled(document: object) -> dict[str, Any]:
    """A copy of the document, its own; ``SchemaRejected`` when it cannot be one of ours, whatever it would cost to find out."""
    if not isinstance(document, dict):
        raise _rejected([FieldError("", "type", _("A schema is a JSON object."))])
    if problem := problem_of_value(document, nodes=MAX_BYTES // 4, characters=MAX_BYTES):
        raise _rejected([problem])
    written = orjson.dumps(document)
    if len(written) > MAX_BYTES:
        raise _rejected([_too_large()])
    content: dict[str, Any] = orjson.loads(written)
    if problems := _structural(content):
        raise _rejected(problems)
    # What is told from here on rests on keywords of the right types, which only the meta-schema knows.
    if problems := _against_the_meta_schema(content) or _referential(content) or _own_keywords(content):
        raise _rejected(problems)
    if problems := _measured(content):
        raise _rejected(problems)
    return content


def compiled(content: dict[str, Any]) -> Any:
    try:
        return jsonschema_rs.Draft202012Validator(
            content, validate_formats=True, pattern_options=_pattern_options(content), offline=True
        )
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        path = tuple(getattr(error, "instance_path", ()))
        raise _rejected([FieldError(pointer(path), "invalid", str(getattr(error, "message", error))[:300])]) from None


def subschemas(schema: Any, path: Path = ()) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every subschema that is written, the root first. The nesting was bounded by ``settled``."""
    if not isinstance(schema, dict):
        return
    yield path, schema
    for name in _ONE:
        if name in schema:
            yield from subschemas(schema[name], (*path, name))
    for name in _LISTS:
        for place, each in enumerate(_sequence(schema.get(name))):
            yield from subschemas(each, (*path, name, place))
    for name in _MAPS:
        for key, each in _mapping(schema.get(name)).items():
            yield from subschemas(each, (*path, name, key))


def problem_of_value(
    value: object, *, nodes: int = MAX_VALUE_NODES, characters: int = MAX_VALUE_CHARACTERS
) -> FieldError | None:
    """What keeps a value from being JSON of a bearable size; stops at the first that does."""
    waiting: list[tuple[Any, int]] = [(value, 0)]
    while waiting:
        each, depth = waiting.pop()
        nodes -= 1
        if depth > MAX_NESTING:
            return FieldError("", "too_deep", _("This is nested too deeply."))
        if isinstance(each, dict):
            nodes -= len(each)
            characters -= sum(len(key) for key in each if isinstance(key, str))
            if nodes >= 0 and not all(isinstance(key, str) and is_storable(key) for key in each):
                return FieldError("", "not_json", _("This is not JSON."))
            waiting.extend((inner, depth + 1) for inner in each.values())
        elif isinstance(each, list):
            if len(each) > nodes:
                return _too_large()
            waiting.extend((inner, depth + 1) for inner in each)
        elif isinstance(each, str) and len(each) > characters:
            return _too_large()
        elif problem := _problem_of_scalar(each):
            return problem
        characters -= len(each) if isinstance(each, str) else 0
        if nodes < 0 or characters < 0:
            return _too_large()
    return None


def _problem_of_scalar(value: object) -> FieldError | None:
    if isinstance(value, str):
        return (
            None
            if is_storable(value)
            else FieldError("", "not_text", _("There is a character in it that no text has."))
        )
    if isinstance(value, float):
        return None if math.isfinite(value) else FieldError("", "not_json", _("This is not JSON."))
    if isinstance(value, int):
        fits = -(2**63) <= value < 2**63
        return None if fits else FieldError("", "not_json", _("There is a number in it that is too large."))
    return None if value is None else FieldError("", "not_json", _("This is not JSON."))


def is_storable(text: str) -> bool:
    """PostgreSQL keeps neither NUL nor halves of surrogate pairs."""
    if text.isascii():
        return "\0" not in text
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def _structural(content: dict[str, Any]) -> list[FieldError]:
    found = []
    if str(content.get("$schema", _DIALECT)).rstrip("#") != _DIALECT:
        found.append(FieldError("/$schema", "dialect", _("Only JSON Schema 2020-12 is taken.")))
    if content.get("type") not in ("object", ["object"]):
        found.append(FieldError("/type", "root_type", _("The type of the whole must be “object”.")))
    for path, schema in subschemas(content):
        refused = [name for name in _REFUSED if name in schema]
        if path:
            refused += [name for name in ("$id", "$defs", "$schema") if name in schema]
        found += [
            FieldError(pointer((*path, name)), "keyword", _("“%(name)s” is not taken here.") % {"name": name})
            for name in refused
        ]
    patterns = list(_patterns(content))
    found += [
        FieldError(pointer(path), "too_large", _("This pattern is too long."))
        for path, pattern in patterns
        if isinstance(pattern, str) and len(pattern) > MAX_PATTERN
    ]
    if len(patterns) > MAX_PATTERNS:
        found.append(FieldError("", "too_many_patterns", _("There are too many patterns.")))
    return found


def _patterns(content: dict[str, Any]) -> Iterator[tuple[Path, Any]]:
    for path, schema in subschemas(content):
        if "pattern" in schema:
            yield (*path, "pattern"), schema["pattern"]
        for each in _mapping(schema.get("patternProperties")):
            yield (*path, "patternProperties", each), each


def _pattern_options(content: dict[str, Any]) -> jsonschema_rs.RegexOptions:
    """The dialect whose matching is linear in the text; each pattern has its share of the room."""
    share = _PATTERN_BYTES // max(1, sum(1 for _each in _patterns(content)))
    return jsonschema_rs.RegexOptions(size_limit=share, dfa_size_limit=2_000_000)


def _against_the_meta_schema(content: dict[str, Any]) -> list[FieldError]:
    found = []
    for error in _META.iter_errors(content):
        path = tuple(error.instance_path)
        found.append(FieldError(pointer(path), "invalid", _("JSON Schema knows no such thing here.")))
    if found:
        return found[:50]
    options = _pattern_options(content)
    for path, pattern in _patterns(content):
        try:
            jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=options, offline=True)
        except ValueError:
            problem = _("This pattern cannot be used: look-around, back references and very large ones are not taken.")
            found.append(FieldError(pointer(path), "pattern", problem))
    return found


def _referential(content: dict[str, Any]) -> list[FieldError]:
    """References lead to ``$defs`` of the same document that are there, and never back to where they began."""
    found = []
    leads: dict[str, set[str]] = {}
    for path, schema in subschemas(content):
        if "$ref" not in schema:
            continue
        target = _target(schema)
        if target is None or target not in content.get("$defs", {}):
            problem = _("References lead to “#/$defs/…” of the same schema.")
            found.append(FieldError(pointer((*path, "$ref")), "reference", problem))
        elif path and path[0] == "$defs":
            leads.setdefault(str(path[1]), set()).add(target)
    if found:
        return found
    if looped := _in_a_loop(leads):
        return [FieldError(pointer(("$defs", looped)), "loop", _("This refers back to itself."))]
    return []


def _in_a_loop(leads: Mapping[str, set[str]]) -> str | None:
    done: set[str] = set()
    for start in leads:
        under_way: dict[str, None] = {}
        waiting: list[tuple[str, bool]] = [(start, False)]
        while waiting:
            name, is_left = waiting.pop()
            if is_left:
                under_way.pop(name, None)
                done.add(name)
            elif name in under_way:
                return name
            elif name not in done:
                under_way[name] = None
                waiting.append((name, True))
                waiting.extend((each, False) for each in leads.get(name, ()))
    return None


def _own_keywords(content: dict[str, Any]) -> list[FieldError]:
    found = []
    for path, schema in subschemas(content):
        relation = schema.get("x-relation")
        if relation is not None:
            slug = relation.get("collection") if isinstance(relation, dict) else relation
            if not isinstance(slug, str) or not _SLUG.fullmatch(slug):
                problem = _("A relation names the short name of a collection.")
                found.append(FieldError(pointer((*path, "x-relation")), "relation", problem))
            elif _names(schema.get("items", schema) if schema.get("type") == "array" else schema) - {"string", "null"}:
                problem = _("A relation is a text, or a list of texts.")
                found.append(FieldError(pointer((*path, "type")), "relation", problem))
        for name in ("x-aliases", "x-order"):
            said = schema.get(name, [])
            if not isinstance(said, list) or not all(isinstance(each, str) for each in said):
                found.append(FieldError(pointer((*path, name)), "type", _("This is a list of texts.")))
        if not isinstance(schema.get("x-was", ""), str):
            found.append(FieldError(pointer((*path, "x-was")), "type", _("This is a text.")))
    return found


def _names(schema: Any) -> set[str]:
    kinds = schema.get("type", "string") if isinstance(schema, dict) else "any"
    return {kinds} if isinstance(kinds, str) else set(kinds)


def _measured(content: dict[str, Any]) -> list[FieldError]:
    """Sizes with every reference written out: references to references double what is there with every line."""
    depth, properties, nodes = _measure(content, content, {})
    found = []
    if depth > MAX_DEPTH:
        problem = _("A schema is at most %(limit)s levels deep.") % {"limit": MAX_DEPTH}
        found.append(FieldError("", "too_deep", problem))
    if properties > MAX_PROPERTIES:
        problem = _("A schema has at most %(limit)s properties.") % {"limit": MAX_PROPERTIES}
        found.append(FieldError("", "too_many_properties", problem))
    if nodes > MAX_SUBSCHEMAS:
        found.append(_too_large())
    return found


def _measure(schema: Any, content: dict[str, Any], known: dict[str, tuple[int, int, int]]) -> tuple[int, int, int]:
    """Levels of values, properties, subschemas. Alternatives of one value are on its own level."""
    if not isinstance(schema, dict):
        return 1, 0, 1
    depth, properties, nodes = 1, len(schema.get("properties", {})), 1
    below = [(each, 0) for name in ("allOf", "anyOf", "oneOf") for each in schema.get(name, [])]
    below += [(schema[name], 0) for name in ("not", "if", "then", "else") if name in schema]
    below += [(each, 0) for each in schema.get("dependentSchemas", {}).values()]
    below += [(schema[name], 1) for name in _ONE if name in schema and name not in {"not", "if", "then", "else"}]
    below += [(each, 1) for each in schema.get("prefixItems", [])]
    below += [(each, 1) for name in ("properties", "patternProperties") for each in schema.get(name, {}).values()]
    measured = [(_measure(each, content, known), more) for each, more in below]
    if target := _target(schema):
        if target not in known:
            known[target] = _measure(content["$defs"][target], content, known)
        measured.append((known[target], 0))
    for (inner_depth, inner_properties, inner_nodes), more in measured:
        depth = max(depth, inner_depth + more)
        properties += inner_properties
        nodes += inner_nodes
    return depth, properties, nodes


def _target(schema: Mapping[str, Any]) -> str | None:
    reference = schema.get("$ref")
    named = _REFERENCE.fullmatch(reference) if isinstance(reference, str) else None
    return named[1].replace("~1", "/").replace("~0", "~") if named else None


def _sequence(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _too_large() -> FieldError:
    return FieldError("", "too_large", _("This is larger than what is taken here."))


def _rejected(problems: list[FieldError]) -> SchemaRejected:
    return SchemaRejected(problems[0].detail if len(problems) == 1 else None, fields=problems)


_META = jsonschema_rs.Draft202012Validator({"$ref": _DIALECT}, offline=True)
