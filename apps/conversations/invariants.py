"""What must always be true of conversations (promises I1, I2 and I3)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.db.models import Count, F, Max, Q
from django.db.models.functions import Now

from apps.conversations import turn_order
from apps.conversations.models import Message, Turn
from apps.conversations.types import TERMINAL, MessageStatus, TurnStatus, text_of_parts
from apps.core.doors.invariants import Invariant, Violation, invariants
from apps.core.leases import scaled
from apps.llm import selectors as ledger

PATIENCE_SECONDS = 60.0
SHOWN = 20
#: Rows that are compared in one run: the newest.
READ = 2000


def check_numbers_gapless() -> Sequence[Violation]:
    """A deleted message keeps its row, so numbers never have holes."""
    counts = Message.objects.values("conversation", "conversation__last_number").annotate(
        there=Count("pk"), top=Max("number")
    )
    wrong = counts.exclude(there=F("top"), top=F("conversation__last_number"))[:SHOWN]
    return [
        Violation(
            f"Conversation {row['conversation']} has {row['there']} messages, the highest number is {row['top']},"
            f" it counts to {row['conversation__last_number']}.",
            "Rows were removed or restored by hand: restore the conversation from a backup or an export.",
        )
        for row in wrong
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


def check_turns_start() -> Sequence[Violation]:
    """Waiting is no fault while others take their places; nobody starting at all for a minute is one."""
    patience = timedelta(seconds=scaled(PATIENCE_SECONDS))
    if Turn.objects.filter(Q(started_at__gt=Now() - patience) | Q(finished_at__gt=Now() - patience)).exists():
        return []
    return [
        Violation(f"Turn {pk} waits although there is a place for it.", "Is an interactive process running?")
        for pk in turn_order.list_startable(older_than=patience, limit=SHOWN)
    ]


def check_calls_end_with_their_turn() -> Sequence[Violation]:
    since = Now() - timedelta(seconds=scaled(PATIENCE_SECONDS))
    ended = Turn.objects.filter(status__in=TERMINAL, finished_at__lte=since).order_by("-finished_at")
    turn_ids = list(ended.values_list("pk", flat=True)[:READ])
    return [
        Violation(
            f"Turn {turn_id} has ended, its call {pk} has not.",
            "Is a jobs process running? It closes lost calls, and gives back what they had reserved.",
        )
        for pk, turn_id in ledger.list_open_calls(turn_ids=turn_ids)[:SHOWN]
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
    """Of what is sensitive there is neither."""
    rows = Message.objects.order_by("-pk").values_list("pk", "content", "stored_parts", "is_sensitive")[:READ]
    wrong = [
        pk
        for pk, content, parts, is_sensitive in rows.iterator(chunk_size=200)
        if content != text_of_parts(parts) or (is_sensitive and parts)
    ]
    return [
        Violation(f"Message {pk}: content and parts differ.", "Report it with the message's id.")
        for pk in wrong[:SHOWN]
    ]


def register() -> None:
    for name, promise, says, check in (
        ("numbers_gapless", "I1", "Messages are numbered without a gap.", check_numbers_gapless),
        ("turns_end", "I2", "No turn runs without a live lease.", check_turns_end),
        ("turns_start", "I2", "No turn waits while there is a place for it.", check_turns_start),
        ("calls_end", "I4", "The calls of an answer end with it.", check_calls_end_with_their_turn),
        ("answers_end", "I2", "An answer ends with its turn.", check_answers_end_with_their_turn),
        ("content_matches", "I3", "The text shown is the text stored.", check_content_is_the_text_of_the_parts),
    ):
        full = f"conversations.{name}"
        invariants.register(full, Invariant(full, promise, says, check))
