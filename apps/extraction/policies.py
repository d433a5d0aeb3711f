"""Who may read, write and define records. Everyone who sees the project sees its collections and records."""

from __future__ import annotations

from apps.accounts.policies import has_scope
from apps.accounts.types import Actor, ActorKind, ProjectRole

READ = "records:read"
WRITE = "records:write"
_WRITERS = frozenset({ProjectRole.EDITOR, ProjectRole.MANAGER})


def has_read_scope(actor: Actor) -> bool:
    """A key that may write may read what it writes."""
    return has_scope(actor, READ) or has_scope(actor, WRITE)


def can_write_records(actor: Actor, role: ProjectRole | None) -> bool:
    return role in _WRITERS and has_scope(actor, WRITE)


def can_define_collections(actor: Actor, role: ProjectRole | None) -> bool:
    """Make, change and delete collections: what is asked of every record is for managers to say."""
    return role == ProjectRole.MANAGER and has_scope(actor, WRITE)


def is_system(actor: Actor) -> bool:
    """The engine and the coordinator; no person and no key."""
    return actor.kind == ActorKind.SYSTEM
