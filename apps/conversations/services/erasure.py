"""What was deleted goes for good when it can be restored no more: conversations with all rows, messages with their words."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from apps.accounts import policies as account_policies
from apps.accounts.types import Actor
from apps.conversations import policies
from apps.conversations.events import ConversationErased, MessageChanged
from apps.conversations.models import (
    Attachment,
    Conversation,
    ConversationDenial,
    ConversationGrant,
    Message,
    Participation,
    ShareLink,
    TeamGrant,
    TitleRequest,
    Turn,
)
from apps.conversations.services.conversations import announce
from apps.conversations.types import RESTORABLE_DAYS
from apps.files import services as file_services

#: What goes with a conversation. Rows that point at each other are checked at the end of the transaction.
OF_A_CONVERSATION = (TitleRequest, Attachment, Participation, ConversationDenial, ShareLink, Turn, Message)
GRANTS = (ConversationGrant, TeamGrant)


def _conversations() -> QuerySet[Conversation]:
    return Conversation.objects.filter(deleted_at__lte=Now() - timedelta(days=RESTORABLE_DAYS))


def _messages() -> QuerySet[Message]:
    """Those that still hold something."""
    return Message.objects.filter(deleted_at__lte=Now() - timedelta(days=RESTORABLE_DAYS)).exclude(
        stored_parts=[], sealed=""
    )


def erase_deleted(*, actor: Actor, limit: int = 100) -> int:
    """Everything that nobody can restore any more, each in a transaction of its own; gives how many. The next round goes on."""
    account_policies.require(policies.is_system(actor))
    conversations = [
        erase_conversation(actor=actor, conversation_id=pk)
        for pk in _conversations().values_list("pk", flat=True)[:limit]
    ]
    messages = [erase_words(actor=actor, message_id=pk) for pk in _messages().values_list("pk", flat=True)[:limit]]
    return sum(conversations) + sum(messages)


@transaction.atomic
def erase_conversation(*, actor: Actor, conversation_id: UUID) -> bool:
    """Hard, with everything that was said in it. False when it was restored meanwhile or is gone already.

    Files that nothing else uses go with the next sweep of ``files``. Forks stay and forget where they came from; the ledger keeps what the answers cost, the log that there was one.
    """
    account_policies.require(policies.is_system(actor))
    conversation = _conversations().select_for_update().filter(pk=conversation_id).first()
    if conversation is None:
        return False
    Conversation.objects.filter(forked_from=conversation).update(forked_from=None)
    files = list(Attachment.objects.filter(conversation=conversation).values_list("file_id", flat=True).distinct())
    for model in OF_A_CONVERSATION:
        model.objects.filter(conversation=conversation)._raw_delete("default")  # noqa: SLF001
    for grants in GRANTS:
        grants.objects.filter(content_object=conversation)._raw_delete("default")  # noqa: SLF001
    file_services.detach_files(file_ids=files)
    announce(
        conversation, ConversationErased(conversation.pk, conversation.last_number, conversation.visibility), actor
    )
    Conversation.objects.filter(pk=conversation.pk)._raw_delete("default")  # noqa: SLF001
    return True


@transaction.atomic
def erase_words(*, actor: Actor, message_id: UUID) -> bool:
    """The message keeps its place in the tree; its parts go, and with them the right to read its files here
    and, where nothing else uses them, the files.
    """
    account_policies.require(policies.is_system(actor))
    message = _messages().select_for_update().filter(pk=message_id).first()
    if message is None:
        return False
    attached = Attachment.objects.filter(message=message)
    files = list(attached.values_list("file_id", flat=True))
    attached.delete()
    file_services.detach_files(file_ids=files)
    Message.objects.filter(pk=message.pk).update(stored_parts=[], content="", sealed="")
    conversation = Conversation.objects.only("id", "organization_id", "project_id").get(pk=message.conversation_id)
    announce(conversation, MessageChanged(message.pk, "erased"), actor, ("message", message.pk))
    return True
