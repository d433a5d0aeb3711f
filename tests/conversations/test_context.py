from __future__ import annotations

import io

import pytest

from apps.accounts.types import SYSTEM
from apps.conversations import context, services
from apps.files import services as file_services
from apps.llm.types import ImageContent, KnowledgeContent, TextContent
from tests.conversations.factories import answer, say, start
from tests.files import samples

pytestmark = pytest.mark.django_db


@pytest.fixture
def conversation(ines, project):
    return start(ines, project)


def show(actor, conversation, name, content):
    file = file_services.store_upload(
        actor=actor, project_id=conversation.project_id, name=name, stream=io.BytesIO(content)
    )
    return say(actor, conversation, f"See {name}", attachments=[file.pk])


def read(posted):
    held = services.claim_turn(actor=SYSTEM, turn_id=posted.turn.pk, worker="test")
    return context.read_context(held).messages


def test_documents_count_and_the_newest_messages_are_given(ines, conversation):
    for number in range(8):
        answer(show(ines, conversation, f"{number}.txt", (f"{number}" * 70_000).encode()), "Read")
    messages = read(say(ines, conversation, "And now?"))

    documents = [part for message in messages for part in message.parts if isinstance(part, KnowledgeContent)]

    assert [document.title for document in documents] == ["2.txt", "3.txt", "4.txt", "5.txt", "6.txt", "7.txt"]
    assert sum(len(document.text) for document in documents) == 360_000
    assert messages[0].text == "Read"
    assert messages[-1].text == "And now?"


def test_pictures_beyond_the_room_for_them_are_named(ines, conversation, monkeypatch):
    picture = samples.image()
    monkeypatch.setattr(context, "MAX_IMAGE_BYTES", 2 * len(picture))
    for number in range(3):
        answer(show(ines, conversation, f"{number}.png", picture), "Seen")
    messages = read(say(ines, conversation, "And now?"))

    shown = [message.parts[0] for message in messages if len(message.parts) > 1]

    assert shown[0] == TextContent("[The picture 0.png was shown earlier.]")
    assert [part.name for part in shown[1:] if isinstance(part, ImageContent)] == ["1.png", "2.png"]


def test_last_message_is_given_however_long(ines, conversation, monkeypatch):
    monkeypatch.setattr(context, "MAX_CONTEXT_CHARACTERS", 10)
    answer(say(ines, conversation, "First"), "Answer")

    messages = read(say(ines, conversation, "Longer than ten characters"))

    assert [message.text for message in messages] == ["Longer than ten characters"]
