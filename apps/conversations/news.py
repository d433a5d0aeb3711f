"""Who is told that their list of conversations has changed: one announcement for each posting, however many look on.

A conversation that all of a project see is news of the project, and of those who were let in beside it. A private one is told to its people alone: that it is there, and
how busy it is, is nobody else's. News are hints; they hold no words, and whoever missed one finds out at the next look.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal
from uuid import UUID

from django.db import transaction

from apps.conversations import selectors
from apps.conversations.events import (
    ConversationArchived,
    ConversationChanged,
    ConversationDeleted,
    ConversationRestored,
    ConversationStarted,
    MessagePosted,
    ParticipantAdded,
    ParticipantRemoved,
    TurnQueued,
)
from apps.conversations.models import Conversation
from apps.conversations.types import Visibility
from apps.live.bells import tell_news

# ``words``: there is more to read. ``list``: it came, went, or is called otherwise. ``read``: its reader saw it elsewhere.
Change = Literal["words", "list", "read"]

WORDS = (MessagePosted, TurnQueued)
LISTED = (
    ConversationStarted,
    ConversationArchived,
    ConversationDeleted,
    ConversationRestored,
    ParticipantAdded,
    ParticipantRemoved,
)
LISTED_FIELDS = {"title", "visibility", "archived"}


def tell_list_later(conversation: Conversation, fact: Any) -> None:
    """After commit, when ``fact`` is one that shows in a list."""
    change: Change
    if isinstance(fact, WORDS):
        change = "words"
    elif isinstance(fact, LISTED) or (isinstance(fact, ConversationChanged) and LISTED_FIELDS & set(fact.fields)):
        change = "list"
    else:
        return
    was_seen_by_all = isinstance(fact, ConversationChanged) and "visibility" in fact.fields
    transaction.on_commit(lambda: _tell_list(conversation, change, was_seen_by_all=was_seen_by_all), robust=True)


def _tell_list(conversation: Conversation, change: Change, *, was_seen_by_all: bool) -> None:
    topics = []
    if conversation.visibility != Visibility.PRIVATE or was_seen_by_all:
        topics.append(f"project:{conversation.project_id}")
    if conversation.visibility == Visibility.PRIVATE:
        topics.append(f"user:{conversation.owner_id}")
    if getattr(conversation, "has_grants", True) or change == "list":
        topics += [f"user:{user_id}" for user_id in selectors.list_people_with_grants(conversation)]
    tell_news(topics, about="conversation", object_id=conversation.pk, change=change)


def tell_people_later(people: Iterable[UUID], conversation: Conversation, change: Change) -> None:
    """Who was let in, or kept out: the conversation came to their lists, or went."""
    topics = [f"user:{user_id}" for user_id in people]
    transaction.on_commit(
        lambda: tell_news(topics, about="conversation", object_id=conversation.pk, change=change), robust=True
    )


def tell_person_later(user_id: UUID | None, conversation: Conversation, change: Change) -> None:
    """What one person has with it has changed: their other pages show it too."""
    transaction.on_commit(
        lambda: tell_news([f"user:{user_id}"], about="conversation", object_id=conversation.pk, change=change),
        robust=True,
    )
