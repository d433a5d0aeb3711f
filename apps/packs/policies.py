"""Who may bring packs into a project and take them away: who manages it. Who sees the project sees what is installed."""

from __future__ import annotations

from apps.accounts.policies import can_manage_project, has_scope
from apps.accounts.types import Actor, ProjectRole

READ = "projects:read"
WRITE = "projects:write"


def has_read_scope(actor: Actor) -> bool:
    """A key that may write may read what it writes."""
    return has_scope(actor, READ) or has_scope(actor, WRITE)


def can_manage_packs(actor: Actor, role: ProjectRole | None) -> bool:
    """What a pack brings is asked for besides, each by the app that it belongs to."""
    return can_manage_project(actor, role) and has_scope(actor, WRITE)


def can_export_packs(actor: Actor, role: ProjectRole | None) -> bool:
    """It holds no record, but instructions and everything else that a project is made of."""
    return can_manage_project(actor, role) and has_read_scope(actor)
