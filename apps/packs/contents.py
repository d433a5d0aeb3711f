"""What packs bring, kind by kind: what a project has of it, and how it is made, changed and taken away.

``content`` of a thing that is there and of the same thing in a pack are equal exactly when nobody changed it: digests of both are compared.
Everything is done by the services of the app that owns it, with the actor's rights.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from apps.accounts.types import Actor
from apps.agents import selectors as agent_selectors
from apps.agents import services as agents
from apps.agents.types import DefaultAgentNeeded
from apps.extraction import rendering, schema
from apps.extraction import selectors as record_selectors
from apps.extraction import services as records
from apps.extraction.types import CollectionInUse
from apps.packs.reading import content_digest
from apps.packs.types import ObjectKind, PackObject
from apps.workflows import selectors as workflow_selectors
from apps.workflows import services as workflows
from apps.workflows.types import DefinitionInUse

_COLLECTION = (
    *("name", "description", "title_template", "unique_keys", "needed", "aliases", "trust", "trust_above"),
    "document",
)
_TEMPLATE = ("name", "format", "is_of_set", "source")
_AGENT = ("name", "description", "instructions")


@dataclass(frozen=True, slots=True)
class There:
    """A thing of a project as it is now. ``address`` is what it is found by beside its id."""

    kind: ObjectKind
    object_id: UUID
    address: str
    content: dict[str, Any]

    @property
    def digest(self) -> str:
        return content_digest(self.content)


class Owner(Protocol):
    """One kind. ``make`` and ``change`` take the content; ``remove`` answers with the reason why something stays, or nothing."""

    def there(self, actor: Actor, project_id: UUID) -> Iterable[There]: ...
    def make(self, actor: Actor, project_id: UUID, content: dict[str, Any]) -> UUID: ...
    def change(self, actor: Actor, object_id: UUID, content: dict[str, Any]) -> None: ...
    def remove(self, actor: Actor, object_id: UUID, *, with_data: bool) -> str: ...


def address_of(kind: ObjectKind, name: str, content: Mapping[str, Any]) -> str:
    """Where a project would have it: short name, collection and name, name without regard to case."""
    match kind:
        case ObjectKind.COLLECTION:
            return name
        case ObjectKind.TEMPLATE:
            return f"{content['collection']}/{content['name']}"
        case ObjectKind.AGENT:
            return str(content["name"]).lower()
    return str(content["document"]["document"]["name"])


class _Collections:
    def there(self, actor: Actor, project_id: UUID) -> Iterable[There]:
        for row in record_selectors.list_collections(actor, project_id=project_id).order_by("slug"):
            content = {name: getattr(row, name) for name in _COLLECTION}
            yield There(ObjectKind.COLLECTION, row.pk, row.slug, content)

    def make(self, actor: Actor, project_id: UUID, content: dict[str, Any]) -> UUID:
        """``content`` has the short name too (``slug``)."""
        return records.create_collection(actor=actor, project_id=project_id, **content).pk

    def change(self, actor: Actor, object_id: UUID, content: dict[str, Any]) -> None:
        records.change_collection(actor=actor, collection_id=object_id, changes=content)

    def remove(self, actor: Actor, object_id: UUID, *, with_data: bool) -> str:
        collection = record_selectors.get_collection(collection_id=object_id, viewer=actor)
        has_records = record_selectors.count_records([collection]).get(object_id)
        if not with_data and (has_records or rendering.list_templates(actor, collection_id=object_id).exists()):
            return "has_data"
        try:
            records.delete_collection(actor=actor, collection_id=object_id)
        except CollectionInUse:
            return "pointed_to"
        return ""


class _Templates:
    def there(self, actor: Actor, project_id: UUID) -> Iterable[There]:
        rows = rendering.visible_templates(actor).filter(project_id=project_id).select_related("collection")
        for row in rows.order_by("collection__slug", "name"):
            content = {"collection": row.collection.slug, **{name: getattr(row, name) for name in _TEMPLATE}}
            yield There(ObjectKind.TEMPLATE, row.pk, f"{row.collection.slug}/{row.name}", content)

    def make(self, actor: Actor, project_id: UUID, content: dict[str, Any]) -> UUID:
        said = {name: content[name] for name in _TEMPLATE}
        there = record_selectors.collections_by_slug(actor, project_id, [content["collection"]])
        return records.make_template(actor=actor, collection_id=there[content["collection"]].pk, **said).pk

    def change(self, actor: Actor, object_id: UUID, content: dict[str, Any]) -> None:
        changes = {name: content[name] for name in _TEMPLATE}
        records.change_template(actor=actor, template_id=object_id, changes=changes)

    def remove(self, actor: Actor, object_id: UUID, *, with_data: bool) -> str:
        records.delete_template(actor=actor, template_id=object_id)
        return ""


class _Agents:
    def there(self, actor: Actor, project_id: UUID) -> Iterable[There]:
        for row in agent_selectors.list_agents(actor, project_id=project_id).order_by("name"):
            content = {name: getattr(row, name) for name in _AGENT}
            yield There(ObjectKind.AGENT, row.pk, row.name.lower(), content)

    def make(self, actor: Actor, project_id: UUID, content: dict[str, Any]) -> UUID:
        agents.ensure_assistant(actor=actor, project_id=project_id)  # the first agent of a project would be its default
        return agents.create_agent(actor=actor, project_id=project_id, **content).pk

    def change(self, actor: Actor, object_id: UUID, content: dict[str, Any]) -> None:
        agents.change_agent(actor=actor, agent_id=object_id, changes=content)

    def remove(self, actor: Actor, object_id: UUID, *, with_data: bool) -> str:
        try:
            agents.archive_agent(actor=actor, agent_id=object_id)
        except DefaultAgentNeeded:
            return "needed"
        return ""


class _Workflows:
    def there(self, actor: Actor, project_id: UUID) -> Iterable[There]:
        for row in workflow_selectors.list_definitions(actor, project_id=project_id).order_by("name"):
            yield There(ObjectKind.WORKFLOW, row.pk, row.name, {"document": row.document})  # type: ignore[attr-defined]

    def make(self, actor: Actor, project_id: UUID, content: dict[str, Any]) -> UUID:
        return workflows.create_definition(actor=actor, project_id=project_id, document=content["document"]).pk

    def change(self, actor: Actor, object_id: UUID, content: dict[str, Any]) -> None:
        workflows.change_definition(actor=actor, definition_id=object_id, document=content["document"])

    def remove(self, actor: Actor, object_id: UUID, *, with_data: bool) -> str:
        """Runs that are open go on: with them it stays, whatever was asked."""
        try:
            workflows.delete_definition(actor=actor, definition_id=object_id)
        except DefinitionInUse:
            return "in_use"
        return ""


OWNERS: dict[ObjectKind, Owner] = {
    ObjectKind.COLLECTION: _Collections(),
    ObjectKind.TEMPLATE: _Templates(),
    ObjectKind.AGENT: _Agents(),
    ObjectKind.WORKFLOW: _Workflows(),
}


def of_project(actor: Actor, project_id: UUID) -> list[There]:
    """Everything of a project that a pack could hold, kind by kind."""
    return [each for owner in OWNERS.values() for each in owner.there(actor, project_id)]


def in_order(objects: Iterable[PackObject]) -> list[PackObject]:
    """As they can be made: kinds in their order, collections after those that their fields point to, as far as they do not point in a circle."""
    ordered = sorted(objects, key=lambda each: list(ObjectKind).index(each.kind))
    waiting = [each for each in ordered if each.kind == ObjectKind.COLLECTION]
    others = [each for each in ordered if each.kind != ObjectKind.COLLECTION]
    found: list[PackObject] = []
    while waiting:
        left = {each.name for each in waiting}
        ready = [each for each in waiting if not (pointed_to(each.content) - {each.name}) & left]
        found += ready or waiting[:1]
        waiting = [each for each in waiting if each not in found]
    return found + others


def pointed_to(content: Mapping[str, Any]) -> set[str]:
    """Short names of the collections that fields of this one point to."""
    return {each.relation.collection_slug for each in schema.check(content["document"]).fields if each.relation}


def without_relations(document: Any, slugs: Iterable[str]) -> Any:
    """The schema as it can stand before those collections are there: the fields are plain for now."""
    wanted = set(slugs)

    def plain(value: dict[str, Any]) -> dict[str, Any]:
        said = value.get("x-relation")
        slug = said.get("collection") if isinstance(said, dict) else said
        return {name: each for name, each in value.items() if name != "x-relation" or slug not in wanted}

    return _walked(document, plain)


def repointed(document: Any, names: Mapping[str, str]) -> Any:
    """The schema with other short names in its relations."""

    def renamed(value: dict[str, Any]) -> dict[str, Any]:
        said = value.get("x-relation")
        if isinstance(said, str):
            return {**value, "x-relation": names.get(said, said)}
        if isinstance(said, dict):
            return {**value, "x-relation": {**said, "collection": names.get(said["collection"], said["collection"])}}
        return value

    return _walked(document, renamed)


def _walked(value: Any, each: Any) -> Any:
    if isinstance(value, list):
        return [_walked(inner, each) for inner in value]
    if not isinstance(value, dict):
        return value
    return each({name: _walked(inner, each) for name, inner in value.items()})
