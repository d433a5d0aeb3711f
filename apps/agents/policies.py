"""Who may change agents: managers of the project. Everyone who sees the project sees its agents."""

from __future__ import annotations

from apps.accounts.types import Actor, ProjectRole


def may_manage_agents(role: ProjectRole | None) -> bool:
    return role == ProjectRole.MANAGER  # the platform itself counts as one


def may_see_agents(actor: Actor, role: ProjectRole | None) -> bool:
    return role is not None
