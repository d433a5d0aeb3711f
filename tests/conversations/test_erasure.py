from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from apps.accounts import selectors as accounts
from apps.accounts.types import SYSTEM
from apps.conversations import selectors, services
from apps.conversations.invariants import check_content_is_the_text_of_the_parts, check_numbers_gapless
from apps.conversations.models import Attachment, Conversation, Message, Participation, Turn
from apps.conversations.sweeps import erase_what_nobody_restored
from apps.conversations.types import ListFilter, TooLateToRestore
from apps.core.doors.file_access import file_access
from apps.core.models import Event
from apps.files import services as file_services
from apps.files.models import File, StorageUse
from tests.conversations.factories import answer, say, start

pytestmark = pytest.mark.django_db

LONG_AGO = timedelta(days=30, minutes=1)
JUST_IN_TIME = timedelta(days=29, hours=23)


@pytest.fixture
def conversation(ines):
    conversation = start(ines, accounts.visible_projects(ines).get(), title="Port")
    answer(say(ines, conversation, "Secret words"))
    services.pin_conversation(actor=ines, conversation_id=conversation.pk, pinned=True)
    return conversation


def deleted(rows, age):
    rows.update(deleted_at=timezone.now() - age)


def check_constraints():
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_conversation_is_restored_within_thirty_days_and_not_after(ines, conversation):
    services.delete_conversation(actor=ines, conversation_id=conversation.pk)
    deleted(Conversation.objects.filter(pk=conversation.pk), LONG_AGO)

    with pytest.raises(TooLateToRestore):
        services.restore_conversation(actor=ines, conversation_id=conversation.pk)

    assert not selectors.list_conversations(viewer=ines, only=ListFilter(deleted=True, archived=None)).exists()
    deleted(Conversation.objects.filter(pk=conversation.pk), JUST_IN_TIME)
    assert services.restore_conversation(actor=ines, conversation_id=conversation.pk).deleted_at is None


def test_message_is_restored_within_thirty_days_and_not_after(ines, conversation):
    message = Message.objects.get(number=1)
    services.delete_message(actor=ines, message_id=message.pk)
    deleted(Message.objects.filter(pk=message.pk), LONG_AGO)

    with pytest.raises(TooLateToRestore):
        services.restore_message(actor=ines, message_id=message.pk)

    assert Message.objects.get(pk=message.pk).deleted_at is not None


def test_sweep_erases_the_conversation_with_everything_that_was_said(ines, conversation):
    other = start(ines, conversation.project)
    answer(say(ines, other))
    fork = services.fork_conversation(actor=ines, conversation_id=conversation.pk)
    services.delete_conversation(actor=ines, conversation_id=conversation.pk)
    deleted(Conversation.objects.filter(pk=conversation.pk), LONG_AGO)

    erase_what_nobody_restored()
    check_constraints()

    for model in (Attachment, Participation, Turn, Message):
        assert not model.objects.filter(conversation=conversation.pk).exists()
    assert set(Conversation.objects.values_list("pk", "forked_from")) == {(other.pk, None), (fork.pk, None)}
    assert Message.objects.filter(conversation=other).count() == 2
    last = Event.objects.filter(topic=conversation.topic).order_by("-topic_position").first()
    assert (last.type, last.payload["messages"]) == ("conversations.conversation_erased", 2)


def test_sweep_erases_the_words_and_keeps_the_place(ines, conversation):
    kept, gone = Message.objects.order_by("number")[1], Message.objects.get(number=1)
    for message in (kept, gone):
        services.delete_message(actor=ines, message_id=message.pk)
    deleted(Message.objects.filter(pk=gone.pk), LONG_AGO)
    deleted(Message.objects.filter(pk=kept.pk), JUST_IN_TIME)

    assert services.erase_deleted(actor=SYSTEM) == 1
    assert services.erase_deleted(actor=SYSTEM) == 0

    assert Message.objects.values_list("content", "stored_parts").get(pk=gone.pk) == ("", [])
    assert Message.objects.get(pk=kept.pk).content == "Answer"
    assert list(check_numbers_gapless()) == list(check_content_is_the_text_of_the_parts()) == []


