"""May this actor do this to that conversation? Pure predicates over the row, the actor's project role and participation."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from apps.accounts.policies import has_scope
from apps.accounts.types import Actor, ActorKind, ProjectRole
from apps.conversations.models import Conversation, Message
from apps.conversations.types import (
    RESTORABLE_DAYS,
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


def can_view(actor: Actor, conversation: Conversation, *, role: ProjectRole | None, is_invited: bool) -> bool:
    if role is None or conversation.deleted_at is not None or not has_read_scope(actor):
        return False
    return conversation.visibility == Visibility.PROJECT or conversation.owner_id == actor.user_id or is_invited


def can_post(actor: Actor, *, role: ProjectRole | None) -> bool:
    """Given that the actor sees the conversation."""
    return role in WRITERS and has_scope(actor, WRITE)


def can_arrange(actor: Actor) -> bool:
    """One's own view of a conversation that one sees: pin, reading mark, branch. Readers too; a key that may only read may not."""
    return actor.user_id is not None and has_scope(actor, WRITE)


def can_change(actor: Actor, conversation: Conversation, *, role: ProjectRole | None) -> bool:
    """Rename, tag, choose who answers: everyone who may write here."""
    return can_post(actor, role=role)


def can_remove(actor: Actor, conversation: Conversation, *, role: ProjectRole | None) -> bool:
    """Delete and restore: its owner, or a manager of the project where all see it."""
    if not can_post(actor, role=role):
        return False
    is_shared_with_manager = role == ProjectRole.MANAGER and conversation.visibility == Visibility.PROJECT
    return conversation.owner_id == actor.user_id or is_shared_with_manager


def can_share(actor: Actor, conversation: Conversation, *, role: ProjectRole | None) -> bool:
    """Say who sees it, invite and take away: its owner. A manager who made another's private would be shut out by it."""
    return can_post(actor, role=role) and conversation.owner_id == actor.user_id


def can_remove_participant(
    actor: Actor, conversation: Conversation, user_id: UUID, *, role: ProjectRole | None
) -> bool:
    """Its owner anybody, and everybody themselves: who was invited may leave without asking."""
    return can_share(actor, conversation, role=role) or (user_id == actor.user_id and can_arrange(actor))


def can_edit_message(actor: Actor, message: Message, *, role: ProjectRole | None) -> bool:
    return can_post(actor, role=role) and message.role == Role.USER and message.author_id == actor.user_id


def can_delete_message(actor: Actor, conversation: Conversation, message: Message, *, role: ProjectRole | None) -> bool:
    """One's own words, and answers one asked for; a manager may remove anything that all of the project see."""
    if not can_post(actor, role=role):
        return False
    if message.author_id is not None and message.author_id == actor.user_id:
        return True
    if message.role == Role.ASSISTANT and message.parent is not None and message.parent.author_id == actor.user_id:
        return True
    return role == ProjectRole.MANAGER and conversation.visibility == Visibility.PROJECT


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
