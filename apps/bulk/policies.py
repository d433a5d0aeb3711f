"""Who may begin, see and steer operations. Kinds ask for more: what an item touches is theirs."""

from __future__ import annotations

from apps.accounts import policies as accounts
from apps.accounts.types import Actor, ActorKind, ProjectRole
from apps.bulk.models import Operation
from apps.core.doors.bulk_kinds import BulkKind

READ = "bulk:read"
WRITE = "bulk:write"

require = accounts.require


def is_system(actor: Actor) -> bool:
    return actor.kind == ActorKind.SYSTEM


def has_read_scope(actor: Actor) -> bool:
    """A key that may write may read what it writes."""
    return accounts.has_scope(actor, READ) or accounts.has_scope(actor, WRITE)


def can_begin(actor: Actor, role: ProjectRole | None) -> bool:
    return accounts.can_post_in_project(actor, role) and accounts.has_scope(actor, WRITE)


def can_view(actor: Actor, operation: Operation, role: ProjectRole | None) -> bool:
    """One's own, in projects one still sees; managers of the project see all of it. ``selectors.visible_to`` says the same in SQL."""
    if is_system(actor):
        return True
    if role is None or not has_read_scope(actor):
        return False
    return role == ProjectRole.MANAGER or (operation.requested_by_id == actor.user_id and actor.user_id is not None)


def can_read_items(actor: Actor, kind: BulkKind | None) -> bool:
    """See what is in the parameters, items and results of an operation that one sees. Of a kind that is not here any more nobody says who may."""
    return is_system(actor) or (kind is not None and kind.may_read(actor))


def can_steer(actor: Actor, operation: Operation, role: ProjectRole | None) -> bool:
    return can_view(actor, operation, role) and can_begin(actor, role)


def can_be_urgent(actor: Actor) -> bool:
    """``critical`` stands before the fairness between tenants: only the platform and its operators say that."""
    return accounts.can_operate(actor)
