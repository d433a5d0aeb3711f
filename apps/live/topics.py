"""Topics of a project and of a person: short news that something one lists has changed. Pages look again at what they show.

Their log holds what administration does to them; followers are told that something happened, and nothing of what.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from apps.accounts import selectors as accounts
from apps.accounts.types import Actor
from apps.core.doors.topics import Snapshot, TopicEvent
from apps.core.events import topic_position


class NewsTopic(ABC):
    has_presence = False

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    @abstractmethod
    def is_allowed(self, viewer: Actor, object_id: UUID) -> bool: ...

    def may_write(self, viewer: Actor, object_id: UUID) -> bool:
        return False

    def audience(self, viewer: Actor, object_id: UUID, events: Sequence[TopicEvent]) -> str:
        return self.prefix

    def snapshot(self, viewer: Actor, object_id: UUID) -> Snapshot:
        return Snapshot(topic_position(f"{self.prefix}:{object_id}"), {})

    def running_turns(self, object_id: UUID) -> Sequence[UUID]:
        return ()

    def render(self, viewer: Actor, object_id: UUID, events: Sequence[TopicEvent]) -> list[dict[str, Any]]:
        return [{} for _event in events]


class ProjectTopic(NewsTopic):
    """For whoever sees the project."""

    def is_allowed(self, viewer: Actor, object_id: UUID) -> bool:
        return accounts.visible_projects(viewer).filter(pk=object_id).exists()


class UserTopic(NewsTopic):
    """For oneself, at all of one's pages."""

    def is_allowed(self, viewer: Actor, object_id: UUID) -> bool:
        return viewer.user_id == object_id
