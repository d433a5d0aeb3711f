"""What other apps bring to a conversation: things beside it, cards below its messages, and words that nobody asked a model for."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from apps.accounts import policies as account_policies
from apps.accounts.types import Actor
from apps.conversations import policies, selectors
from apps.conversations.events import ConversationAnnotated, MessageAnnotated, MessagePosted
from apps.conversations.models import Message
from apps.conversations.services.appends import append_rows
from apps.conversations.services.conversations import announce
from apps.conversations.types import Role
from apps.core.ids import uuid7


@transaction.atomic
def annotate_conversation(*, actor: Actor, conversation_id: UUID) -> None:
    """Something has come beside it: whoever has it open looks again. The conversation itself is as it was."""
    conversation = selectors.get_conversation(conversation_id=conversation_id, viewer=actor)
    account_policies.require(policies.has_read_scope(actor) or policies.is_system(actor))
    announce(conversation, ConversationAnnotated(conversation.pk), actor, ("conversation", conversation.pk))


@transaction.atomic
def annotate_message(*, actor: Actor, message_id: UUID) -> None:
    """Something has come below the message: whoever has it open draws it again. The message itself is as it was."""
    message = selectors.get_message(message_id=message_id, viewer=actor)
    account_policies.require(policies.has_read_scope(actor) or policies.is_system(actor))
    announce(message.conversation, MessageAnnotated(message.pk), actor, ("message", message.pk))


@transaction.atomic
def say_aside(*, actor: Actor, conversation_id: UUID, text: str, answered_by: str = "") -> Message:
    """Words at the end of the actor's path that are no person's and that no turn wrote, such as a question about what is missing.

    Asked for by somebody who may write there; they do not count as read by anybody.
    """
    conversation = selectors.lock_conversation(conversation_id=conversation_id, viewer=actor)
    account_policies.require(policies.can_post(actor, conversation, access=selectors.access_to(conversation, actor)))
    policies.require_open(conversation)
    leaf = selectors.active_leaf(conversation=conversation, user_id=actor.user_id)
    above = selectors.find_in(conversation=conversation, message_id=leaf) if leaf else None
    number = conversation.last_number + 1
    message = Message(
        id=uuid7(),
        organization_id=conversation.organization_id,
        conversation=conversation,
        number=number,
        role=Role.ASSISTANT,
        parent=above,
        is_sensitive=conversation.is_sensitive or bool(above and above.is_sensitive),
        parts=[{"type": "text", "text": text}],
        answered_by=answered_by[:200],
    )
    goes_on = conversation.is_linear and (above.number if above else 0) == number - 1
    append_rows(None, conversation, [message], None, is_linear=goes_on)
    announce(conversation, MessagePosted(message_id=message.pk, number=number), actor, ("message", message.pk))
    return message
