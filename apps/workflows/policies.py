"""Who may define, run and read workflows. Everyone who sees the project sees its runs, but for those that hold words of a
collection which is closed to them (``selectors.visible_to``).
"""

from __future__ import annotations

from apps.accounts import policies as accounts
from apps.accounts.types import Actor, ActorKind, ProjectRole

READ = "workflows:read"
WRITE = "workflows:write"
_RUNNERS = frozenset({ProjectRole.EDITOR, ProjectRole.MANAGER})

require = accounts.require


def is_system(actor: Actor) -> bool:
    return actor.kind == ActorKind.SYSTEM


def has_read_scope(actor: Actor) -> bool:
    """A key that may write may read what it writes."""
    return accounts.has_scope(actor, READ) or accounts.has_scope(actor, WRITE)


def can_define(actor: Actor, role: ProjectRole | None) -> bool:
    """Make, change and delete definitions: what everybody has to keep to is for managers to say."""
    return role == ProjectRole.MANAGER and accounts.has_scope(actor, WRITE)


def can_run(actor: Actor, role: ProjectRole | None) -> bool:
    """Begin runs, steer them and answer."""
    return is_system(actor) or (role in _RUNNERS and accounts.has_scope(actor, WRITE))


def has_role(role: ProjectRole | None, least: str) -> bool:
    """``least``: editor or manager, as definitions say it."""
    return role == ProjectRole.MANAGER or (least == "editor" and role == ProjectRole.EDITOR)


def can_override(actor: Actor, role: ProjectRole | None) -> bool:
    """Let a run go on although something is missing."""
    return role == ProjectRole.MANAGER and accounts.has_scope(actor, WRITE)
