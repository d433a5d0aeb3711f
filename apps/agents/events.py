from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from apps.core.events import event


@event("agents.agent_created.v1")
@dataclass(frozen=True, slots=True)
class AgentCreated:
    agent_id: UUID


@event("agents.agent_changed.v1")
@dataclass(frozen=True, slots=True)
class AgentChanged:
    """``fields`` are names of what changed, without the text of it."""

    agent_id: UUID
    fields: tuple[str, ...]


@event("agents.agent_archived.v1")
@dataclass(frozen=True, slots=True)
class AgentArchived:
    agent_id: UUID
