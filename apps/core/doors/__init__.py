"""What one app offers to others: typed registries, filled while apps get ready, frozen after it.

The owning app *runs* what is registered; anyone on a higher floor *registers* downwards, in ``apps.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Generic, TypeVar

from django.apps import apps

T = TypeVar("T")


class Door(Generic[T]):
    """A registry of one kind of thing by name. Names are unique; once all apps are ready nothing is added."""

    all: ClassVar[list[Door[Any]]] = []

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._items: dict[str, T] = {}
        Door.all.append(self)

    def register(self, name: str, item: T) -> T:
        if apps.ready:
            message = f"The {self.kind} door is closed: register {name!r} in apps.py."
            raise RuntimeError(message)
        if name in self._items:
            message = f"There is a {self.kind} called {name!r} already."
            raise ValueError(message)
        self._items[name] = item
        return item

    def get(self, name: str) -> T | None:
        return self._items.get(name)

    def __iter__(self) -> Iterator[T]:
        return iter(self._items.values())

    def items(self) -> Iterator[tuple[str, T]]:
        """In the order they were registered."""
        return iter(self._items.items())

    def names(self) -> list[str]:
        return sorted(self._items)
