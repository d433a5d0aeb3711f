"""Entities of one answer, and which of them its links mean: by id, else by a name that only one of them has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.extraction import readings
from apps.extraction.pointers import pointer
from apps.extraction.schema import Field, Schema

_FROM = {"from", "source", "subject", "from id"}
_FIELD = {"field", "relation", "predicate", "type", "kind", "name", "label"}
_TO = {"to", "target", "object", "to id"}


@dataclass(frozen=True, slots=True)
class Placed:
    """``pointer`` in the record, ``source`` in the answer, ``raw`` as it stood there."""

    pointer: str
    source: str
    raw: Any
    value: Any


@dataclass(frozen=True, slots=True)
class Entity:
    """``id`` is the answer's own, or ``#1``, ``#2`` …; unique within the answer."""

    collection: str
    id: str
    fields: dict[str, Any]
    placed: tuple[Placed, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """``field`` is the pointer of a relation. ``to_id`` is empty when ``mention`` names nobody in the answer: look among records."""

    from_id: str
    field: str
    to_collection: str
    to_id: str
    mention: str
    source: str


@dataclass(frozen=True, slots=True)
class Said:
    """A link as the answer has it; ``pieces`` are its scalars with their pointers, ``to`` an id or a name."""

    origin: str
    field: str
    to: str
    pieces: tuple[tuple[str, Any], ...]
    source: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """``spoken`` became links (or repeat one); ``dropped`` come from nobody, or by a relation that is none."""

    links: tuple[Link, ...]
    spoken: tuple[Said, ...]
    dropped: tuple[Said, ...]


def read(value: Mapping[str, Any], at: str) -> Said | None:
    found: dict[str, tuple[str, Any]] = {}
    for key, each in value.items():
        spoken = readings.plain(key)
        part = next((name for name, keys in (("f", _FROM), ("r", _FIELD), ("t", _TO)) if spoken in keys), None)
        if part and part not in found and isinstance(each, str | int) and not readings.is_nothing(each):
            found[part] = (at + pointer([key]), each)
    if len(found) < 3:  # noqa: PLR2004  (from, by, to)
        return None
    return Said(str(found["f"][1]), str(found["r"][1]), str(found["t"][1]), tuple(found.values()), at)


def resolve(said: Sequence[Said], entities: Sequence[Entity], schemas: Mapping[str, Schema]) -> Resolved:
    by_id = {each.id: each for each in entities}
    names = Names(entities)
    links: dict[tuple[str, str, str, str], Link] = {}
    spoken, dropped = [], []
    for each in said:
        origin = by_id.get(each.origin) or names.find(each.origin)
        relation = _relation(schemas[origin.collection], each.field) if origin else None
        if origin is None or relation is None or relation.relation is None:
            dropped.append(each)
            continue
        collection = relation.relation.collection_slug
        target = by_id.get(each.to)
        if target is None or target.collection != collection:
            target = names.find(each.to, collection=collection, other_than=origin.id)
        found = Link(origin.id, relation.pointer, collection, target.id if target else "", each.to, each.source)
        links.setdefault((found.from_id, found.field, found.to_id, "" if target else readings.plain(each.to)), found)
        spoken.append(each)
    return Resolved(tuple(links.values()), tuple(spoken), tuple(dropped))


def _relation(schema: Schema, name: str) -> Field | None:
    spoken = readings.plain(name.rpartition(".")[2])
    for each in schema.fields:
        if each.relation and (
            each.pointer == name or spoken in map(readings.plain, (each.name, each.title, *each.aliases))
        ):
            return each
    return None


class Names:
    """The text fields of entities, whole and by their words."""

    def __init__(self, entities: Sequence[Entity]) -> None:
        self._whole: dict[str, list[Entity]] = {}
        self._by_word: dict[str, list[tuple[frozenset[str], Entity]]] = {}
        for entity in entities:
            for value in entity.fields.values():
                spoken = readings.plain(value) if isinstance(value, str) and len(value) < 200 else ""  # noqa: PLR2004
                if not spoken:
                    continue
                self._whole.setdefault(spoken, []).append(entity)
                words = frozenset(spoken.split())
                for word in words:
                    self._by_word.setdefault(word, []).append((words, entity))

    def find(self, mention: str, *, collection: str = "", other_than: str = "") -> Entity | None:
        spoken = readings.plain(mention)
        if not spoken:
            return None
        words = frozenset(spoken.split())
        wider = [entity for all_words, entity in self._by_word.get(next(iter(words)), ()) if words <= all_words]
        for candidates in (self._whole.get(spoken, []), wider):
            fitting = {
                each.id: each
                for each in candidates
                if each.id != other_than and (not collection or each.collection == collection)
            }
            if len(fitting) == 1:
                return next(iter(fitting.values()))
        return None
