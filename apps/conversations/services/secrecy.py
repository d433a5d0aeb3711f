"""Marking words as sensitive, which seals them, and opening them again."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from apps.accounts import policies as account_policies
from apps.accounts.types import Actor
from apps.conversations import policies, selectors
from apps.conversations.events import ConversationChanged, MessageMarked, MessageUnmarked
from apps.conversations.models import Conversation, Message, TitleRequest
from apps.conversations.services.conversations import announce
from apps.conversations.types import ACTIVE, Role, SensitiveByRule, TitleSource, TurnStillRunning
from apps.core.doors.settings import Level

COLUMNS = ("is_sensitive", "stored_parts", "content", "sealed")
BATCH = 200


@transaction.atomic
def mark_message(*, actor: Actor, message_id: UUID) -> Message:
    """With its answers, which may repeat it. One that is being written is sealed when it ends; until then its words go on to
    those who read along, and not into the database.
    """
    conversation, message = _lock(actor, message_id)
    access = selectors.access_to(conversation, actor)
    account_policies.require(policies.can_mark(actor, conversation, access=access))
    answers = _rows(conversation).filter(parent=message) if message.role == Role.USER else ()
    _seal(actor, conversation, [row for row in (message, *answers) if not row.is_sensitive])
    return selectors.messages().get(pk=message_id)


@transaction.atomic
def unmark_message(*, actor: Actor, message_id: UUID) -> Message:
    """This one alone. Raises ``SensitiveByRule`` where all of the conversation is sensitive."""
    conversation, message = _lock(actor, message_id)
    access = selectors.access_to(conversation, actor)
    account_policies.require(policies.can_unmark(actor, conversation, message, access=access))
    if conversation.is_sensitive:
        raise SensitiveByRule
    if message.turn is not None and message.turn.status in ACTIVE:
        raise TurnStillRunning
    if message.is_sensitive:
        parts = message.parts
        message.is_sensitive = False
        message.parts = parts
        message.save(update_fields=COLUMNS)
        announce(conversation, MessageUnmarked(message.pk, message.number), actor, ("message", message.pk))
    return selectors.messages().get(pk=message_id)


def _lock(actor: Actor, message_id: UUID) -> tuple[Conversation, Message]:
    found = selectors.get_message(message_id=message_id, viewer=actor)
    conversation = selectors.lock_conversation(conversation_id=found.conversation_id, viewer=actor)
    message = _rows(conversation).select_related("parent", "turn").get(pk=message_id)
    policies.require_there(message)
    return conversation, message


def _rows(conversation: Conversation) -> QuerySet[Message]:
    """Locked against who writes checkpoints, who does not hold the conversation."""
    rows = Message.objects.filter(conversation=conversation).defer("words")
    return rows.select_for_update(of=("self",), no_key=True).order_by("number")


def _seal(actor: Actor, conversation: Conversation, rows: Iterable[Message]) -> None:
    """A title that was written from words may be made of these: it goes, and the next answer that may be read gives another."""
    sealed = list(rows)
    for row in sealed:
        parts = row.parts
        row.is_sensitive = True
        row.parts = parts
    if not sealed:
        return
    Message.objects.bulk_update(sealed, COLUMNS)
    for row in sealed:
        announce(conversation, MessageMarked(row.pk, row.number), actor, ("message", row.pk))
    TitleRequest.objects.filter(conversation=conversation).delete()
    if conversation.title and conversation.title_source != TitleSource.TYPED:
        Conversation.objects.filter(pk=conversation.pk).update(title="", title_source=TitleSource.NONE)
        conversation.title, conversation.title_source = "", TitleSource.NONE
        announce(conversation, ConversationChanged(conversation.pk, ("title",)), actor)


@transaction.atomic
def seal_messages(*, actor: Actor, conversation_id: UUID) -> bool:
    """A batch of what was said before all of the conversation became sensitive. True: there is more."""
    account_policies.require(policies.is_system(actor))
    conversation = Conversation.objects.select_for_update().filter(pk=conversation_id, seal_due=True).first()
    if conversation is None:
        return False
    rows = list(_rows(conversation).filter(is_sensitive=False)[:BATCH]) if conversation.is_sensitive else []
    _seal(actor, conversation, rows)
    has_more = len(rows) == BATCH
    if not has_more:
        Conversation.objects.filter(pk=conversation.pk).update(seal_due=False)
    return has_more


@transaction.atomic
def mark_by_rule(*, actor: Actor, level: Level, target_id: UUID) -> int:
    """The organization or the project wants all sealed from now on: gives how many conversations were not yet."""
    account_policies.require(policies.is_system(actor))
    of = {Level.ORGANIZATION: "organization", Level.PROJECT: "project"}[level]
    rows = Conversation.objects.filter(**{of: target_id}, is_sensitive=False)
    return rows.update(is_sensitive=True, seal_due=True)
