"""What several pieces of one text say, as if it had been read at once: suggestions about the same thing become one. Pure.

Two pieces speak of the same thing when they say the same of a unique key; when a value of both stands at the same place of the text
(pieces overlap); when all that is known of them is as alike as two records have to be; or when they have the same name and nothing that
is known speaks against it: who is called the same twice in one text is likelier one than two of a whole collection. Other values of a
unique key make them two. What one piece says otherwise than an earlier one is among the unplaced: ``twice``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from apps.extraction import containers, linking, readings, shape
from apps.extraction.pointers import pointer, steps, top
from apps.extraction.reading_types import Found, Source, Suggested
from apps.extraction.schema import Schema
from apps.extraction.similarity import Comparer, Kind, Verdict, decide, kind_of

INFERRED = 0.3  # how sure one is of a value that no word of the text says
#: Of those that have the same name in one text.
_SAME_NAMED_FROM = 0.5
_NAMES = (Kind.NAME, Kind.GIVEN, Kind.SURNAME)
_NAME_WORDS = 12

Keys = Mapping[str, Sequence[Sequence[str]]]


def sure(sources: Sequence[Source]) -> float:
    """How sure one is of a suggestion: the mean over its values."""
    each = [source.confidence if source.method else INFERRED for source in sources]
    return sum(each) / len(each) if each else 0.0


def gather(found: Sequence[Found], schemas: Mapping[str, Schema], keys: Keys) -> Found:
    """In the order of the text."""
    if len(found) == 1:
        return found[0]
    things: list[_Thing] = []
    unplaced: dict[str, dict[str, Any]] = {}
    looks = {slug: _Look(schema, keys.get(slug, ())) for slug, schema in schemas.items()}
    ids: set[str] = set()
    for number, each in enumerate(found):
        here: dict[str, _Thing] = {}
        left: list[dict[str, Any]] = []
        for suggested in each.suggested:
            look = looks[suggested.collection]
            if (thing := look.find(suggested, number)) is None:
                thing = _Thing(replace(suggested, entity_id=_free(suggested.entity_id, ids), links=()))
                things.append(thing)
            else:
                left += thing.take(suggested)
            thing.pieces.add(number)
            here[suggested.entity_id] = thing
            look.know(thing)
        for suggested in each.suggested:
            here[suggested.entity_id].link(suggested.links, here)
        for value in each.unplaced:
            of = here.get(str(value.get("entity", "")))
            left.append({**value, "entity": of.id if of else ""})
        unplaced |= {repr(sorted(one.items(), key=lambda pair: pair[0])): one for one in left}
    return Found(
        tuple(_told(things)),
        tuple(unplaced.values()),
        tuple(dict.fromkeys(step for each in found for step in each.steps)),
    )


def _free(wanted: str, ids: set[str]) -> str:
    """Each piece numbers its own from the beginning."""
    found, number = wanted, 1
    while found in ids:
        number += 1
        found = f"{wanted}~{number}"
    ids.add(found)
    return found


def _told(things: Sequence[_Thing]) -> Iterable[Suggested]:
    """A name that nobody had in its own piece may be somebody's of another."""
    names = linking.Names([linking.Entity(thing.it.collection, thing.id, thing.it.data) for thing in things])
    for thing in things:
        links: dict[tuple[str, str, str], dict[str, str]] = {}
        for link in thing.links:
            if not link["to"]:
                other = names.find(link["mention"], collection=link["collection"], other_than=thing.id)
                link = link | {"to": other.id if other else ""}  # noqa: PLW2901
            if link["to"] != thing.id:
                mark = (link["field"], link["to"], "" if link["to"] else readings.plain(link["mention"]))
                links.setdefault(mark, link)
        yield replace(thing.it, links=tuple(links.values()), confidence=sure(thing.it.sources))


class _Thing:
    """A suggestion as far as it is known, and in which pieces it was."""

    def __init__(self, it: Suggested) -> None:
        self.it = it
        self.pieces: set[int] = set()
        self.links: list[dict[str, str]] = []

    @property
    def id(self) -> str:
        return self.it.entity_id

    def link(self, links: Iterable[Mapping[str, str]], here: Mapping[str, _Thing]) -> None:
        self.links += [{**each, "to": here[each["to"]].id if each["to"] in here else ""} for each in links]

    def take(self, more: Suggested) -> list[dict[str, Any]]:
        """What ``more`` says too; gives what it says otherwise."""
        data, sources = dict(self.it.data), {each.pointer: each for each in self.it.sources}
        left: list[dict[str, Any]] = []
        for name, value in more.data.items():
            own = {each.pointer: each for each in more.sources if top(each.pointer) == name}
            kept = data.get(name)
            if shape.is_empty(kept) or _says_more(value, kept):
                data[name] = value
                sources = {place: each for place, each in sources.items() if top(place) != name} | own
            elif isinstance(kept, list) and isinstance(value, list):
                data[name] = _longer(kept, value, name, sources, own)
            elif _is_same(kept, value):
                _ground(sources, own)
            elif not _says_more(kept, value):
                left += [
                    {"value": scalar, "reason": "twice", "field": pointer([name]) + place, "entity": self.id}
                    for place, scalar in containers.scalars(value)
                ]
        self.it = replace(self.it, data=data, sources=tuple(sources.values()))
        return left


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, list) or isinstance(other, list):
        return bool(one == other)
    return not shape.differs({"": one}, {"": other})