def upload(actor, project, name="a.txt", content=b"hello there"):
    return file_services.store_upload(actor=actor, project_id=project.pk, name=name, stream=io.BytesIO(content))


def aged(file):
    File.objects.filter(pk=file.pk).update(created_at=timezone.now() - timedelta(days=400))


def test_files_of_an_erased_conversation_go_unless_something_else_shows_them(ines, conversation):
    lost, kept = upload(ines, conversation.project), upload(ines, conversation.project, content=b"kept")
    say(ines, conversation, "See", attachments=[lost.pk, kept.pk])
    say(ines, start(ines, conversation.project), "Too", attachments=[kept.pk])
    services.delete_conversation(actor=ines, conversation_id=conversation.pk)
    deleted(Conversation.objects.filter(pk=conversation.pk), LONG_AGO)

    erase_what_nobody_restored()
    aged(lost)
    aged(kept)
    file_services.sweep()

    assert list(File.objects.values_list("pk", flat=True)) == [kept.pk]
    assert StorageUse.objects.get().used_bytes == kept.size


def test_files_of_erased_words_go(ines, conversation):
    file = upload(ines, conversation.project)
    posted = say(ines, conversation, "See", attachments=[file.pk])
    answer(posted)
    services.delete_message(actor=ines, message_id=posted.message.pk)
    deleted(Message.objects.filter(pk=posted.message.pk), LONG_AGO)

    erase_what_nobody_restored()
    aged(file)
    file_services.sweep()

    assert not File.objects.exists()


def test_deleted_file_is_erased_where_a_message_shows_it_and_holds_up_no_other(ines, conversation, monkeypatch):
    stuck, used, unused = (upload(ines, conversation.project, content=name) for name in (b"one", b"two", b"three"))
    posted = say(ines, conversation, "See", attachments=[stuck.pk, used.pk])
    answer(posted)
    for age, file in enumerate((unused, used, stuck), start=31):
        File.objects.filter(pk=file.pk).update(deleted_at=timezone.now() - timedelta(days=age))
    access = file_access.get("conversations")
    monkeypatch.setitem(file_access._items, "conversations", replace(access, let_go=lambda ids: None))
    file_services.sweep()
    assert set(File.objects.values_list("pk", flat=True)) == {stuck.pk, used.pk}
    monkeypatch.undo()

    file_services.sweep()
    fork = services.fork_conversation(actor=ines, conversation_id=conversation.pk)
    services.edit_message(actor=ines, message_id=posted.message.pk, content="See again")
    check_constraints()

    assert not File.objects.exists()
    assert StorageUse.objects.get().used_bytes == 0
    shown = Message.objects.get(conversation=fork, number=3)
    assert [part.get("name") for part in shown.parts] == ["a.txt", "a.txt", None]
    assert not Attachment.objects.exists()


@pytest.mark.parametrize("age", [None, JUST_IN_TIME], ids=["restored", "deleted lately"])
def test_erasure_asks_again_when_it_holds_the_row(ines, conversation, age):
    """The sweep chose it from a list; since then it was restored, or restored and deleted anew."""
    message = Message.objects.get(number=1)
    since = age and timezone.now() - age
    Conversation.objects.filter(pk=conversation.pk).update(deleted_at=since)
    Message.objects.filter(pk=message.pk).update(deleted_at=since)

    assert not services.erase_conversation(actor=SYSTEM, conversation_id=conversation.pk)
    assert not services.erase_words(actor=SYSTEM, message_id=message.pk)

    assert Conversation.objects.filter(pk=conversation.pk).exists()
    assert Message.objects.get(pk=message.pk).content == "Secret words"
    assert not Event.objects.filter(type__in=("conversations.conversation_erased", "conversations.message_changed"))
