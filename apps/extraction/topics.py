"""Runs and collections as live topics: how a run goes, which records come, change and go. Words are fetched by whoever may read them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any
from uuid import UUID

from apps.core.doors.topics import Snapshot, TopicEvent
from apps.core.events import topic_position
from apps.extraction import selectors
from apps.extraction.models import ExtractionRun

#: What events say that may be of a collection which somebody does not see.
OF_ALL = frozenset({"proposals", "unplaced", "collections", "fields", "edited"})


class ExtractionTopic:
    """Registered as ``extraction``."""

    has_presence = False

    def is_allowed(self, viewer: Any, object_id: UUID) -> bool:
        return selectors.visible_runs(viewer).filter(pk=object_id).exists()

    def may_write(self, viewer: Any, object_id: UUID) -> bool:
        return False

    def snapshot(self, viewer: Any, object_id: UUID) -> Snapshot:
        """The position is read first: what happens meanwhile comes again as an event, and is the same."""
        position = topic_position(f"extraction:{object_id}")
        data = _data(selectors.get_run(run_id=object_id, viewer=viewer))
        suggested, pending = selectors.count_proposals(viewer, [object_id]).get(object_id, (0, 0))
        return Snapshot(position, {"extraction": data | {"suggested": suggested, "pending": pending}})

    def audience(self, viewer: Any, object_id: UUID, events: Sequence[TopicEvent]) -> Hashable:
        """Who sees only some of the collections that it reads for is told less: which ones they see, only the database knows."""
        return viewer.kind, viewer.user_id, viewer.project_id

    def render(self, viewer: Any, object_id: UUID, events: Sequence[TopicEvent]) -> list[dict[str, Any]]:
        found = selectors.visible_runs(viewer).filter(pk=object_id).first()
        data = _data(found) if found else None
        hidden = frozenset() if found is not None and found.sees_all else OF_ALL  # type: ignore[attr-defined]
        return [
            {**{name: said for name, said in event.payload.items() if name not in hidden}, "extraction": data}
            for event in events
        ]

    def running_turns(self, object_id: UUID) -> Sequence[UUID]:
        return ()


#: What followers of a collection are told of: ids, numbers and names of fields. Of all else only that something happened.
ABOUT_RECORDS = frozenset(
    f"extraction.{each}"
    for each in (
        *("record_created", "record_updated", "record_deleted", "record_restored"),
        *("records_merged", "records_separated"),
    )
)


class CollectionTopic:
    """Registered as ``collection``: for whoever sees it."""

    has_presence = False

    def is_allowed(self, viewer: Any, object_id: UUID) -> bool:
        return selectors.is_collection_visible(collection_id=object_id, viewer=viewer)

    def may_write(self, viewer: Any, object_id: UUID) -> bool:
        return False

    def snapshot(self, viewer: Any, object_id: UUID) -> Snapshot:
        """The position is read first: what happens meanwhile comes again as an event, and is the same."""
        position = topic_position(f"collection:{object_id}")
        found = selectors.get_collection(collection_id=object_id, viewer=viewer)
        records = selectors.count_records([found]).get(found.pk, 0)
        return Snapshot(position, {"collection": {"id": str(found.pk), "version": found.version, "records": records}})

    def audience(self, viewer: Any, object_id: UUID, events: Sequence[TopicEvent]) -> Hashable:
        """Whoever may follow it is told the same."""
        return "all"

    def render(self, viewer: Any, object_id: UUID, events: Sequence[TopicEvent]) -> list[dict[str, Any]]:
        return [each.payload if each.type in ABOUT_RECORDS else {} for each in events]

    def running_turns(self, object_id: UUID) -> Sequence[UUID]:
        return ()


def _data(run: ExtractionRun) -> dict[str, Any]:
    return {
        "id": str(run.pk),
        "project": str(run.project_id),
        "conversation": str(run.shown_in) if run.shown_in else None,
        "message": str(run.shown_under) if run.shown_under else None,
        "status": run.status,
        "error_code": run.error_code,
        "is_demo": run.is_demo,
    }