def _says_more(one: Any, other: Any) -> bool:
    """Sarah Silva says more than Sarah."""
    if not (isinstance(one, str) and isinstance(other, str)):
        return False
    mine, others = readings.plain(one).split(), readings.plain(other).split()
    return len(others) < len(mine) <= _NAME_WORDS and bool(others) and set(others) < set(mine)


def _ground(sources: dict[str, Source], own: Mapping[str, Source]) -> None:
    """A value that was inferred in one piece may be said in another."""
    for place, each in own.items():
        if each.method and (place not in sources or not sources[place].method):
            sources[place] = each


def _longer(
    kept: list[Any], more: list[Any], name: str, sources: dict[str, Source], own: Mapping[str, Source]
) -> list[Any]:
    items = [*kept]
    for number, item in enumerate(more):
        at = next((place for place, each in enumerate(items) if _is_same(each, item)), len(items))
        if at == len(items):
            items.append(item)
        moved = {}
        for each in own.values():
            path = steps(each.pointer)
            if path[1:2] == [str(number)]:
                place = pointer([name, at, *path[2:]])
                moved[place] = replace(each, pointer=place)
        _ground(sources, moved)
        sources |= {place: each for place, each in moved.items() if place not in sources}
    return items


class _Look:
    """The things of one collection, by what others could be known by as the same."""

    def __init__(self, schema: Schema, keys: Sequence[Sequence[str]]) -> None:
        self._comparer = Comparer(schema)
        self._keys = keys
        self._named = [each.name for each in schema.top if each.relation is None and kind_of(each) in _NAMES]
        self._soft = {each.name for each in schema.top if kind_of(each) is Kind.TEXT}
        self._by_mark: dict[str, list[_Thing]] = {}

    def know(self, thing: _Thing) -> None:
        for mark in self._marks(thing.it):
            there = self._by_mark.setdefault(mark, [])
            if thing not in there:
                there.append(thing)

    def _marks(self, it: Suggested) -> set[str]:
        marks = {f"key {digest.hex()}" for digest in self._digests(it.data).values() if digest}
        marks |= {f"place {place}" for place in _places(it)}
        marks |= {f"name {name}" for name in [self._name(it.data)] if name}
        return marks | {f"block {block}" for block in self._comparer.blocks(it.data)}

    def _digests(self, data: Mapping[str, Any]) -> dict[int, bytes | None]:
        return {number: shape.key_of(names, data) for number, names in enumerate(self._keys)}

    def _name(self, data: Mapping[str, Any]) -> str:
        return readings.plain(" ".join(str(data[name]) for name in self._named if data.get(name)))

    def find(self, it: Suggested, number: int) -> _Thing | None:
        """Not one of the same piece: there the model saw both and said two."""
        likely: dict[int, _Thing] = {}
        for mark in self._marks(it):
            likely |= {id(thing): thing for thing in self._by_mark.get(mark, ()) if number not in thing.pieces}
        ranked = [(self._likeness(it, thing), -place, thing) for place, thing in enumerate(likely.values())]
        best = max(ranked, key=lambda each: each[:2], default=None)
        return best[2] if best and best[0] else None

    def _likeness(self, it: Suggested, thing: _Thing) -> float:
        """0: two things."""
        mine, others = self._digests(it.data), self._digests(thing.it.data)
        compared = [(mine[number], others[number]) for number in mine if mine[number] and others[number]]
        if any(one == other for one, other in compared):
            return 3.0
        if compared:
            return 0.0
        is_otherwise = shape.differs(thing.it.data, it.data)
        if not is_otherwise and _places(it) & _places(thing.it):
            return 2.0
        score = self._comparer.score(it.data, thing.it.data)
        if decide(score) is Verdict.SAME:
            return score.total
        name = self._name(it.data)
        if not name or name != self._name(thing.it.data):
            return 0.0
        hard = self._comparer.score(self._hard(it.data), self._hard(thing.it.data)).total
        return hard if hard >= _SAME_NAMED_FROM else 0.0

    def _hard(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Without free text and lists: one page says other things of somebody than another."""
        return {name: value for name, value in data.items() if name not in self._soft and not isinstance(value, list)}


def _places(it: Suggested) -> set[str]:
    return {
        f"{each.pointer} {each.message_id or each.file_id} {each.start} {each.end}"
        for each in it.sources
        if each.method
    }
