"""The end of a turn, in the transaction of who ends it. Plain SQL and prepared: every answer meets it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS
from django.db.models.functions import Now
from psycopg.types.json import Jsonb

from apps.accounts.types import Actor
from apps.conversations import turn_order
from apps.conversations.events import ConversationChanged, TurnCompleted, TurnEnded
from apps.conversations.first_words import first_words
from apps.conversations.models import Conversation, Message, Turn
from apps.conversations.models.words import laid_down
from apps.conversations.services.conversations import announce
from apps.conversations.services.titles import request_title
from apps.conversations.types import (
    MAX_RUNNING_A_PERSON,
    MAX_RUNNING_AN_ORGANIZATION,
    Ending,
    MessageStatus,
    Role,
    TitleSource,
    TurnStatus,
    TurnUsage,
)
from apps.core import jobs
from apps.core.db import prepared
from apps.llm import selectors as ledger

HINTED_AFTER_END = 5
STATUS_OF_MESSAGE = {
    TurnStatus.COMPLETED: MessageStatus.COMPLETED,
    TurnStatus.STOPPED: MessageStatus.STOPPED,
    TurnStatus.FAILED: MessageStatus.FAILED,
    TurnStatus.INTERRUPTED: MessageStatus.INTERRUPTED,
}

# A turn that an operator queued again has ended before: the conversation counts what came since. The last column: may somebody
# start who could not before? Everybody else was hinted when they posted; a crowd must not be hinted again at every end.
_END = """
WITH turn AS (
  UPDATE conversations_turn SET
    status = %(status)s, reason = %(reason)s, fence = %(fence)s, provider_name = %(provider)s, model_name = %(model)s::text,
    is_fallback = %(fallback)s, input_tokens = %(input)s, output_tokens = %(output)s, cost = %(cost)s::numeric,
    currency = %(currency)s::text, is_estimated = %(estimated)s, last_seq = greatest(last_seq, %(seq)s), lease_until = NULL,
    finished_at = clock_timestamp(), updated_at = clock_timestamp(),
    first_token_at = coalesce(first_token_at, clock_timestamp() - %(shown)s::float8 * interval '1 second')
  WHERE id = %(turn)s
  RETURNING id, organization_id, conversation_id, message_id, coalesce(extract(epoch FROM finished_at - started_at), 0) AS taken
), message AS (
  UPDATE conversations_message AS message SET
    parts = %(parts)s, content = %(content)s, sealed = %(sealed)s, status = %(shown_as)s, turn_id = turn.id,
    answered_by = CASE WHEN %(model)s::text = '' THEN message.answered_by ELSE %(model)s::text END
  FROM turn WHERE message.id = turn.message_id
)
UPDATE conversations_conversation AS conversation SET
  input_tokens = input_tokens + %(more_input)s, output_tokens = output_tokens + %(more_output)s,
  cost = cost + %(more_cost)s::numeric, currency = CASE WHEN %(currency)s::text = '' THEN currency ELSE %(currency)s::text END,
  answer_seconds = answer_seconds + turn.taken, last_activity_at = statement_timestamp()
FROM turn WHERE conversation.id = turn.conversation_id
RETURNING conversation.id, conversation.organization_id, project_id, owner_id, title, title_source, visibility,
  EXISTS (SELECT FROM conversations_turn WHERE after_turn_id = %(turn)s AND status = 'queued')
  OR (SELECT count(*) FROM conversations_turn WHERE organization_id = %(organization)s AND status = 'running') > %(many)s
  OR (SELECT count(*) FROM conversations_turn WHERE requested_by_id = %(person)s::uuid AND status = 'running') >= %(own)s
