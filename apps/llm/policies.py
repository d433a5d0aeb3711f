"""May this actor do this? Providers and budgets belong to the organization: owners and admins change them, members use them."""

from __future__ import annotations

from apps.accounts import policies as accounts
from apps.accounts.policies import require
from apps.accounts.types import Actor, ActorKind, OrganizationRole

__all__ = [
    "can_manage_budget",
    "can_manage_providers",
    "can_record_calls",
    "can_see_models",
    "can_see_usage",
    "require",
]


def can_manage_providers(actor: Actor, role: OrganizationRole | None) -> bool:
    return accounts.can_manage_providers(actor, role)


def can_manage_budget(actor: Actor, role: OrganizationRole | None) -> bool:
    return accounts.can_manage_budgets(actor, role)


def can_see_models(actor: Actor, role: OrganizationRole | None) -> bool:
    return accounts.can_view_organization(actor, role)


def can_see_usage(actor: Actor, role: OrganizationRole | None) -> bool:
    """What everybody used and what it cost; one's own is always visible."""
    return accounts.can_manage_budgets(actor, role)


def can_operate(actor: Actor) -> bool:
    """Operators of the platform, whichever organization a provider belongs to."""
    return actor.is_operator or actor.kind == ActorKind.SYSTEM


def can_record_calls(actor: Actor) -> bool:
    """The ledger is written by the engine alone."""
    return actor.kind == ActorKind.SYSTEM
