"""From the value of an answer to entities with fields that have the right types, links between them, and what fits nowhere.

Whatever container the model chose (the envelope, a list, one object, a group for each collection, objects under their names, JSON in
a string), every scalar of the answer ends in exactly one place: in a field (``Entity.placed``), in the structure (ids, names of
collections and of fields), or among the *unplaced*, which people see. ``readings`` says when two scalars are the same. Null and blank
text are no scalars.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.extraction import containers, linking, readings, schema_limits
from apps.extraction.linking import Entity, Link, Placed
from apps.extraction.pointers import pointer
from apps.extraction.repair import Lost
from apps.extraction.schema import Field, Schema

Aliases = Mapping[str, Mapping[str, str]]

_WRAPPED = ("fields", "properties", "attributes", "data", "values", "record")
_LINKS = ("links", "relations", "relationships")
_KIND_KEYS = {"collection", "type", "kind", "entity type", "schema", "table"}
_ID_KEYS = {"id", "ref", "key", "entity id"}


@dataclass(frozen=True, slots=True)
class Unplaced:
    """``reason``: ``no_such_field``, ``does_not_fit``, ``ambiguous``, ``no_value``, ``twice``, ``several``, ``rest``, ``no_collection``,
    ``unlinked``, ``too_large``, or what ``repair`` gave. ``field`` is where it nearly went.
    """

    pointer: str
    value: Any
    reason: str
    entity_id: str = ""
    field: str = ""


@dataclass(frozen=True, slots=True)
class Fitted:
    entities: tuple[Entity, ...] = ()
    links: tuple[Link, ...] = ()
    unplaced: tuple[Unplaced, ...] = ()
    structure: tuple[tuple[str, Any], ...] = ()


def fit(
    value: Any,
    schemas: Mapping[str, Schema],
    aliases: Aliases | None = None,
    *,
    lost: Sequence[Lost] = (),
    language: str = "en",
) -> Fitted:
    """``schemas`` and ``aliases`` by the collection's short name; ``aliases[slug]`` leads from other names to a field's pointer or name.

    ``lost`` are ``repair``'s; they come back among the unplaced.
    """
    work = _Fitting(schemas, aliases or {}, language)
    if schema_limits.problem_of_value(value):
        work.unplaced.append(Unplaced("", value, "too_large"))
    else:
        work.collect(value, "", None)
    work.unplaced += [Unplaced("", each.value, str(each.reason), field=each.key) for each in lost]
    entities = [Entity(e.collection, e.id, e.fields, tuple(e.placed)) for e in work.drafts]
    found = linking.resolve(work.links, entities, schemas)
    for link in found.dropped:
        for place, each in link.pieces:
            work.leave(each, place, "unlinked")
    for link in found.spoken:
        for place, each in link.pieces:
            work.structure += containers.scalars(each, place)
    return Fitted(tuple(entities), found.links, tuple(work.unplaced), tuple(work.structure))


@dataclass(slots=True)
class _Draft:
    collection: str
    id: str
    fields: dict[str, Any] = field(default_factory=dict)
    placed: list[Placed] = field(default_factory=list)


def _holds_objects(value: Any) -> bool:
    value = containers.unpacked(value)
    return isinstance(value, dict) or (isinstance(value, list) and all(isinstance(each, dict) for each in value))


class _Fitting:
    def __init__(self, schemas: Mapping[str, Schema], aliases: Aliases, language: str) -> None:
        self.schemas = schemas
        self.language = language
        self.drafts: list[_Draft] = []
        self.links: list[linking.Said] = []
        self.unplaced: list[Unplaced] = []
        self.structure: list[tuple[str, Any]] = []
        self._names = {slug: _names_of(schema, aliases.get(slug, {})) for slug, schema in schemas.items()}
        self._slugs = _slugs_of(schemas)
        self._ids: set[str] = set()

    # Finding the entities

    def collect(self, value: Any, at: str, slug: str | None) -> None:
        value = containers.unpacked(value)
        if isinstance(value, list):
            for number, each in enumerate(value):
                self.collect(each, at + pointer([number]), slug)
        elif isinstance(value, dict):
            self._collect_object(value, at, slug)
        else:
            self.leave(value, at, "no_collection")

    def _collect_object(self, value: dict[str, Any], at: str, slug: str | None) -> None:
        links = next((key for key in _LINKS if isinstance(value.get(key), list) and key not in self._slugs), None)
        holder = containers.unpacked(value.get("entities", value.get("records")))
        if isinstance(holder, list | dict):
            for key, each in value.items():
                if key == links:
                    self._say_links(each, at + pointer([key]))
                else:
                    self.collect(each, at + pointer([key]), slug)
            return
        named = self._named_collection(value)
        inner = next((key for key in _WRAPPED if isinstance(containers.unpacked(value.get(key)), dict | list)), None)
        groups = {key: self._slugs.get(readings.plain(key)) for key in value}
        is_grouped = any(
            groups[key] and isinstance(containers.unpacked(each), dict | list) for key, each in value.items()
        )
        # A collection may have a field of another's name: that is told from the group by what is in it, ids or objects.
        is_holder = not (named or slug) and all(groups[key] and _holds_objects(each) for key, each in value.items())
        own = None if is_holder else named or slug or self._best(value)
        if inner is not None and (named or slug or not self._best(value)) and not self._is_field(own, inner):
            self._collect_wrapped(value, inner, at, named or slug)
        elif own and (self._hits(own, value) or named) and not (is_grouped and not self._hits(own, value)):
            self._entity(containers.of_object(value, at), own)
        elif own and slug and value and all(isinstance(each, dict) for each in value.values()):
            for key, each in value.items():
                self._entity(containers.of_object(each, at + pointer([key])), slug, name=key)
        else:
            for key, each in value.items():
                if key == links:
                    self._say_links(each, at + pointer([key]))
                    continue
                self.collect(each, at + pointer([key]), groups[key] or slug)

    def _collect_wrapped(self, value: dict[str, Any], inner: str, at: str, slug: str | None) -> None:
        """``{"collection": …, "id": …, "fields": {…}}``, or ``{"data": …}`` around anything."""
        members = containers.members(containers.unpacked(value[inner]), at + pointer([inner]))
        own = slug or (self._best([key for key, _each, _place in members.inside]) if members else None)
        if own is None or members is None:
            for key, each in value.items():
                self.collect(each, at + pointer([key]), slug)
            return
        around = [(key, each, at + pointer([key])) for key, each in value.items() if key != inner]
        self._entity(members, own, around=around)

    def _named_collection(self, value: dict[str, Any]) -> str | None:
        for key, said in value.items():
            if readings.plain(key) in _KIND_KEYS and isinstance(said, str):
                slug = self._slugs.get(readings.plain(said))
                if slug and not self._is_field(slug, key):
                    return slug
        return None

    def _best(self, value: Iterable[str]) -> str | None:
        hits = {slug: self._hits(slug, value) for slug in self.schemas}
        best = max(hits.values(), default=0)
        return next((slug for slug in self.schemas if hits[slug] == best), None) if best else None

    def _hits(self, slug: str, value: Iterable[str]) -> int:
        return sum(1 for key in value if self._is_field(slug, key))

    def _is_field(self, slug: str | None, key: str) -> bool:
        return slug is not None and ("", readings.plain(key)) in self._names[slug]

    # Fitting one

    def _entity(
        self, members: containers.Members, slug: str, *, name: str = "", around: Sequence[containers.Member] = ()
    ) -> str:
        """``around`` stood beside the fields: only an id and the collection's name may, the rest has no place."""
        own_id = ""
        fields: list[containers.Member] = []
        for number, (key, each, place) in enumerate([*members.inside, *around]):
            spoken, is_outside = readings.plain(key), number >= len(members.inside)
            is_word = isinstance(each, str | int) and not isinstance(each, bool) and not readings.is_nothing(each)
            if not is_outside and self._is_field(slug, key):
                fields.append((key, each, place))
            elif spoken in _ID_KEYS and is_word and not own_id:
                own_id = str(each)
                self.structure += containers.scalars(each, place)
            elif spoken in _KIND_KEYS and is_word and self._slugs.get(readings.plain(str(each))) == slug:
                self.structure += containers.scalars(each, place)
            else:
                fields.append(("" if is_outside else key, each, place))
        draft = _Draft(slug, self._new_id(own_id))
        self.drafts.append(draft)
        self._account(members, draft)
        self._fill(draft, "", draft.fields, fields)
        if name:
            self._name(draft, name)
        return draft.id

    def _account(self, members: containers.Members, draft: _Draft) -> None:
        self.structure += members.names
        for place, each in members.beside:
            self.leave(each, place, "no_such_field", draft)

    def _new_id(self, wanted: str) -> str:
        number = len(self.drafts) + 1
        found = wanted or f"#{number}"
        while found in self._ids:
            found, number = f"{wanted}#{number}", number + 1
        self._ids.add(found)
        return found

    def _name(self, draft: _Draft, name: str) -> None:
        """An object that stands under its name: the first text field that is empty takes it."""
        for each in self.schemas[draft.collection].top:
            if each.type == "string" and not (each.is_list or each.relation or each.enum or each.format):
                if each.name not in draft.fields:
                    draft.fields[each.name] = name
                return

    def _fill(self, draft: _Draft, above: str, into: dict[str, Any], members: Iterable[containers.Member]) -> None:
        names = self._names[draft.collection]
        for key, each, place in members:
            found = names.get((above, readings.plain(key)))
            if found is None:
                self.leave(each, place, "no_such_field", draft)
            elif found.relation:
                self._relate(draft, found, each, place)
            elif found.is_list:
                items = into.get(found.name, [])
                for item, item_at in containers.items(each, place):
                    items += self._one(draft, found, item, item_at, f"{found.pointer}/{len(items)}")
                if items:
                    into[found.name] = items
            elif found.name in into:
                self.leave(each, place, "twice", draft, found.pointer)
            else:
                for taken in self._one(draft, found, each, place, found.pointer):
                    into[found.name] = taken

    def _one(self, draft: _Draft, found: Field, value: Any, at: str, target: str) -> list[Any]:
        """The value for one place, in a list of one; empty when nothing of it fits."""
        value = containers.unpacked(value)
        if found.type == "any" and isinstance(value, dict | list):
            draft.placed += [
                Placed(target + place, at + place, each, each) for place, each in containers.scalars(value)
            ]
            return [value]
        if found.type == "object" and (members := containers.members(value, at)):
            inner: dict[str, Any] = {}
            self._account(members, draft)
            self._fill_nested(draft, found, inner, members.inside, target)
            return [inner] if inner else []
        if isinstance(value, list) and len(value) == 1:
            return self._one(draft, found, value[0], at + "/0", target)
        if isinstance(value, dict):
            inside = [key for key in value if readings.plain(key) in containers.PAIR_VALUES]
            if len(inside) == 1:
                for key, each in value.items():
                    if key != inside[0]:
                        self.leave(each, at + pointer([key]), "no_such_field", draft, found.pointer)
                return self._one(draft, found, value[inside[0]], at + pointer(inside), target)
        if isinstance(value, dict | list):
            self.leave(value, at, "several" if isinstance(value, list) else "does_not_fit", draft, found.pointer)
            return []
        return self._scalar(draft, found, value, at, target)

    def _scalar(self, draft: _Draft, found: Field, value: Any, at: str, target: str) -> list[Any]:
        if readings.is_nothing(value):
            return []
        reading = readings.read(value, found, language=self.language)
        if isinstance(reading, readings.Refused):
            self.leave(value, at, reading.reason, draft, found.pointer)
            return []
        draft.placed.append(Placed(target, at, value, reading.value))
        if reading.rest:
            self.unplaced.append(Unplaced(at, reading.rest, "rest", draft.id, found.pointer))
        return [reading.value]

    def _fill_nested(
        self, draft: _Draft, found: Field, into: dict[str, Any], members: Iterable[containers.Member], target: str
    ) -> None:
        before = len(draft.placed)
        above = found.pointer + ("/*" if found.is_list else "")
        self._fill(draft, above, into, members)
        # Fields below speak of their place by the general pointer; here it is known which item of the list this is.
        draft.placed[before:] = [
            Placed(target + each.pointer.removeprefix(above), each.source, each.raw, each.value)
            if each.pointer.startswith(above + "/")
            else each
            for each in draft.placed[before:]
        ]

    def _relate(self, draft: _Draft, found: Field, value: Any, at: str) -> None:
        assert found.relation is not None
        for item, place in containers.items(value, at):
            item = containers.unpacked(item)  # noqa: PLW2901
            if isinstance(item, dict):
                slug = found.relation.collection_slug
                if slug not in self.schemas:
                    self.leave(item, place, "no_collection", draft, found.pointer)
                    continue
                self.links.append(
                    linking.Said(
                        draft.id, found.pointer, self._entity(containers.of_object(item, place), slug), (), place
                    )
                )
            elif isinstance(item, list):
                self.leave(item, place, "does_not_fit", draft, found.pointer)
            elif not readings.is_nothing(item):
                self.links.append(linking.Said(draft.id, found.pointer, str(item), ((place, item),), place))

    def _say_links(self, value: list[Any], at: str) -> None:
        for number, each in enumerate(value):
            place = at + pointer([number])
            said = linking.read(each, place) if isinstance(each, dict) else None
            if said is None:
                self.leave(each, place, "unlinked")
                continue
            self.links.append(said)
            for key, inner in each.items():
                if not any(piece_at == place + pointer([key]) for piece_at, _value in said.pieces):
                    self.leave(inner, place + pointer([key]), "unlinked")

    def leave(self, value: Any, at: str, reason: str, draft: _Draft | None = None, near: str = "") -> None:
        for place, each in containers.scalars(value, at):
            self.unplaced.append(Unplaced(place, each, reason, draft.id if draft else "", near))


