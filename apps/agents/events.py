from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from apps.core.events import event


@event("agents.agent_created.v1", label=_("Made an assistant"))
@dataclass(frozen=True, slots=True)
class AgentCreated:
    agent_id: UUID


@event("agents.agent_changed.v1", label=_("Changed an assistant"))
@dataclass(frozen=True, slots=True)
class AgentChanged:
    """``fields`` are names of what changed, without the text of it."""

    agent_id: UUID
    fields: tuple[str, ...]


@event("agents.agent_archived.v1", label=_("Archived an assistant"))
@dataclass(frozen=True, slots=True)
class AgentArchived:
    agent_id: UUID
