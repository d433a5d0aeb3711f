from __future__ import annotations

import copy

import pytest

from apps.conversations import services
from apps.conversations.models import Conversation, Message
from apps.conversations.types import ImportRefused
from tests.accounts.factories import ProjectFactory
from tests.conversations.factories import answer, say, someone, start

pytestmark = pytest.mark.django_db


@pytest.fixture
def told():
    """A conversation with a branch, and who owns it."""
    project = ProjectFactory()
    ines = someone(project)
    conversation = start(ines, project, title="The port", tags=["Noir", "lisbon"])
    first = say(ines, conversation, "Who rewrites the manifests?")
    kept = answer(first, "Terminal **7**.")
    again = services.regenerate_answer(actor=ines, message_id=kept.pk)
    answer(again, "Nobody knows.")
    return ines, conversation


def test_export_import_export_has_an_equal_digest_in_another_organization(told):
    ines, conversation = told
    elsewhere = ProjectFactory()
    daniel = someone(elsewhere)
    exported = services.export_json(conversation=conversation, viewer=ines)

    imported = services.import_conversation(actor=daniel, project_id=elsewhere.pk, document=exported)

    again = services.export_json(conversation=imported, viewer=daniel)
    assert again["digest"] == exported["digest"]
    assert imported.organization_id == elsewhere.organization_id
    assert again["conversation"]["messages"][0]["author"].startswith("Person")


def test_export_markdown_is_the_path_of_the_viewer(told):
    ines, conversation = told
    conversation.refresh_from_db()

    text = services.export_markdown(conversation=conversation, viewer=ines)

    assert text.startswith("# The port\n")
    assert "Nobody knows." in text
    assert "Terminal **7**." not in text


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.update(format="other"),
        lambda d: d.update(version=2),
        lambda d: d.update(command="rm"),
        lambda d: d["conversation"].update(title=5),
        lambda d: d["conversation"].pop("tags"),
        lambda d: d["conversation"]["messages"][1].update(parent=9),
        lambda d: d["conversation"]["messages"][1].update(position=1),
        lambda d: d["conversation"]["messages"][0].update(role="root"),
        lambda d: d["conversation"]["messages"][0]["parts"][0].update(text="changed"),
        lambda d: d["conversation"]["messages"][0].update(parts=[{"type": "script"}]),
        lambda d: d.update(files={"0" * 64: "aGFsbG8="}),
    ],
)
def test_import_of_a_damaged_document_changes_nothing(told, damage):
    ines, conversation = told
    document = copy.deepcopy(services.export_json(conversation=conversation, viewer=ines))
    damage(document)
    conversations, messages = Conversation.objects.count(), Message.objects.count()

    with pytest.raises(ImportRefused):
        services.import_conversation(actor=ines, project_id=conversation.project_id, document=document)

    assert (Conversation.objects.count(), Message.objects.count()) == (conversations, messages)


def test_fork_copies_the_path_and_leaves_the_source_alone(told):
    ines, conversation = told
    conversation.refresh_from_db()

    fork = services.fork_conversation(actor=ines, conversation_id=conversation.pk)

    contents = list(Message.objects.filter(conversation=fork).order_by("number").values_list("content", flat=True))
    assert contents == ["Who rewrites the manifests?", "Nobody knows."]
    assert fork.forked_from_id == conversation.pk
    assert Message.objects.filter(conversation=conversation).count() == 3
