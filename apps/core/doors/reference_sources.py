"""What ``#`` offers in the composer, how it is drawn, and what a reference means to a model. Run by ``conversations``.

A reference is a part of a message: kind (the name it is registered by), id and title. Who reads the message and may not read what
it names sees plain words; a model is given the text only of what the person who asks may read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from django.utils.functional import Promise

from apps.core.doors import Door
from apps.core.types import ActorRef


@dataclass(frozen=True, slots=True)
class Reference:
    """``title`` is one line; ``note`` says what kind of thing it is, beside it in the list of suggestions."""

    kind: str
    id: UUID
    title: str
    url: str = ""
    note: str = ""


class ReferenceSource(Protocol):
    label: str | Promise
    icon: str

    def suggest(self, viewer: ActorRef, *, project_id: UUID, typed: str, limit: int) -> Sequence[Reference]:
        """Of the project, the likeliest first; nothing typed: the newest."""
        ...

    def find(
        self, viewer: ActorRef, ids: Collection[UUID], *, project_id: UUID | None = None
    ) -> Mapping[UUID, Reference]:
        """Those that are there and that the viewer may read, in one query or two; of one project, where it is given."""
        ...

    def texts_for_model(
        self, viewer: ActorRef, ids: Collection[UUID], *, max_characters: int
    ) -> Mapping[UUID, tuple[str, str]]:
        """(title, text of at most so many characters) of those that the viewer may read now."""
        ...


reference_sources: Door[ReferenceSource] = Door("reference source")
