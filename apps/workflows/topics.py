"""Runs as live topics: the stage map as it is now, with every event."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any
from uuid import UUID

from apps.core.doors.topics import Snapshot, TopicEvent
from apps.core.events import topic_position
from apps.workflows import presentation, selectors


class RunTopic:
    """Registered as ``run``."""

    has_presence = False

    def is_allowed(self, viewer: Any, object_id: UUID) -> bool:
        return selectors.find_run(run_id=object_id, viewer=viewer) is not None

    def may_write(self, viewer: Any, object_id: UUID) -> bool:
        return False

    def snapshot(self, viewer: Any, object_id: UUID) -> Snapshot:
        """The position is read first: what happens meanwhile comes again as an event, and is the same."""
        position = topic_position(f"run:{object_id}")
        run = selectors.get_run(run_id=object_id, viewer=viewer)
        return Snapshot(position, {"run": presentation.run_row(run)})

    def audience(self, viewer: Any, object_id: UUID, events: Sequence[TopicEvent]) -> Hashable:
        """Whoever may follow it sees all of it."""
        return "all"

    def render(self, viewer: Any, object_id: UUID, events: Sequence[TopicEvent]) -> list[dict[str, Any]]:
        found = selectors.find_run(run_id=object_id, viewer=viewer)
        data = presentation.run_row(found) if found else None
        return [{**event.payload, "run": data} for event in events]

    def running_turns(self, object_id: UUID) -> Sequence[UUID]:
        return ()
