"""What the context panel says about a conversation, beside its messages."""

import pytest
from django.test import Client
from django.utils.formats import date_format

from apps.accounts.models import User
from apps.conversations import services
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


def test_imported_conversation_says_so_and_since_when(ines, project, panel):
    source = start(ines, project)
    say(ines, source)
    document = services.export_json(conversation=source, viewer=ines)

    imported = services.import_conversation(actor=ines, project_id=project.pk, document=document)

    shown = panel(imported, "details")
    assert "<dt>Imported</dt>" in shown
    assert "as the file says" in shown
    assert date_format(imported.created_at) in shown
    assert "<dt>Started</dt>" not in shown
    own = panel(source, "details")
    assert "<dt>Started</dt>" in own
    assert "mported" not in own


def test_private_conversation_of_a_project_of_one_says_that_nobody_can_be_invited(ines, project, panel):
    conversation = start(ines, project, visibility="private")

    shown = panel(conversation, "people")

    assert "There is nobody else in the organization to invite." in shown
    assert "Everybody in the project" not in shown
