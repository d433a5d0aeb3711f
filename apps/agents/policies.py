"""Who may change agents: managers of the project. Everyone who sees the project sees its agents."""

from __future__ import annotations

from apps.accounts.policies import has_scope
from apps.accounts.types import Actor, ProjectRole


def may_manage_agents(actor: Actor, role: ProjectRole | None) -> bool:
    return role == ProjectRole.MANAGER and has_scope(actor, "agents:write")  # the platform itself counts as a manager
