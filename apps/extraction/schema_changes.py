"""What a new version of a schema changes, what of that breaks records, and how far records can be brought along.

Whether a field takes less than before is proved, not guessed from keywords: the canonical form of the old field's schema minus the new
one's is what it no longer takes. Where that cannot be told, a change counts as breaking.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import jsonschema_rs
import orjson
from django.utils.translation import gettext as _

from apps.core.errors import FieldError
from apps.extraction import readings
from apps.extraction.schema import Field, Schema, effective


class ChangeKind(StrEnum):
    """Part of the API."""

    ADDED = "added"
    REMOVED = "removed"
    RENAMED = "renamed"
    TYPE_CHANGED = "type_changed"
    REQUIRED_ADDED = "required_added"
    ENUM_NARROWED = "enum_narrowed"
    NARROWED = "narrowed"
    WIDENED = "widened"
    RELATION_CHANGED = "relation_changed"


@dataclass(frozen=True, slots=True)
class Change:
    """``before`` and ``after`` are pointers of the field in the old and in the new schema; one is empty where there is none.

    ``breaks``: there can be values that fitted the old schema and do not fit the new one, unless ``migrate`` brings them along.
    """

    kind: ChangeKind
    before: str
    after: str
    breaks: bool


@dataclass(frozen=True, slots=True)
class Changes:
    old: Schema
    new: Schema
    items: tuple[Change, ...] = ()
    renames: Mapping[str, str] = field(default_factory=dict)

    @property
    def breaks(self) -> bool:
        return any(each.breaks for each in self.items)

    @property
    def names(self) -> dict[str, str]:
        """Of the fields of the record itself: what they were called, and are."""
        return {
            self.old.by_pointer[old].name: self.new.by_pointer[new].name
            for old, new in self.renames.items()
            if old.count("/") == 1
        }

    def of(self, kind: ChangeKind) -> tuple[Change, ...]:
        return tuple(each for each in self.items if each.kind is kind)


@dataclass(frozen=True, slots=True)
class Problem:
    """Of one record, for people to look at: ``lost`` is the value that has no place any more, None where one is missing."""

    pointer: str
    code: str
    detail: str
    lost: Any = None


@dataclass(frozen=True, slots=True)
class Migrated:
    """Without ``problems`` the value fits the new schema and nothing of the old one was left behind."""

    value: dict[str, Any]
    problems: tuple[Problem, ...] = ()


def compare(old: Schema, new: Schema, *, renames: Mapping[str, str] | None = None) -> Changes:
    """``renames`` lead from old pointers to new ones, for top fields; besides them a field's ``x-was`` tells its name before."""
    moved = _renames(old, new, renames or {})
    found = [Change(ChangeKind.RENAMED, before, after, breaks=False) for before, after in moved.items()]
    arrived = set(moved.values())
    for each in old.fields:
        after = _new_place(each.pointer, moved)
        if after not in new.by_pointer and _parent_is_there(each, moved, new):
            found.append(Change(ChangeKind.REMOVED, each.pointer, "", breaks=True))
    for each in new.fields:
        before = _old_place(each.pointer, moved)
        known = old.by_pointer.get(before)
        if known is None:
            parent = _old_place(each.pointer.rpartition("/")[0].removesuffix("/*"), moved)
            if each.is_top or parent in old.by_pointer:
                has_default = _property(new, each.pointer).get("default") is not None
                found.append(Change(ChangeKind.ADDED, "", each.pointer, breaks=each.required and not has_default))
            continue
        found += _differences(old, new, known, each)
    if (
        not found
        and _values_only(old.document) != _values_only(new.document)
        and not _is_covered(old.document, new.document)
    ):
        found.append(Change(ChangeKind.NARROWED, "", "", breaks=True))
    order = list(ChangeKind)
    unique = dict.fromkeys(sorted(found, key=lambda each: (order.index(each.kind), each.after or each.before)))
    return Changes(old, new, tuple(unique), {before: after for before, after in moved.items() if after in arrived})


def migrate(value: Mapping[str, Any], changes: Changes, *, language: str = "en") -> Migrated:
    """Renames, converts to the new types (``readings``), fills in defaults; what cannot be is told, and the rest still comes along."""
    work = _Migration(changes, language)
    brought = work.group(dict(value), "", "")
    problems = work.problems
    told = {each.pointer for each in problems}
    for error in changes.new.validate(brought):
        if error.field not in told:
            problems.append(_problem(error, brought))
    return Migrated(brought, tuple(problems))


