from __future__ import annotations

import io
import re
from uuid import uuid4

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.accounts.types import SYSTEM, ProjectRole
from apps.conversations import selectors, services
from apps.conversations.models import Attachment, Conversation, Message, Participation, Turn
from apps.conversations.types import (
    ClientIdReused,
    ConversationArchived,
    ConversationNotFound,
    EmptyMessage,
    MessageTooLong,
    ParentElsewhere,
    TooManyAttachments,
    TooManyQueued,
    TurnStatus,
)
from apps.core.errors import Forbidden
from apps.core.models import Event
from apps.files.services import store_upload
from tests.accounts.factories import UserFactory, actor_of
from tests.conversations.factories import answer, say, someone, start
from tests.llm.factories import ModelFactory, ProviderFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def conversation(ines, project):
    return start(ines, project)


def test_post_message_appends_message_empty_answer_and_turn(ines, conversation):
    posted = say(ines, conversation, "Hello")

    numbers = list(Message.objects.order_by("number").values_list("number", "role", "status", "content"))
    assert numbers == [(1, "user", "completed", "Hello"), (2, "assistant", "pending", "")]
    assert posted.turn.status == TurnStatus.QUEUED
    assert posted.turn.message_id == posted.answer.pk
    conversation.refresh_from_db()
    assert (conversation.last_number, conversation.head_id, conversation.is_linear) == (2, posted.answer.pk, True)
    events = list(Event.objects.order_by("topic_position").values_list("type", "topic_position"))
    assert events == [("conversations.conversation_started", 1), ("conversations.message_posted", 2)]


def test_post_message_same_client_id_same_content_gives_first_result(ines, conversation):
    client_id = uuid4()

    first = say(ines, conversation, "Once", client_id=client_id)
    second = say(ines, conversation, "Once", client_id=client_id)

    assert (second.message.pk, second.turn.pk, second.is_repeat) == (first.message.pk, first.turn.pk, True)
    assert Message.objects.count() == 2


def test_post_message_same_client_id_other_parent_is_refused(ines, conversation):
    client_id = uuid4()
    first = say(ines, conversation, "First")
    second = say(ines, conversation, "Once", client_id=client_id, parent_id=first.answer.pk)

    with pytest.raises(ClientIdReused):
        say(ines, conversation, "Once", client_id=client_id, parent_id=second.answer.pk)

    assert say(ines, conversation, "Once", client_id=client_id, parent_id=first.answer.pk).is_repeat
    assert say(ines, conversation, "Once", client_id=client_id).is_repeat
    assert Message.objects.count() == 4


def test_post_message_same_client_id_other_model_is_refused(ines, conversation):
    client_id = uuid4()
    provider = ProviderFactory(organization=conversation.organization)
    small, large = ModelFactory(provider=provider), ModelFactory(provider=provider)
    say(ines, conversation, "Once", client_id=client_id, model=str(small.pk))

    with pytest.raises(ClientIdReused):
        say(ines, conversation, "Once", client_id=client_id, model=str(large.pk))

    assert say(ines, conversation, "Once", client_id=client_id, model=small.name).is_repeat
    assert Turn.objects.get().model_id == small.pk


def test_edit_message_same_client_id_for_another_message_is_refused(ines, conversation):
    first, second, client_id = say(ines, conversation, "First"), say(ines, conversation, "Second"), uuid4()
    services.edit_message(actor=ines, message_id=first.message.pk, content="Other", client_id=client_id)

    with pytest.raises(ClientIdReused):
        services.edit_message(actor=ines, message_id=second.message.pk, content="Other", client_id=client_id)

    again = services.edit_message(actor=ines, message_id=first.message.pk, content="Other", client_id=client_id)
    assert again.is_repeat


def test_post_message_with_too_many_files_says_so(ines, conversation):
    with pytest.raises(TooManyAttachments):
        say(ines, conversation, "All of them", attachments=[uuid4() for _number in range(11)])

    assert not Message.objects.exists()


