"""Reactions to the log: when the installation gets its owner, one conversation shows what a conversation is."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from apps.accounts import selectors as accounts
from apps.accounts.types import SYSTEM
from apps.conversations.models import Conversation, Message
from apps.conversations.types import Role, TitleSource
from apps.core.doors.consumers import LoggedEvent
from apps.core.ids import uuid7


@transaction.atomic
def welcome(event: LoggedEvent) -> None:
    """Idempotent: an organization that has a conversation is left alone.

    Nobody asked a model for these words, so no turn and no ledger row says so: they are marked as the demo's.
    """
    organization_id, user_id = event.organization_id, UUID(event.payload["user_id"])
    project = accounts.visible_projects(SYSTEM).filter(organization_id=organization_id).order_by("created_at").first()
    if project is None or Conversation.objects.filter(organization_id=organization_id).exists():
        return
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
        answered_by="demo",
    )
    Message.objects.bulk_create([asked, said])
    Conversation.objects.filter(pk=conversation.pk).update(head_id=said.pk)
