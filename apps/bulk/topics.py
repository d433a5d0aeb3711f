"""Operations as live topics: the counts as they are now, with every event."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any
from uuid import UUID

from apps.bulk import presentation, selectors
from apps.core.doors.bulk_kinds import bulk_kinds
from apps.core.doors.topics import Snapshot, TopicEvent
from apps.core.events import topic_position


class OperationTopic:
    """Registered as ``operation``."""

    has_presence = False

    def is_allowed(self, viewer: Any, object_id: UUID) -> bool:
        return selectors.is_visible(operation_id=object_id, viewer=viewer)

    def may_write(self, viewer: Any, object_id: UUID) -> bool:
        return False

    def snapshot(self, viewer: Any, object_id: UUID) -> Snapshot:
        """The position is read first: what happens meanwhile comes again as an event, and is the same."""
        position = topic_position(f"operation:{object_id}")
        operation = selectors.get_operation(operation_id=object_id, viewer=viewer)
        return Snapshot(position, {"operation": presentation.operation_data(operation, viewer)})

    def audience(self, viewer: Any, object_id: UUID, events: Sequence[TopicEvent]) -> Hashable:
        """Whoever may follow it sees how it goes; what is in it only who may read that."""
        return frozenset(kind.name for kind in bulk_kinds if kind.may_read(viewer))

    def render(self, viewer: Any, object_id: UUID, events: Sequence[TopicEvent]) -> list[dict[str, Any]]:
        found = selectors.find_operation(operation_id=object_id, viewer=viewer)
        data = presentation.operation_data(found, viewer) if found else None
        return [{**event.payload, "operation": data} for event in events]

    def running_turns(self, object_id: UUID) -> Sequence[UUID]:
        return ()
