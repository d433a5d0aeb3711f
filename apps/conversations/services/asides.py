"""What other apps bring to a conversation: cards below its messages, and words that nobody asked a model for."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from apps.accounts import policies as account_policies
from apps.accounts.types import Actor
from apps.conversations import policies, selectors
from apps.conversations.events import MessageAnnotated
from apps.conversations.services.conversations import announce


@transaction.atomic
def annotate_message(*, actor: Actor, message_id: UUID) -> None:
    """Something has come below the message: whoever has it open draws it again. The message itself is as it was."""
    message = selectors.get_message(message_id=message_id, viewer=actor)
    account_policies.require(policies.has_read_scope(actor) or policies.is_system(actor))
    announce(message.conversation, MessageAnnotated(message.pk), actor, ("message", message.pk))