def test_post_message_with_one_file_twice_is_repeated_like_any_other(ines, conversation):
    client_id = uuid4()
    file = store_upload(actor=ines, project_id=conversation.project_id, name="a.txt", stream=io.BytesIO(b"Words"))

    first = say(ines, conversation, "See", attachments=[file.pk, file.pk], client_id=client_id)
    again = say(ines, conversation, "See", attachments=[file.pk, file.pk], client_id=client_id)

    assert (again.is_repeat, again.message.pk) == (True, first.message.pk)
    assert Attachment.objects.count() == 1


def test_post_message_same_client_id_other_content_is_refused(ines, conversation):
    client_id = uuid4()
    say(ines, conversation, "Once", client_id=client_id)

    with pytest.raises(ClientIdReused):
        say(ines, conversation, "Twice", client_id=client_id)

    assert Message.objects.count() == 2


@pytest.mark.parametrize(
    ("content", "refusal"), [("", EmptyMessage), ("  \n", EmptyMessage), ("x" * 100_001, MessageTooLong)]
)
def test_post_message_refuses_empty_and_too_long(ines, conversation, content, refusal):
    with pytest.raises(refusal):
        say(ines, conversation, content)

    assert not Message.objects.exists()
    assert not Turn.objects.exists()


def test_post_message_stranger_finds_nothing_and_changes_nothing(conversation):
    stranger = actor_of(UserFactory())

    with pytest.raises(ConversationNotFound):
        say(stranger, conversation)

    assert not Message.objects.exists()


def test_post_message_viewer_is_refused(project, conversation):
    viewer = someone(project, ProjectRole.VIEWER)

    with pytest.raises(Forbidden):
        say(viewer, conversation)

    assert not Message.objects.exists()


def test_post_message_to_archived_conversation_changes_nothing(ines, conversation):
    services.archive_conversation(actor=ines, conversation_id=conversation.pk, archived=True)

    with pytest.raises(ConversationArchived):
        say(ines, conversation)

    assert not Message.objects.exists()


def test_post_message_with_parent_of_another_conversation_is_refused(ines, project, conversation):
    other = say(ines, start(ines, project))

    with pytest.raises(ParentElsewhere):
        say(ines, conversation, parent_id=other.message.pk)

    assert not Message.objects.filter(conversation=conversation).exists()


def test_post_message_while_answer_runs_waits_for_it(ines, conversation):
    first = say(ines, conversation, "One")
    second = say(ines, conversation, "Two")

    assert second.turn.after_turn_id == first.turn.pk
    assert second.message.parent_id == first.answer.pk
    assert services.claim_turn(actor=SYSTEM, turn_id=second.turn.pk, worker="test") is None
    answer(first)
    assert services.claim_turn(actor=SYSTEM, turn_id=second.turn.pk, worker="test") is not None


def test_post_message_queue_is_limited(ines, conversation):
    for number in range(20):
        say(ines, conversation, f"{number}")

    with pytest.raises(TooManyQueued):
        say(ines, conversation, "one too many")

    assert Turn.objects.count() == 20


def test_edit_message_makes_branch_and_keeps_the_old_words(ines, conversation):
    first = say(ines, conversation, "Old")
    answer(first)

    edited = services.edit_message(actor=ines, message_id=first.message.pk, content="New")

    conversation.refresh_from_db()
    assert conversation.is_linear is False
    path = selectors.list_path(conversation=conversation, leaf_id=conversation.head_id)
    assert [row.content for row in path] == ["New", ""]
    assert edited.message.is_edit is True
    siblings = selectors.sibling_ids(conversation=conversation, rows=path[:1])
    assert siblings == {edited.message.pk: [first.message.pk, edited.message.pk]}


def test_regenerate_answer_makes_sibling(ines, conversation):
    first = say(ines, conversation)
    kept = answer(first, "First")

    again = services.regenerate_answer(actor=ines, message_id=kept.pk)

    assert again.answer.parent_id == first.message.pk
    assert Message.objects.get(pk=kept.pk).content == "First"
    assert Conversation.objects.get().head_id == again.answer.pk


