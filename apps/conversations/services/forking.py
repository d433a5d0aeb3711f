"""A conversation of one's own that begins as another one did: its messages, when they were said, and what the answers took."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from apps.accounts import policies as account_policies
from apps.accounts.types import Actor
from apps.conversations import policies, selectors
from apps.conversations.events import ConversationStarted
from apps.conversations.models import Conversation, Message, Turn
from apps.conversations.services.attachments import record_attachments
from apps.conversations.services.conversations import announce
from apps.conversations.types import TERMINAL, MessageStatus, ParentElsewhere, without_link

UNFINISHED = (MessageStatus.PENDING, MessageStatus.STREAMING, MessageStatus.WAITING)
OF_A_MESSAGE = (
    "role",
    "author_id",
    "agent_id",
    "status",
    "is_sensitive",
    "parts",
    "answered_by",
    "is_edit",
    "created_at",
    "deleted_at",
    "deleted_by_id",
)
OF_A_TURN = (
    "model_id",
    "agent_id",
    "is_continuation",
    "has_others",
    "status",
    "reason",
    "stop_requested_at",
    "stopped_by_id",
    "provider_name",
    "model_name",
    "is_fallback",
    "input_tokens",
    "output_tokens",
    "cost",
    "currency",
    "is_estimated",
    "created_at",
    "started_at",
    "first_token_at",
    "finished_at",
)


@transaction.atomic
def fork_conversation(*, actor: Actor, conversation_id: UUID, message_id: UUID | None = None) -> Conversation:
    """A new conversation of one's own that begins with the path up to ``message_id`` (default: the whole active path).

    Answers that are still being written are left out. What the answers took is shown with them and was spent where they were
    written: the ledger, budgets and the totals of the copy do not count it again.
    """
    source = selectors.get_conversation(conversation_id=conversation_id, viewer=actor)
    account_policies.require(policies.can_fork(actor, access=selectors.access_to(source, actor)))
    leaf = message_id or selectors.active_leaf(conversation=source, user_id=actor.user_id)
    if message_id and not Message.objects.filter(pk=message_id, conversation=source).exists():
        raise ParentElsewhere
    ids = selectors.path_ids(conversation=source, leaf_id=leaf)
    copy = Conversation.objects.create(
        organization_id=source.organization_id,
        project_id=source.project_id,
        owner_id=actor.user_id,
        title=source.title,
        title_source=source.title_source,
        visibility=without_link(source.visibility),
        model=source.model,
        agent=source.agent,
        system_prompt=source.system_prompt,
        tags=source.tags,
        is_sensitive=source.is_sensitive,
        forked_from=source,
        last_activity_at=Now(),
    )
    made: list[tuple[Message, Message]] = []
    parent: UUID | None = None
    for row in Message.objects.filter(pk__in=ids).defer("words").order_by("number"):
        if row.status in UNFINISHED:
            break
        again = Message(
            organization_id=copy.organization_id,
            conversation=copy,
            number=len(made) + 1,
            parent_id=parent,
            **{name: getattr(row, name) for name in OF_A_MESSAGE},
        )
        made.append((row, again))
        parent = again.pk
    copies = [again for _row, again in made]
    Message.objects.bulk_create(copies, batch_size=500)
    _copy_turns(copy, made)
    record_attachments(copies)
    Conversation.objects.filter(pk=copy.pk).update(head_id=parent, last_number=len(copies))
    announce(copy, ConversationStarted(copy.pk, copy.visibility), actor)
    return selectors.get_conversation(conversation_id=copy.pk, viewer=actor)


def _copy_turns(copy: Conversation, made: Sequence[tuple[Message, Message]]) -> None:
    """Those that have ended. Nobody asked for the copies, so they count for no limit, and no call of the ledger is theirs."""
    messages = {row.pk: again for row, again in made}
    turns = {
        row.pk: Turn(
            organization_id=copy.organization_id,
            conversation=copy,
            project_id=copy.project_id,
            message=messages[row.message_id],
            **{name: getattr(row, name) for name in OF_A_TURN},
        )
        for row in Turn.objects.filter(message__in=messages, status__in=TERMINAL)
    }
    Turn.objects.bulk_create(turns.values(), batch_size=500)
    answers = [again for row, again in made if row.turn_id in turns]
    for row, again in made:
        again.turn = turns.get(row.turn_id) if row.turn_id else None
    Message.objects.bulk_update(answers, ["turn"], batch_size=500)
