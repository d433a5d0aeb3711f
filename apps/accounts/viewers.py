"""Compiled queries that a viewer is part of (docs/adr/0011-queries-compiled-once.md)."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from apps.accounts.types import Actor, ActorKind
from apps.core.compiled import Compiled, Value

Row = TypeVar("Row")


class ForViewer(Generic[Row]):
    """``core.compiled`` for queries that a viewer is part of: ``build(viewer, *shape, **values)``."""

    def __init__(self, build: Callable[..., QuerySet[Any, Row]]) -> None:
        def made(kind: ActorKind, scopes: frozenset[str], ids: tuple[str, ...], *shape: Any, **values: Any) -> Any:
            viewer = Actor(kind=kind, scopes=scopes, **{name: values.pop(f"viewer_{name}") for name in ids})
            return build(viewer, *shape, **values)

        self._compiled: Compiled[Row] = Compiled(made)

    def fetch(self, viewer: Actor, *shape: Hashable, **values: Value) -> list[Row]:
        kind, named = _told(viewer)
        return self._compiled.fetch(*kind, *shape, **named, **values)

    def statement(self, viewer: Actor, *shape: Hashable, **values: Value) -> tuple[str, list[Any]] | None:
        kind, named = _told(viewer)
        return self._compiled.statement(*kind, *shape, **named, **values)

    def part(self, viewer: Actor, *shape: Hashable, **values: Value) -> RawSQL | list[Any]:
        kind, named = _told(viewer)
        return self._compiled.part(*kind, *shape, **named, **values)

    def first(self, viewer: Actor, *shape: Hashable, **values: Value) -> Row | None:
        return next(iter(self.fetch(viewer, *shape, **values)), None)


_VIEWER_IDS = ("user_id", "organization_id", "project_id")


def _told(viewer: Actor) -> tuple[tuple[Hashable, ...], dict[str, Value]]:
    """What of a viewer changes the SQL, and the values it only carries: the platform sees all, whoever has it act."""
    if viewer.kind == ActorKind.SYSTEM:
        return (viewer.kind, viewer.scopes, ()), {}
    ids = tuple(name for name in _VIEWER_IDS if getattr(viewer, name) is not None)
    return (viewer.kind, viewer.scopes, ids), {f"viewer_{name}": getattr(viewer, name) for name in ids}
