"""What must always be true of conversations (promises I1 to I4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models import F, Q
from django.db.models.functions import Now

from apps.conversations.models import Message, Turn
from apps.conversations.types import (
    MAX_RUNNING_A_PERSON,
    MAX_RUNNING_A_PROCESS,
    MAX_RUNNING_AN_ORGANIZATION,
    TERMINAL,
    MessageStatus,
    TurnStatus,
    text_of_parts,
)
from apps.core.doors.invariants import Invariant, Violation, invariants
from apps.core.leases import patience, scaled
from apps.live import streams
from apps.llm import selectors as llm

PATIENCE_SECONDS = 60.0
SHOWN = 20
#: Texts that are compared in one run: the newest.
READ = 2000
#: While streams are kept after their end, and how many of them one run reads.
STREAM_SECONDS = 14 * 60.0
STREAMS_READ = 200


_NUMBERS = """
SELECT talk.id, count(message.id), coalesce(max(message.number), 0), talk.last_number
FROM conversations_conversation talk LEFT JOIN conversations_message message ON message.conversation_id = talk.id
GROUP BY talk.id
HAVING count(message.id) <> talk.last_number OR coalesce(max(message.number), 0) <> talk.last_number LIMIT 20
"""

#: The log says what was acknowledged; it cannot be changed. A conversation that was erased took all of it with it.
_ACKNOWLEDGED = """
SELECT DISTINCT talk.id, posted.id FROM core_event
CROSS JOIN LATERAL (VALUES ((payload->>'message_id')::uuid), ((payload->>'answer_id')::uuid)) AS posted(id)
JOIN conversations_conversation talk ON talk.id = substr(core_event.topic, 14)::uuid
WHERE core_event.type = 'conversations.message_posted' AND core_event.topic LIKE 'conversation:%' AND NOT core_event.is_refusal
  AND posted.id IS NOT NULL AND NOT EXISTS (
    SELECT FROM conversations_message message WHERE message.id = posted.id AND message.conversation_id = talk.id)
LIMIT 20
"""

#: Nothing stands before it, and during all of the patience there was a free place: whatever ran in that time runs still or
#: has just ended.
_FORGOTTEN = """
WITH busy AS MATERIALIZED (
  SELECT requested_by_id AS person, organization_id AS organization FROM conversations_turn
  WHERE status = 'running' OR finished_at > clock_timestamp() - %(patience)s
)
SELECT turn.id FROM conversations_turn turn
LEFT JOIN conversations_turn above ON above.id = turn.after_turn_id
WHERE turn.status = 'queued' AND turn.updated_at <= clock_timestamp() - %(patience)s
  AND (above.id IS NULL OR above.finished_at <= clock_timestamp() - %(patience)s)
  AND NOT EXISTS (SELECT FROM conversations_turn other WHERE other.message_id = turn.message_id AND other.id <> turn.id
    AND (other.status = 'running' OR other.finished_at > clock_timestamp() - %(patience)s))
  AND (SELECT count(*) FROM busy WHERE person = turn.requested_by_id) < %(person)s
  AND (SELECT count(*) FROM busy WHERE organization = turn.organization_id) < %(organization)s
  AND (SELECT count(*) FROM busy) < %(process)s
