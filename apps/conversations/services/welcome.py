"""The conversation that shows what a conversation is."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from apps.accounts import policies as account_policies
from apps.accounts import selectors as accounts
from apps.accounts.types import Actor
from apps.conversations import policies
from apps.conversations.events import ConversationStarted, MessagePosted
from apps.conversations.models import Conversation, Message
from apps.conversations.services.conversations import announce
from apps.conversations.types import Role, TitleSource
from apps.core.ids import uuid7


@transaction.atomic
def welcome_owner(*, actor: Actor, organization_id: UUID, user_id: UUID) -> Conversation | None:
    """A question and its answer in the oldest project; None where there is no project, or a conversation already.

    Nobody asked a model for these words, so no turn and no ledger row says so: they are marked as the demo's.
    """
    account_policies.require(policies.is_system(actor))
    project = accounts.visible_projects(actor).filter(organization_id=organization_id).order_by("created_at").first()
    if project is None or Conversation.objects.filter(organization_id=organization_id).exists():
        return None
    question = _("What can I do here?")
    answer = _(
        "Write below: a model answers while you read, and everybody in this project can read along and join in. A few things to try:\n\n"
        "- **Stop** an answer, **continue** it, or ask for **another** one; earlier versions stay.\n"
        "- **Edit** an earlier message: the conversation branches, and nothing is lost.\n"
        "- Write `/help` for commands and `@` to choose who answers.\n"
        "- Attach files: pictures are shown to models that see, of others they read the text.\n\n"
        "Until a provider is connected in the settings the **demo** answers. It follows rules, and says so each time."
    )
    conversation = Conversation.objects.create(
        id=uuid7(),
        organization_id=organization_id,
        project=project,
        owner_id=user_id,
        title=_("Welcome to Parlance"),
        title_source=TitleSource.TYPED,
        last_number=2,
        last_activity_at=Now(),
    )
    common = {"organization_id": organization_id, "conversation": conversation}
    asked = Message(
        **common,
        number=1,
        role=Role.USER,
        author_id=user_id,
        parts=[{"type": "text", "text": question}],
        content=question,
    )
    said = Message(
        **common,
        number=2,
        role=Role.ASSISTANT,
        parent=asked,
        parts=[{"type": "text", "text": answer}],
        content=answer,
        answered_by="Demo/demo",
    )
    Message.objects.bulk_create([asked, said])
    Conversation.objects.filter(pk=conversation.pk).update(head_id=said.pk)
    announce(conversation, ConversationStarted(conversation.pk, conversation.visibility), actor)
    fact = MessagePosted(message_id=asked.pk, number=asked.number, answer_id=said.pk)
    announce(conversation, fact, actor, ("message", asked.pk))
    return conversation
