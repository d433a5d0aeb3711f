"""What the context panel says about a conversation, beside its messages."""

from datetime import UTC, datetime

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.conversations import services
from apps.conversations.models import Message
from tests.conversations.factories import say, start

pytestmark = pytest.mark.django_db


@pytest.fixture
def panel(ines):
    client = Client()
    client.force_login(User.objects.get(pk=ines.user_id))

    def read(conversation, tab):
        answered = client.get(f"/c/{conversation.pk}/context/{tab}/")
        assert answered.status_code == 200
        return answered.content.decode()

    return read


def test_imported_conversation_says_so_and_when_it_began(ines, project, panel):
    source = start(ines, project)
    said = say(ines, source).message
    Message.objects.filter(pk=said.pk).update(created_at=datetime(2019, 3, 5, 12, tzinfo=UTC))
    document = services.export_json(conversation=source, viewer=ines)

    imported = services.import_conversation(actor=ines, project_id=project.pk, document=document)

    shown = panel(imported, "details")
    assert "<dt>Imported</dt>" in shown
    assert "as the file says" in shown
    assert "5 March 2019" in shown
    assert "Imported" not in panel(source, "details")


def test_private_conversation_of_a_project_of_one_says_that_nobody_can_be_invited(ines, project, panel):
    conversation = start(ines, project, visibility="private")

    shown = panel(conversation, "people")

    assert "There is nobody else in the project to invite." in shown
    assert "Everybody in the project" not in shown
