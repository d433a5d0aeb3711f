"""What ``#`` names in messages: asked of the apps that own it, each with the rights of whoever reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from apps.accounts.types import Actor
from apps.conversations.models import Message
from apps.conversations.types import Named
from apps.core.doors.reference_sources import Reference, ReferenceSource, reference_sources


def list_suggested(
    viewer: Actor, *, project_id: UUID, typed: str, limit: int
) -> list[tuple[ReferenceSource, Reference]]:
    """What may follow a ``#`` in a project whose things the viewer may see."""
    found = [
        (source, each)
        for source in reference_sources
        for each in source.suggest(viewer, project_id=project_id, typed=typed, limit=limit)
    ]
    return found[:limit]


def named_in(parts: Iterable[Mapping[str, Any]]) -> list[Named]:
    """Once each, in their order; without those that named nothing here when they were imported."""
    found = (
        Named(part["kind"], UUID(part["id"]))
        for part in parts
        if part["type"] == "reference" and not part.get("is_gone")
    )
    return list(dict.fromkeys(found))


def find_references(viewer: Actor, named: Iterable[Named], *, project_id: UUID | None = None) -> dict[Named, Reference]:
    """Those that the viewer may read; one or two queries a kind, none where nothing is named."""
    found: dict[Named, Reference] = {}
    for kind, ids in _by_kind(named).items():
        if source := reference_sources.get(kind):
            for pk, each in source.find(viewer, ids, project_id=project_id).items():
                found[Named(kind, pk)] = each
    return found


def find_in_messages(viewer: Actor, rows: Sequence[Message]) -> dict[Named, Reference]:
    """For all that the messages name."""
    return find_references(viewer, named_in(part for row in rows if row.deleted_at is None for part in row.parts))


def texts_of(viewer: Actor, named: Iterable[Named], *, max_characters: int) -> dict[Named, tuple[str, str]]:
    """(title, text for a model) of those that the viewer may read."""
    found: dict[Named, tuple[str, str]] = {}
    for kind, ids in _by_kind(named).items():
        if source := reference_sources.get(kind):
            for pk, each in source.texts_for_model(viewer, ids, max_characters=max_characters).items():
                found[Named(kind, pk)] = each
    return found


def _by_kind(named: Iterable[Named]) -> dict[str, list[UUID]]:
    kinds: dict[str, list[UUID]] = defaultdict(list)
    for each in dict.fromkeys(named):
        kinds[each.kind].append(each.id)
    return kinds
