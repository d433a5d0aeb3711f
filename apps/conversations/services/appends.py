"""How rows come to the end of a conversation. Every post meets it: one statement each for messages, turn and conversation."""

from __future__ import annotations

from typing import Any

from apps.accounts.types import Actor
from apps.conversations.models import Conversation, Message, Turn
from apps.conversations.services.attachments import record_attachments
from apps.core.compiled import insert
from apps.core.db import prepared

# Who posts follows everyone's head again, and has read what they wrote. Whoever looks at the branch that goes on here sees it
# go on: their head moves along.
_MOVE_ON = """
WITH conversation AS (
  UPDATE conversations_conversation
  SET last_number = %(number)s, head_id = %(head)s, is_linear = %(linear)s, last_activity_at = statement_timestamp()
  WHERE id = %(conversation)s
)
UPDATE conversations_participation SET
  head_id = CASE WHEN user_id = %(user)s::uuid THEN NULL ELSE %(head)s END,
  last_read_number = CASE WHEN user_id = %(user)s::uuid THEN %(number)s ELSE last_read_number END
WHERE conversation_id = %(conversation)s AND (user_id = %(user)s::uuid OR head_id = %(parent)s::uuid)
"""


def append_rows(
    actor: Actor | None, conversation: Conversation, rows: list[Message], turn: Turn | None, *, is_linear: bool
) -> None:
    """Foreign keys are checked at commit, so the answer may name its turn before the turn's row is there.

    ``actor`` None: nobody wrote these words, so nobody has read them yet, and nobody leaves the branch they look at.
    """
    insert(rows)
    record_attachments(rows)
    if turn is not None:
        insert([turn])
    last = rows[-1]
    values: dict[str, Any] = {
        "conversation": conversation.pk,
        "number": last.number,
        "head": last.pk,
        "parent": rows[0].parent_id,
        "linear": is_linear,
        "user": actor.user_id if actor else None,
    }
    with prepared() as cursor:
        cursor.execute(_MOVE_ON, values)
    conversation.last_number, conversation.head_id, conversation.is_linear = last.number, last.pk, is_linear
