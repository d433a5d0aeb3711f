"""May this actor do this to that conversation? Pure predicates over the row and the actor's ``Access`` to it."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from apps.accounts.policies import has_scope
from apps.accounts.types import Actor, ActorKind, Permission, ProjectRole
from apps.conversations.models import Conversation, Message, ShareLink
from apps.conversations.types import (
    FINAL,
    RESTORABLE_DAYS,
    Access,
    ConversationArchived,
    MessageIsDeleted,
    Role,
    TooLateToRestore,
    Visibility,
)

READ = "conversations:read"
WRITE = "conversations:write"
WRITERS = {ProjectRole.EDITOR, ProjectRole.MANAGER}


def has_read_scope(actor: Actor) -> bool:
    """A key that may write may read what it writes in."""
    return has_scope(actor, READ) or has_scope(actor, WRITE)


def is_system(actor: Actor) -> bool:
    """The engine of turns and the coordinator; no person and no key."""
    return actor.kind == ActorKind.SYSTEM


def is_operator(actor: Actor) -> bool:
    return actor.is_operator or is_system(actor)


def is_open_to(actor: Actor, conversation: Conversation) -> bool:
    """To those who have a role in its project."""
    return conversation.visibility != Visibility.PRIVATE or conversation.owner_id == actor.user_id


def can_view(actor: Actor, conversation: Conversation, *, access: Access) -> bool:
    """Open to their role in the project, or granted; and not denied."""
    if conversation.deleted_at is not None or not has_read_scope(actor) or access.denied == Permission.VIEW:
        return False
    return (access.role is not None and is_open_to(actor, conversation)) or access.granted is not None


def can_start(actor: Actor, *, role: ProjectRole | None) -> bool:
    """Begin a conversation in a project, also one that was begun elsewhere: a fork or an import."""
    return role in WRITERS and has_scope(actor, WRITE)


def can_post(actor: Actor, conversation: Conversation, *, access: Access) -> bool:
    """Given that the actor sees the conversation."""
    if access.denied is not None or not has_scope(actor, WRITE):
        return False
    by_role = access.role in WRITERS and is_open_to(actor, conversation)
    return by_role or access.granted == Permission.POST


def can_fork(actor: Actor, *, access: Access) -> bool:
    """The fork is a conversation of the project: a grant to this one is not enough."""
    return can_start(actor, role=access.role)


def can_arrange(actor: Actor) -> bool:
    """One's own view of a conversation that one sees: pin, reading mark, branch. Readers too; a key that may only read may not."""
    return actor.user_id is not None and has_scope(actor, WRITE)


def can_change(actor: Actor, conversation: Conversation, *, access: Access) -> bool:
    """Rename, tag, choose who answers: everyone who may write here."""
    return can_post(actor, conversation, access=access)


def _manages(conversation: Conversation, access: Access) -> bool:
    """As a manager of the project, of what all in it see."""
    return access.role == ProjectRole.MANAGER and conversation.visibility != Visibility.PRIVATE


def can_remove(actor: Actor, conversation: Conversation, *, access: Access) -> bool:
    """Delete and restore: its owner, or a manager of the project where all see it."""
    if not can_post(actor, conversation, access=access):
        return False
    return conversation.owner_id == actor.user_id or _manages(conversation, access)


def can_share(actor: Actor, conversation: Conversation, *, access: Access) -> bool:
    """Say who sees it, let in and take away, make links: its owner. A manager who made another's private would be shut out by it."""
    return can_post(actor, conversation, access=access) and conversation.owner_id == actor.user_id


def can_deny(actor: Actor, conversation: Conversation, *, access: Access) -> bool:
    """Deny it to somebody, or lift that; see and withdraw its links: its owner, and managers of the project where all see it."""
    return can_remove(actor, conversation, access=access)


def can_remove_participant(actor: Actor, conversation: Conversation, user_id: UUID | None, *, access: Access) -> bool:
    """Its owner anybody, and everybody themselves: who was invited may leave without asking."""
    is_oneself = user_id is not None and user_id == actor.user_id
    return can_share(actor, conversation, access=access) or (is_oneself and can_arrange(actor))


def can_edit_message(actor: Actor, conversation: Conversation, message: Message, *, access: Access) -> bool:
    is_own = message.role == Role.USER and message.author_id == actor.user_id
    return is_own and can_post(actor, conversation, access=access)


def can_delete_message(actor: Actor, conversation: Conversation, message: Message, *, access: Access) -> bool:
    """One's own words, and answers one asked for; a manager may remove anything that all of the project see."""
    if not can_post(actor, conversation, access=access):
        return False
    if message.author_id is not None and message.author_id == actor.user_id:
        return True
    if message.role == Role.ASSISTANT and message.parent is not None and message.parent.author_id == actor.user_id:
        return True
    return _manages(conversation, access)


def can_mark(actor: Actor, conversation: Conversation, *, access: Access) -> bool:
    """Seal it: whoever may write here. It takes nothing from anybody who reads it."""
    return can_post(actor, conversation, access=access)


def can_unmark(actor: Actor, conversation: Conversation, message: Message, *, access: Access) -> bool:
    """Lay it open in the database again: whose words they are, who asked for the answer, and the owner of the conversation."""
    if not can_post(actor, conversation, access=access) or actor.user_id is None:
        return False
    asked = message.parent.author_id if message.role == Role.ASSISTANT and message.parent is not None else None
    return actor.user_id in (message.author_id, asked, conversation.owner_id)


def is_link_in_force(link: ShareLink, conversation: Conversation) -> bool:
    """``selectors.links_in_force`` says the same in SQL. Whether the organization wants links at all is a setting of its own.

    ``link.is_denied`` comes with ``selectors.list_links``: who made it may not see the conversation just now.
    """
    is_there = conversation.deleted_at is None and conversation.visibility == Visibility.LINK
    is_over = link.expires_at is not None and link.expires_at <= timezone.now()
    is_silent = not link.created_by.is_active or getattr(link, "is_denied", False)
    return is_there and link.revoked_at is None and not is_over and not is_silent


def is_shown_by(link: ShareLink, message: Message) -> bool:
    """Was it there, whole, when the conversation was shared, and is it still? Of the messages on the path that was shared."""
    if message.number > link.up_to_number or message.deleted_at is not None or message.status not in FINAL:
        return False
    ended = message.turn.finished_at if message.turn is not None else None
    return message.turn is None or (ended is not None and ended <= link.shared_at)


def is_restorable(deleted: Conversation | Message) -> bool:
    """For 30 days; then a sweep erases it, which may take a while to come by."""
    return deleted.deleted_at is None or timezone.now() - deleted.deleted_at < timedelta(days=RESTORABLE_DAYS)


def require_restorable(deleted: Conversation | Message) -> None:
    if not is_restorable(deleted):
        raise TooLateToRestore


def require_there(message: Message) -> None:
    if message.deleted_at is not None:
        raise MessageIsDeleted


def require_open(conversation: Conversation) -> None:
    if conversation.archived_at is not None:
        raise ConversationArchived