def test_chosen_branch_goes_on_with_what_others_say_in_it(ines, project, conversation):
    """A page that shows the branch shows what is added to its end: so must a fresh one."""
    daniel, greta = someone(project), someone(project)
    first = say(ines, conversation, "First")
    kept = answer(first)
    services.edit_message(actor=ines, message_id=first.message.pk, content="Otherwise")
    for person in (daniel, greta):
        services.choose_branch(actor=person, conversation_id=conversation.pk, message_id=kept.pk)

    more = say(greta, conversation, "More", parent_id=kept.pk)
    services.edit_message(actor=ines, message_id=first.message.pk, content="Otherwise again")

    conversation.refresh_from_db()
    assert selectors.active_leaf(conversation=conversation, user_id=daniel.user_id) == more.answer.pk
    assert selectors.active_leaf(conversation=conversation, user_id=greta.user_id) == conversation.head_id
    assert Participation.objects.get(user_id=daniel.user_id).last_read_number < more.answer.number


def test_words_go_to_the_branch_that_their_writer_saw(ines, project, conversation):
    """Whatever was edited, or switched to at another page, since that page was drawn."""
    daniel = someone(project)
    first = say(ines, conversation, "First")
    kept = answer(first)
    more = say(ines, conversation, "More", seen_id=first.message.pk)  # not the end: somebody else was quicker
    edited = services.edit_message(actor=ines, message_id=first.message.pk, content="Otherwise")

    assert more.message.parent_id == kept.pk
    late = say(daniel, conversation, "Later", seen_id=kept.pk)
    assert late.message.parent_id == more.answer.pk
    services.choose_branch(actor=daniel, conversation_id=conversation.pk, message_id=edited.answer.pk)
    again = say(daniel, conversation, "And again", seen_id=late.message.pk)
    assert again.message.parent_id == late.answer.pk
    assert say(daniel, conversation, "And now").message.parent_id == again.answer.pk
    elsewhere = say(ines, start(ines, project))
    with pytest.raises(ParentElsewhere):
        say(daniel, conversation, "Lost", seen_id=elsewhere.message.pk)


def test_page_of_another_branch_stays_there(ines, project, conversation):
    first = say(ines, conversation, "First")
    answer(first, "Kept")
    services.edit_message(actor=ines, message_id=first.message.pk, content="Otherwise")
    client = Client()
    client.force_login(User.objects.get(pk=ines.user_id))

    page = client.get(f"/c/{conversation.pk}/?message={first.message.pk}").content.decode()
    piece = client.get(f"/c/{conversation.pk}/messages/?before=9&leaf={first.message.pk}").content.decode()
    own = client.get(f"/c/{conversation.pk}/?message={uuid4()}").content.decode()

    shared = client.get(f"/c/{conversation.pk}/messages/").content.decode()
    services.archive_conversation(actor=ines, conversation_id=conversation.pk, archived=True)
    closed = client.get(f"/c/{conversation.pk}/?message={first.message.pk}").content.decode()
    goes_on = "What you write here goes on from it."
    assert (goes_on in page, goes_on in closed) == (True, False)
    assert "Another branch than yours is shown." in closed
    notice = '<p class="notice" data-conversation-target="otherBranch"'
    assert f'data-conversation-branch-value="{first.answer.pk}"' in page
    assert f'data-branch="{first.answer.pk}"' in piece
    assert f"{notice}>" in page
    assert f'href="/c/{conversation.pk}/">Back to your branch' in page
    assert "Kept" in page
    assert "Kept" in piece
    assert 'data-conversation-branch-value=""' in own
    assert 'data-branch=""' in shared
    assert f"{notice} hidden>" in own
    assert "Otherwise" in own


