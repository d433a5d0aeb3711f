"""Who may change a setting at which level; ``core.preferences`` asks."""

from __future__ import annotations

from uuid import UUID

from apps.accounts import policies, selectors
from apps.accounts.types import Actor
from apps.core.doors.settings import Level


def may_change(actor: Actor, level: Level, target_id: UUID | None) -> bool:
    """Operators the platform's, managers their organization's and project's, everybody their own."""
    match level:
        case Level.USER:
            return policies.can_change_own_account(actor) and target_id == actor.user_id
        case Level.ORGANIZATION if target_id is not None:
            return policies.can_manage_organization(actor, selectors.organization_role(actor, target_id))
        case Level.PROJECT if target_id is not None:
            return policies.can_manage_project(actor, selectors.project_role(actor, target_id))
        case Level.PLATFORM:
            return actor.is_operator
        case _:
            return False