LIMIT 20
"""


def _rows(statement: str, values: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def check_numbers_gapless() -> Sequence[Violation]:
    """A deleted message keeps its row, so numbers never have holes."""
    return [
        Violation(
            f"Conversation {talk} has {there} messages, the highest number is {top}, it counts to {last}.",
            "Rows were removed or restored by hand: restore the conversation from a backup or an export.",
        )
        for talk, there, top, last in _rows(_NUMBERS)
    ]


def check_acknowledged_messages_exist() -> Sequence[Violation]:
    return [
        Violation(
            f"Conversation {talk} has lost message {message}, which the log says was accepted.",
            "Restore the conversation from the backup that belongs to the log.",
        )
        for talk, message in _rows(_ACKNOWLEDGED)
    ]


def check_turns_end() -> Sequence[Violation]:
    since = Now() - timedelta(seconds=scaled(PATIENCE_SECONDS))
    rows = Turn.objects.filter(status=TurnStatus.RUNNING, lease_until__lte=since)[:SHOWN]
    return [
        Violation(
            f"Turn {turn.pk} runs without a live lease.", "Is a jobs process running? It ends turns of lost workers."
        )
        for turn in rows
    ]


def check_turns_begin() -> Sequence[Violation]:
    """A turn that waits for the answer above it, or for a free place, waits rightly; a model that is away ends it."""
    values = {
        "patience": patience(PATIENCE_SECONDS),
        "person": MAX_RUNNING_A_PERSON,
        "organization": MAX_RUNNING_AN_ORGANIZATION,
        "process": MAX_RUNNING_A_PROCESS,
    }
    return [
        Violation(f"Turn {turn} is queued and nobody takes it.", "Is an interactive process running, and Redis?")
        for (turn,) in _rows(_FORGOTTEN, values)
    ]


def check_answers_end_with_their_turn() -> Sequence[Violation]:
    unfinished = Q(message__status__in=(MessageStatus.PENDING, MessageStatus.STREAMING))
    newest = Turn.objects.filter(message__turn=F("pk"), status__in=TERMINAL)
    return [
        Violation(
            f"Turn {turn.pk} is {turn.status}, its message {turn.message_id} is not.",
            "Stop the turn again in the admin; if that does not help, report it with the turn's id.",
        )
        for turn in newest.filter(unfinished)[:SHOWN]
    ]


def check_content_is_the_text_of_the_parts() -> Sequence[Violation]:
    rows = Message.objects.order_by("-pk").values_list("pk", "content", "parts")[:READ]
    wrong = [pk for pk, content, parts in rows.iterator(chunk_size=200) if content != text_of_parts(parts)]
    return [
        Violation(f"Message {pk}: content and parts differ.", "Report it with the message's id.")
        for pk in wrong[:SHOWN]
    ]


def check_streams_tell_what_is_stored() -> Sequence[Violation]:
    """Of the answers that have just ended: what clients were sent, while it is kept, is what the row says, byte for byte.

    A stream that Redis lost or cut is behind the row's seq; the final event told its readers the rest.
    """
    rows = Message.objects.filter(
        turn__status=TurnStatus.COMPLETED,
        turn__attempts=1,
        turn__is_continuation=False,
        turn__finished_at__gt=Now() - timedelta(seconds=STREAM_SECONDS),
        deleted_at=None,
    ).select_related("turn")
    violations = []
    for message in rows.order_by("-turn__finished_at")[:STREAMS_READ]:
        assert message.turn is not None
        stream = streams.rebuild(message.turn.pk)
        if not stream.is_gapless:
            violations.append(f"The stream of turn {message.turn.pk} has a gap.")
        elif stream.seq == message.turn.last_seq and stream.seq and text_of_parts(stream.parts) != message.content:
            violations.append(f"Message {message.pk} is not what the stream of turn {message.turn.pk} said.")
    return [Violation(each, "Report it with the ids.") for each in violations[:SHOWN]]


def check_calls_end_with_their_turn() -> Sequence[Violation]:
    rows = Turn.objects.filter(
        pk__in=llm.list_turns_with_open_calls(),
        status__in=TERMINAL,
        finished_at__lte=Now() - patience(PATIENCE_SECONDS),
    )
    return [
        Violation(f"Turn {turn} has ended, a call of it has not.", "Is a jobs process running? It closes lost calls.")
        for turn in rows.values_list("pk", flat=True)[:SHOWN]
    ]


def register() -> None:
    for name, promise, says, check in (
        ("numbers_gapless", "I1", "Messages are numbered without a gap.", check_numbers_gapless),
        ("acknowledged", "I1", "Every message that was accepted is there.", check_acknowledged_messages_exist),
        ("turns_begin", "I2", "No turn waits for nothing.", check_turns_begin),
        ("turns_end", "I2", "No turn runs without a live lease.", check_turns_end),
        ("answers_end", "I2", "An answer ends with its turn.", check_answers_end_with_their_turn),
        ("content_matches", "I3", "The text shown is the text stored.", check_content_is_the_text_of_the_parts),
        (
            "streams_match",
            "I3",
            "What clients were sent is what is stored, without a gap.",
            check_streams_tell_what_is_stored,
        ),
        ("calls_end", "I4", "A turn's calls end with it.", check_calls_end_with_their_turn),
    ):
        full = f"conversations.{name}"
        invariants.register(full, Invariant(full, promise, says, check))