def is_told_to_go_on(client, actor, conversation, **query):
    """By the page and by its fragment alike."""
    client.force_login(User.objects.get(pk=actor.user_id))
    page = client.get(f"/c/{conversation.pk}/", query).content.decode()
    piece = client.get(f"/c/{conversation.pk}/messages/", query).content.decode()
    told = '<p class="notice" data-conversation-target="elsewhere">' in page
    assert ('data-elsewhere="true"' in page, 'data-elsewhere="true"' in piece) == (told, told)
    return told


def test_choose_branch_is_one_persons_head_until_they_post(client, ines, project, conversation):
    daniel = someone(project)
    first = say(ines, conversation)
    kept = answer(first, "First")
    again = services.regenerate_answer(actor=ines, message_id=kept.pk)

    assert not is_told_to_go_on(client, daniel, conversation)
    services.choose_branch(actor=daniel, conversation_id=conversation.pk, message_id=kept.pk)

    conversation.refresh_from_db()
    assert selectors.active_leaf(conversation=conversation, user_id=daniel.user_id) == kept.pk
    assert selectors.active_leaf(conversation=conversation, user_id=ines.user_id) == again.answer.pk
    assert is_told_to_go_on(client, daniel, conversation)
    assert not is_told_to_go_on(client, ines, conversation)
    assert not is_told_to_go_on(
        client, daniel, conversation, leaf=again.answer.pk
    )  # not one's own: that is said instead
    posted = say(daniel, conversation, "Further")
    conversation.refresh_from_db()
    assert not is_told_to_go_on(client, daniel, conversation)
    assert posted.message.parent_id == kept.pk
    assert selectors.active_leaf(conversation=conversation, user_id=daniel.user_id) == posted.answer.pk


def test_continue_answer_is_a_new_turn_on_the_same_message(ines, conversation):
    first = say(ines, conversation)
    stopped = answer(first, "Half an ans", status=TurnStatus.STOPPED)

    posted = services.continue_answer(actor=ines, message_id=stopped.pk)

    assert posted.turn.pk != first.turn.pk
    assert posted.turn.is_continuation is True
    assert Message.objects.count() == 2


@pytest.mark.parametrize(
    ("text", "offered"), [("Half an ans", ["continue", "retry"]), ("", ["retry"])], ids=["words", "no words"]
)
def test_failed_answer_with_words_can_be_continued_on_its_page(client, ines, conversation, text, offered):
    failed = answer(say(ines, conversation), text, status=TurnStatus.FAILED)
    client.force_login(User.objects.get(pk=ines.user_id))

    page = client.get(f"/c/{conversation.pk}/messages/{failed.pk}/").content.decode()

    notice = page.partition('<p class="notice" data-kind="bad">')[2].partition("</p>")[0]
    assert re.findall(r'data-action="message#(\w+)"', notice) == offered
    if text:
        assert services.continue_answer(actor=ines, message_id=failed.pk).turn.is_continuation


def test_private_conversation_is_hidden_from_the_project_until_invited(ines, project):
    daniel = someone(project)
    secret = start(ines, project, visibility="private")

    with pytest.raises(ConversationNotFound):
        say(daniel, secret)
    services.invite_participant(actor=ines, conversation_id=secret.pk, user_id=daniel.user_id)

    assert say(daniel, secret).message.number == 1


def test_edits_and_continuations_wait_in_the_same_queue_of_twenty(ines, conversation):
    first = say(ines, conversation, "First")
    stopped = answer(first, "Half", status=TurnStatus.STOPPED)
    for number in range(20):
        services.edit_message(actor=ines, message_id=first.message.pk, content=f"Again {number}")

    with pytest.raises(TooManyQueued):
        services.edit_message(actor=ines, message_id=first.message.pk, content="One too many")
    with pytest.raises(TooManyQueued):
        services.continue_answer(actor=ines, message_id=stopped.pk)

    assert Turn.objects.filter(conversation=conversation, status=TurnStatus.QUEUED).count() == 20
