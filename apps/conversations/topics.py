"""Conversations as live topics: who may follow, the state now, and each event as this viewer may see it."""

from __future__ import annotations

import contextlib
from collections.abc import Hashable, Sequence
from typing import Any
from uuid import UUID

from apps.conversations import policies, presentation, selectors
from apps.conversations.models import Message, Turn
from apps.core.doors.topics import Snapshot, TopicEvent
from apps.core.errors import NotFound
from apps.core.events import topic_position

SNAPSHOT_MESSAGES = 50
ABOUT_IT = ("conversations.conversation_", "conversations.participant_", "conversations.link_")


class ConversationTopic:
    """Registered as ``conversation``. Rendering reads the rows as they are now: later events say the same again."""

    def is_allowed(self, viewer: Any, object_id: UUID) -> bool:
        return selectors.is_visible(conversation_id=object_id, viewer=viewer)

    def may_write(self, viewer: Any, object_id: UUID) -> bool:
        try:
            conversation = selectors.get_conversation(conversation_id=object_id, viewer=viewer)
        except NotFound:
            return False
        return policies.can_post(viewer, conversation, access=selectors.access_to(conversation, viewer))

    def snapshot(self, viewer: Any, object_id: UUID) -> Snapshot:
        """The position is read first: what happens meanwhile comes again as an event, and is the same."""
        position = topic_position(f"conversation:{object_id}")
        conversation, mine = selectors.get_with_mark(conversation_id=object_id, viewer=viewer)
        leaf = (mine.head_id if mine else None) or conversation.head_id
        rows = selectors.list_path(
            conversation=conversation, leaf_id=leaf, before=conversation.last_number + 1, limit=SNAPSHOT_MESSAGES
        )
        data = {
            "conversation": presentation.conversation_data(conversation, mine),
            "leaf": str(leaf) if leaf else None,
            "messages": [presentation.message_data(row) for row in rows],
        }
        return Snapshot(position, data, tuple(self.running_turns(object_id)))

    def resume(self, viewer: Any, object_id: UUID, after: int) -> list[TopicEvent] | None:
        return selectors.list_events_for(conversation_id=object_id, viewer=viewer, after=after)

    def audience(self, viewer: Any, object_id: UUID, events: Sequence[TopicEvent]) -> Hashable:
        """Messages and turns are the same for all; the conversation itself says what its reader has not read."""
        return viewer if any(each.type.startswith(ABOUT_IT) for each in events) else "all"

    def running_turns(self, object_id: UUID) -> Sequence[UUID]:
        return [turn.pk for turn in selectors.list_active_turns(conversation_id=object_id)]

    def render(self, viewer: Any, object_id: UUID, events: Sequence[TopicEvent]) -> list[dict[str, Any]]:
        """One query for messages with their turns, one where the conversation itself has changed, however many events."""
        message_ids = {
            UUID(each.payload[key]) for each in events for key in ("message_id", "answer_id") if each.payload.get(key)
        }
        found = {str(row.pk): row for row in selectors.list_messages(conversation_id=object_id, ids=message_ids)}
        turns = {str(row.turn.pk): row.turn for row in found.values() if row.turn is not None}
        turn_ids = {each.payload["turn_id"] for each in events if each.payload.get("turn_id")} - turns.keys()
        for turn in selectors.list_turns(conversation_id=object_id, ids=map(UUID, turn_ids)):
            turns[str(turn.pk)] = turn  # an earlier one of a message that was continued since
        conversation = None
        if any(each.type.startswith(ABOUT_IT) for each in events):
            with contextlib.suppress(NotFound):
                row, mine = selectors.get_with_mark(conversation_id=object_id, viewer=viewer)
                conversation = presentation.conversation_data(row, mine)
        return [self._one(each, found, turns, conversation) for each in events]

    def _one(
        self,
        event: TopicEvent,
        messages: dict[str, Message],
        turns: dict[str, Turn],
        conversation: dict[str, Any] | None,
    ) -> dict[str, Any]:
        data: dict[str, Any] = dict(event.payload)
        if message := messages.get(event.payload.get("message_id", "")):
            data["message"] = presentation.message_data(message)
        if answer := messages.get(event.payload.get("answer_id") or ""):
            data["answer"] = presentation.message_data(answer)
        if turn := turns.get(event.payload.get("turn_id") or ""):
            data["turn"] = presentation.turn_data(turn)
        if event.type.startswith(ABOUT_IT) and conversation is not None:
            data["conversation"] = conversation
        return data
