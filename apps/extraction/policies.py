"""Who may see, write and define records. Who has no role in the project sees none of them."""

from __future__ import annotations

from typing import Any

from apps.accounts.policies import has_scope
from apps.accounts.types import Actor, ActorKind, ProjectRole
from apps.extraction.types import Visibility
from apps.extraction.wish_types import WishKind

READ = "records:read"
WRITE = "records:write"
_WRITERS = frozenset({ProjectRole.EDITOR, ProjectRole.MANAGER})


def has_read_scope(actor: Actor) -> bool:
    """A key that may write may read what it writes."""
    return has_scope(actor, READ) or has_scope(actor, WRITE)


def can_see_collection(actor: Actor, collection: Any, role: ProjectRole | None, *, is_named: bool) -> bool:
    """Whoever has a role in the project; where it is for who is named, those and the project's managers. ``reach`` says it in SQL."""
    if role is None or not has_read_scope(actor):
        return False
    return collection.visibility != Visibility.NAMED or role == ProjectRole.MANAGER or is_named


def can_name_readers(actor: Actor, role: ProjectRole | None) -> bool:
    """Say who sees a collection, and know who does."""
    return can_define_collections(actor, role)


def can_write_records(actor: Actor, role: ProjectRole | None) -> bool:
    return role in _WRITERS and has_scope(actor, WRITE)


def can_define_collections(actor: Actor, role: ProjectRole | None) -> bool:
    """Make, change and delete collections: what is asked of every record is for managers to say."""
    return role == ProjectRole.MANAGER and has_scope(actor, WRITE)


def can_wish(actor: Actor, kind: str, role: ProjectRole | None) -> bool:
    """Have something made that is asked for in a conversation: what one could make oneself."""
    return can_define_collections(actor, role) if kind == WishKind.COLLECTION else can_write_records(actor, role)


def can_keep_views(actor: Actor, role: ProjectRole | None) -> bool:
    """Whoever reads keeps views for themselves."""
    return role is not None and has_read_scope(actor)


def can_share_views(actor: Actor, role: ProjectRole | None) -> bool:
    return can_write_records(actor, role)


def can_change_view(actor: Actor, view: Any, role: ProjectRole | None) -> bool:
    """Its owner; a shared one also whoever manages the project."""
    if view.owner_id == actor.user_id:
        return can_keep_views(actor, role)
    return view.is_shared and can_define_collections(actor, role)


def can_change_comment(actor: Actor, comment: Any, role: ProjectRole | None) -> bool:
    return comment.author_id == actor.user_id and can_write_records(actor, role)


def can_delete_comment(actor: Actor, comment: Any, role: ProjectRole | None) -> bool:
    """Its author, and whoever manages the project."""
    return can_change_comment(actor, comment, role) or can_define_collections(actor, role)


def is_system(actor: Actor) -> bool:
    """The engine and the coordinator; no person and no key."""
    return actor.kind == ActorKind.SYSTEM