@dataclass(slots=True)
class _Migration:
    changes: Changes
    language: str
    problems: list[Problem] = field(default_factory=list)

    def group(self, value: dict[str, Any], above: str, place: str) -> dict[str, Any]:
        """``above`` is the general pointer of the group in the new schema, ``place`` where it stands in the record."""
        new = self.changes.new
        brought: dict[str, Any] = {}
        for name, each in value.items():
            before = f"{_old_place(above, self.changes.renames)}/{_escaped(name)}"
            after = _new_place(before, self.changes.renames)
            known = new.by_pointer.get(after)
            if known is None:
                if _takes_others(new, above):
                    brought[name] = copy.deepcopy(each)
                else:
                    self._lose(f"{place}/{_escaped(name)}", each)
                continue
            taken = self.one(each, known, f"{place}/{_escaped(known.name)}")
            if taken is not _NOTHING:
                brought[known.name] = taken
        for known in new.fields:
            if known.pointer.rpartition("/")[0] == above and known.name not in brought:
                default = _property(new, known.pointer).get("default")
                if default is not None:
                    brought[known.name] = copy.deepcopy(default)
        return brought

    def one(self, value: Any, known: Field, place: str) -> Any:
        if value is None or known.type == "any":
            return copy.deepcopy(value)
        if known.is_list:
            given = value if isinstance(value, list) else [value]
            taken: list[Any] = []
            for each in given:
                inner = self._single(each, known, f"{place}/{len(taken)}", known.pointer + "/*")
                if inner is not _NOTHING:
                    taken.append(inner)
            return taken
        if isinstance(value, list):
            if len(value) != 1:
                self._lose(place, value)
                return _NOTHING
            value = value[0]
        return self._single(value, known, place, known.pointer)

    def _single(self, value: Any, known: Field, place: str, above: str) -> Any:
        if known.type == "object":
            if isinstance(value, dict):
                return self.group(value, above, place)
            self._lose(place, value)
            return _NOTHING
        if isinstance(value, dict | list):
            self._lose(place, value)
            return _NOTHING
        if value is None:
            return None
        if _fits(value, known):
            return value
        reading = readings.read(value, known, language=self.language)
        if isinstance(reading, readings.Refused) or reading.rest:
            self._lose(place, value)
            return _NOTHING
        return reading.value

    def _lose(self, place: str, value: Any) -> None:
        if not readings.is_nothing(value):
            self.problems.append(Problem(place, "lost", _("This value has no place in the new schema."), value))


_NOTHING: Any = object()
_LARGEST_PROVED = 8_192


def _fits(value: Any, known: Field) -> bool:
    kinds: dict[str, type | tuple[type, ...]] = {"string": str, "integer": int, "number": (int, float), "boolean": bool}
    kind = kinds.get(known.type)
    if kind is None or not isinstance(value, kind) or (isinstance(value, bool) and known.type != "boolean"):
        return False
    if known.enum:
        return value in known.enum
    return known.format != "date"


def _problem(error: FieldError, value: Any) -> Problem:
    at: Any = value
    for step in error.field.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        at = (
            at.get(name) if isinstance(at, dict) else at[int(name)] if isinstance(at, list) and name.isdigit() else None
        )
    return Problem(error.field, error.code, error.detail, at)


def _differences(old: Schema, new: Schema, before: Field, after: Field) -> list[Change]:
    found = []

    def note(kind: ChangeKind, *, breaks: bool) -> None:
        found.append(Change(kind, before.pointer, after.pointer, breaks))

    if after.required and not before.required:
        note(ChangeKind.REQUIRED_ADDED, breaks=_property(new, after.pointer).get("default") is None)
    if before.relation != after.relation:
        note(ChangeKind.RELATION_CHANGED, breaks=before.relation is not None)
    if (before.type, before.is_list) != (after.type, after.is_list):
        note(ChangeKind.TYPE_CHANGED, breaks=not _converts(old, new, before, after))
        return found
    if before.type == "object":
        return found
    own_before, own_after = _property(old, before.pointer), _property(new, after.pointer)
    if set(map(repr, before.enum)) - set(map(repr, after.enum)) and after.enum:
        note(ChangeKind.ENUM_NARROWED, breaks=True)
    elif _values_only(own_before) != _values_only(own_after):
        is_wider = _is_covered(_with_definitions(own_before, old), _with_definitions(own_after, new))
        note(ChangeKind.WIDENED if is_wider else ChangeKind.NARROWED, breaks=not is_wider)
    return found


