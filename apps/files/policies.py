"""Who may bring, use and remove files. Pure predicates over the row and the actor's role in its project."""

from __future__ import annotations

from apps.accounts import policies as accounts
from apps.accounts.types import Actor, ProjectRole
from apps.files.models import File

READ = "conversations:read"
WRITE = "conversations:write"

require = accounts.require


def can_upload(actor: Actor, role: ProjectRole | None) -> bool:
    return actor.user_id is not None and accounts.can_post_in_project(actor, role) and accounts.has_scope(actor, WRITE)


def can_read_files(actor: Actor) -> bool:
    """``write`` includes ``read``."""
    return accounts.has_scope(actor, READ) or WRITE in actor.scopes


def is_owner(actor: Actor, file: File) -> bool:
    return actor.user_id is not None and file.owner_id == actor.user_id


def can_delete(actor: Actor, file: File) -> bool:
    """Whoever sees a file through a conversation reads it; only its owner removes it."""
    return is_owner(actor, file) and accounts.has_scope(actor, WRITE)


def can_release(actor: Actor, file: File) -> bool:
    return actor.is_operator