def _names_of(schema: Schema, aliases: Mapping[str, str]) -> dict[tuple[str, str], Field]:
    """Under every object, by plain name: its own first, then titles, then aliases."""
    found: dict[tuple[str, str], Field] = {}
    for rank in range(3):
        for each in schema.fields:
            above = each.pointer.rpartition("/")[0]
            for name in filter(None, ([each.name], [each.title], [*each.aliases, each.was])[rank]):
                found.setdefault((above, readings.plain(name)), each)
    for alias, target in aliases.items():
        aimed = schema.by_pointer.get(target) or schema.by_pointer.get(pointer([target]))
        if aimed:
            found.setdefault((aimed.pointer.rpartition("/")[0], readings.plain(alias)), aimed)
    return found


def _slugs_of(schemas: Mapping[str, Schema]) -> dict[str, str]:
    """Short names, titles, and both without the ending of the plural."""
    found: dict[str, str] = {}
    for slug, schema in schemas.items():
        for name in (slug, str(schema.document.get("title", ""))):
            spoken = readings.plain(name.replace("-", " "))
            singular = spoken[:-3] + "y" if spoken.endswith("ies") else spoken.removesuffix("s")
            for each in (spoken, singular, spoken + "s"):
                if each:
                    found.setdefault(each, slug)
    return found