def _converts(old: Schema, new: Schema, before: Field, after: Field) -> bool:
    """Do all values of the old type become ones that fit: numbers become text, one becomes a list of one."""
    own_before = _with_definitions(_property(old, before.pointer), old)
    own_after = _with_definitions(_property(new, after.pointer), new)
    if before.is_list and not after.is_list and after.type != "any":
        return False
    became: Any = own_before
    if after.type == "string" and before.type in {"integer", "number", "boolean"}:
        became = {"type": "string"}
        became = {"type": "array", "items": became} if before.is_list else became
    if after.is_list and not before.is_list:
        became = {"type": "array", "items": became, "minItems": 1, "maxItems": 1}
    return _is_covered(became, own_after)


def _is_covered(old: Any, new: Any) -> bool:
    """Does ``new`` take everything ``old`` takes. False when it cannot be told."""
    if max(len(orjson.dumps(each)) for each in (old, new)) > _LARGEST_PROVED:
        return False
    try:
        wide, narrow = (
            jsonschema_rs.canonicalize(_values_only(new), offline=True),
            jsonschema_rs.canonicalize(_values_only(old), offline=True),
        )
        return wide.covers(narrow) == jsonschema_rs.canonical.Containment.YES
    except (ValueError, TypeError, jsonschema_rs.ReferencingError):
        return False


_SAID_ONLY = {
    "title",
    "description",
    "default",
    "examples",
    "$comment",
    "$schema",
    "$id",
    "deprecated",
    "readOnly",
    "writeOnly",
}


def _values_only(schema: Any) -> Any:
    """Without what says nothing of which values fit."""
    if isinstance(schema, list):
        return [_values_only(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: {key: _values_only(each) for key, each in value.items()}
        if name in {"properties", "$defs", "patternProperties", "dependentSchemas"} and isinstance(value, dict)
        else value
        if name in {"enum", "const"}
        else _values_only(value)
        for name, value in schema.items()
        if name not in _SAID_ONLY and not name.startswith("x-")
    }


def _with_definitions(own: Any, schema: Schema) -> Any:
    definitions = schema.document.get("$defs")
    return own | {"$defs": definitions} if isinstance(own, dict) and definitions else own


def _property(schema: Schema, place: str) -> dict[str, Any]:
    """The schema of a field, as ``effective`` puts it together."""
    at = effective(schema.document, schema.document)
    for step in place.split("/")[1:]:
        if step == "*":
            at = effective(at.get("items", {}), schema.document)
        else:
            at = effective(
                at.get("properties", {}).get(step.replace("~1", "/").replace("~0", "~"), {}), schema.document
            )
    return {name: value for name, value in at.items() if name != "x-nullable"} | (
        {"x-nullable": True} if at.get("x-nullable") else {}
    )


def _takes_others(schema: Schema, above: str) -> bool:
    return _property(schema, above).get("additionalProperties", True) is not False


def _renames(old: Schema, new: Schema, given: Mapping[str, str]) -> dict[str, str]:
    found = {before: after for before, after in given.items() if before in old.by_pointer and after in new.by_pointer}
    for each in new.fields:
        before = each.pointer.rpartition("/")[0] + "/" + _escaped(each.was)
        if (
            (
                each.was
                and before in old.by_pointer
                and before not in new.by_pointer
                and each.pointer not in old.by_pointer
            )
            and before not in found
            and each.pointer not in found.values()
        ):
            found[before] = each.pointer
    return found


def _new_place(place: str, renames: Mapping[str, str]) -> str:
    return _replaced(place, list(renames.items()))


def _old_place(place: str, renames: Mapping[str, str]) -> str:
    return _replaced(place, [(after, before) for before, after in renames.items()])


def _replaced(place: str, pairs: Sequence[tuple[str, str]]) -> str:
    for before, after in sorted(pairs, key=lambda pair: -len(pair[0])):
        if place == before or place.startswith(before + "/"):
            return after + place[len(before) :]
    return place


def _parent_is_there(each: Field, moved: Mapping[str, str], new: Schema) -> bool:
    """Of a group that is gone only the group is told, not every field in it."""
    parent = each.pointer.rpartition("/")[0].removesuffix("/*")
    return not parent or _new_place(parent, moved) in new.by_pointer


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