"""
_OF_CONVERSATION = (
    "id",
    "organization_id",
    "project_id",
    "owner_id",
    "title",
    "title_source",
    "visibility",
)  # in the model's order


def end_turn(actor: Actor, turn: Turn, ending: Ending, *, seq: int, is_sensitive: bool) -> None:
    """``turn`` is locked by the caller and brings the fence that it has from now on. ``is_sensitive`` is its message's mark, read
    under the lock of the conversation.
    """
    if turn.status == TurnStatus.QUEUED and turn.after_turn_id:
        # It never ran: who waited for it waits for what it waited for.
        Turn.objects.filter(after_turn=turn, status=TurnStatus.QUEUED).update(after_turn=turn.after_turn_id)
    ending = _with_ledger(turn, ending)
    usage = ending.usage
    words = laid_down(turn.message_id, ending.parts, is_sensitive=is_sensitive)
    values: dict[str, Any] = {
        "turn": turn.pk,
        "organization": turn.organization_id,
        "person": turn.requested_by_id,
        "many": MAX_RUNNING_AN_ORGANIZATION - HINTED_AFTER_END,
        "own": MAX_RUNNING_A_PERSON,
        "status": ending.status.value,
        "reason": ending.reason,
        "fence": turn.fence,
        "provider": ending.provider,
        "model": ending.model,
        "fallback": ending.is_fallback,
        "input": usage.input_tokens,
        "output": usage.output_tokens,
        "cost": usage.cost,
        "currency": usage.currency,
        "estimated": usage.estimated,
        "seq": seq,
        "shown": ending.shown_seconds,
        "parts": Jsonb(words.parts),
        "content": words.content,
        "sealed": words.sealed,
        "shown_as": STATUS_OF_MESSAGE[ending.status].value,
        "more_input": usage.input_tokens - turn.input_tokens,
        "more_output": usage.output_tokens - turn.output_tokens,
        "more_cost": (usage.cost or 0) - (turn.cost or 0),
    }
    with prepared() as cursor:
        cursor.execute(_END, values)
        row = cursor.fetchone()
    assert row is not None
    *found, lets_others_start = row
    conversation = Conversation.from_db(DEFAULT_DB_ALIAS, _OF_CONVERSATION, found)
    turn.status = ending.status
    fact: TurnCompleted | TurnEnded
    if ending.status == TurnStatus.COMPLETED:
        cost = str(usage.cost) if usage.cost is not None else ""
        fact = TurnCompleted(turn.pk, turn.message_id, usage.input_tokens, usage.output_tokens, cost)
        if conversation.title_source == TitleSource.NONE and not is_sensitive:
            request_title(turn=turn)
    else:
        fact = TurnEnded(turn.pk, turn.message_id, ending.status, ending.reason)
        name_by_first_words(conversation, actor)
    announce(conversation, fact, actor, ("turn", turn.pk))
    if lets_others_start:
        _hint_next(turn.organization_id)


def name_by_first_words(conversation: Conversation, actor: Actor) -> None:
    """Where it has no title, in the caller's transaction, which holds the conversation. ``title_source`` stays ``none``: the next answer that comes whole asks
    for a title as if there were none.
    """
    if conversation.title_source != TitleSource.NONE or conversation.title:
        return
    rows = Message.objects.filter(conversation=conversation, role=Role.USER, deleted_at=None, is_sensitive=False)
    first = rows.only("content", "stored_parts", "sealed").order_by("number").first()
    if first is None or not (title := first_words(first.content, first.parts)):
        return
    Conversation.objects.filter(pk=conversation.pk).update(title=title, updated_at=Now())
    announce(conversation, ConversationChanged(conversation.pk, ("title",)), actor)


def _with_ledger(turn: Turn, ending: Ending) -> Ending:
    """The ending with what the ledger says was spent, unless the answer came whole at the first start and brought its count."""
    if ending.status == TurnStatus.COMPLETED and turn.fence <= 1:
        return ending
    spent = ledger.usage_of_turn(turn_id=turn.pk)
    if not spent.attempts:
        return ending
    usage = TurnUsage(
        input_tokens=spent.input_tokens,
        output_tokens=spent.output_tokens,
        cost=spent.cost or None,
        currency=spent.currency if spent.cost else "",
        estimated=spent.estimated,
    )
    return replace(ending, usage=usage, provider=ending.provider or spent.provider, model=ending.model or spent.model)


def _hint_next(organization_id: UUID) -> None:
    """Who may start in the place that came free. The claim decides; a hint too many does no harm."""
    for turn_id in turn_order.list_startable(organization_id=organization_id, limit=HINTED_AFTER_END):
        jobs.after_commit("conversations.run_turn", turn_id=turn_id)
