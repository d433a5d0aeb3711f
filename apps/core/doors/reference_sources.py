"""What ``#`` offers in the composer, and what a reference means to a model. Nothing runs them yet: ``conversations`` will."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from django.utils.functional import Promise

from apps.core.doors import Door
from apps.core.types import ActorRef


@dataclass(frozen=True, slots=True)
class Reference:
    kind: str
    id: UUID
    title: str
    url: str = ""


class ReferenceSource(Protocol):
    label: str | Promise

    def suggest(self, viewer: ActorRef, *, project_id: UUID, typed: str, limit: int) -> Sequence[Reference]: ...

    def text_for_model(self, viewer: ActorRef, object_id: UUID, *, max_characters: int) -> str | None:
        """None when the viewer may not read it (any more)."""
        ...


reference_sources: Door[ReferenceSource] = Door("reference source")
