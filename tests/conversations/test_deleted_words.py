"""A deleted message is nowhere: not for the model, not in an export, a search, a page, a fork or a file; restored it is back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.accounts.types import SYSTEM, Actor, ProjectRole
from apps.conversations import context, services
from apps.conversations.models import Conversation
from apps.conversations.services import Posted
from apps.conversations.topics import ConversationTopic
from apps.conversations.types import HeldTurn
from apps.core.doors.topics import TopicEvent
from apps.core.ids import uuid7
from tests.accounts.factories import bearer, key_of
from tests.conversations.factories import answer, say, someone, start
from tests.files.factories import upload

pytestmark = pytest.mark.django_db

QUESTION, ANSWER, FILED = "Quincunx lies in the locker", "Palimpsest, says the answer", "Zeugma stands in the file"
WORDS = {"quincunx": QUESTION, "palimpsest": ANSWER, "zeugma": FILED}


@dataclass
class Said:
    """One exchange with a file, a second question that is being answered, and somebody else who reads along."""

    ines: Actor
    conversation: Conversation
    first: Posted
    held: HeldTurn
    file_id: Any
    other: Client

    def neutral(self) -> str:
        """What the model is told."""
        return repr(context.read_context(self.held).messages)

    def markdown(self) -> str:
        return self.get(f"conversations/{self.conversation.pk}/export/", format="markdown")

    def archive(self) -> str:
        return self.get(f"conversations/{self.conversation.pk}/export/")

    def search(self) -> str:
        return "".join(self.get("search/", q=word) for word in WORDS)

    def snapshot(self) -> str:
        return json.dumps(ConversationTopic().snapshot(self.ines, self.conversation.pk).data, default=str)

    def events(self) -> str:
        """What the live channel says of the change, rendered for a reader."""
        told = [
            TopicEvent(
                uuid7(), number, "message.changed", "conversations.message_changed", {"message_id": str(pk)}, pk, None
            )
            for number, pk in enumerate((self.first.message.pk, self.first.answer.pk), start=1)
        ]
        return json.dumps(ConversationTopic().render(self.ines, self.conversation.pk, told), default=str)

    def page(self) -> str:
        return self.get(f"conversations/{self.conversation.pk}/messages/")

    def single(self) -> str:
        return self.get(f"messages/{self.first.message.pk}/") + self.get(f"messages/{self.first.answer.pk}/")

    def fork(self) -> str:
        """The words of a copy made now, as its own reader sees them."""
        copy = services.fork_conversation(actor=self.ines, conversation_id=self.conversation.pk)
        return self.get(f"conversations/{copy.pk}/messages/")

    def title(self) -> str:
        return repr(context.read_for_title(self.conversation.pk))

    def file(self) -> str:
        return self.get(f"attachments/{self.file_id}/download/")

    def get(self, path: str, **query: str) -> str:
        found = self.other.get(f"/api/v1/{path}", query)
        if found.status_code == 404:
            return ""
        assert found.status_code == 200, found.content
        return (b"".join(found) if found.streaming else found.content).decode()


@pytest.fixture
def said(ines, project) -> Said:
    conversation = start(ines, project)
    file = upload(User.objects.get(pk=ines.user_id), project, FILED.encode(), "zeugma.txt")
    first = say(ines, conversation, QUESTION, attachments=[file.pk])
    answer(first, ANSWER)
    second = say(ines, conversation, "And then?")
    held = services.claim_turn(actor=SYSTEM, turn_id=second.turn.pk, worker="test")
    reader = User.objects.get(pk=someone(project, ProjectRole.EDITOR).user_id)
    other = Client(headers=bearer(key_of(reader, organization=project.organization)))
    return Said(ines, conversation, first, held, file.pk, other)


#: Reading → what of the deleted exchange it tells while it is there.
READINGS = {
    "neutral": {"quincunx", "palimpsest", "zeugma"},
    "markdown": {"quincunx", "palimpsest", "zeugma"},
    "archive": {"quincunx", "palimpsest", "zeugma"},
    "search": {"quincunx", "palimpsest"},
    "snapshot": {"quincunx", "palimpsest", "zeugma"},
    "events": {"quincunx", "palimpsest", "zeugma"},
    "page": {"quincunx", "palimpsest", "zeugma"},
    "single": {"quincunx", "palimpsest", "zeugma"},
    "fork": {"quincunx", "palimpsest", "zeugma"},
    "title": {"quincunx", "palimpsest"},
    "file": {"zeugma"},
}


def told(said: Said, reading: str) -> set[str]:
    text = getattr(said, reading)().lower()
    return {word for word in WORDS if word in text}


@pytest.mark.parametrize("reading", READINGS)
def test_deleted_message_is_nowhere(said, reading):
    assert told(said, reading) == READINGS[reading]

    for message in (said.first.message, said.first.answer):
        services.delete_message(actor=said.ines, message_id=message.pk)
    assert told(said, reading) == set()

    for message in (said.first.message, said.first.answer):
        services.restore_message(actor=said.ines, message_id=message.pk)
    assert told(said, reading) == READINGS[reading]
