"""Live topics: who may follow one, what it looks like now, and how its events are told to this viewer. Run by ``live``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from apps.core.doors import Door
from apps.core.types import ActorRef


@dataclass(frozen=True, slots=True)
class TopicEvent:
    """One row of the log, as a topic kind gets it for rendering. ``event`` is the public name."""

    id: UUID
    topic_position: int
    event: str
    type: str
    payload: dict[str, Any]
    subject_id: UUID | None
    actor_id: UUID | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """State at ``topic_position``: everything after it comes as events. ``turns`` are the running ones: id → last seq to replay after."""

    topic_position: int
    data: dict[str, Any]
    turns: tuple[UUID, ...] = ()


class TopicKind(Protocol):
    """Registered under its prefix (``conversation`` for ``conversation:<uuid>``). All calls are synchronous reads.

    A kind may offer more. ``audience(viewer, object_id, events)``: a value that is equal for viewers who are told the same of these
    events, so that one rendering serves them; it must not read the database. ``resume(viewer, object_id, after)``: ``is_allowed``
    and the events after a position in one statement, None for who is not allowed. ``has_presence = False``.
    """

    def is_allowed(self, viewer: ActorRef, object_id: UUID) -> bool: ...

    def may_write(self, viewer: ActorRef, object_id: UUID) -> bool:
        """May this viewer show typing here?"""
        ...

    def snapshot(self, viewer: ActorRef, object_id: UUID) -> Snapshot: ...

    def render(self, viewer: ActorRef, object_id: UUID, events: Sequence[TopicEvent]) -> list[dict[str, Any]]:
        """One ``data`` for each event, in order."""
        ...

    def running_turns(self, object_id: UUID) -> Sequence[UUID]: ...


topics: Door[TopicKind] = Door("topic")
