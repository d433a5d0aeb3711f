"""A fork tells of its messages what the conversation it comes from tells, and nothing is spent again."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models import F
from django.test import Client

from apps.accounts.models import User
from apps.conversations import presentation, selectors, services
from apps.conversations.models import Message, Turn
from apps.conversations.selectors.turns import count_asked
from apps.conversations.types import TurnStatus
from apps.llm.models import CallAttempt
from tests.conversations.factories import answer, say, start

pytestmark = pytest.mark.django_db

OWN = {"id", "conversation", "message", "attempts", "correlation_id"}
YEARS = timedelta(days=999)


@pytest.fixture
def conversation(ines, project):
    """Of a month ago: the question was edited, the answer to the new one was stopped and cost something."""
    conversation = start(ines, project, title="The port", tags=["Noir", "lisbon"])
    first = say(ines, conversation, "Who rewrites the manifests?")
    answer(first, "Nobody knows.")
    edited = services.edit_message(actor=ines, message_id=first.message.pk, content="Who rewrites them?")
    stopped = answer(edited, "Terminal", status=TurnStatus.STOPPED)
    Turn.objects.filter(message=stopped).update(
        cost=Decimal("0.0012"),
        currency="USD",
        provider_name="stub",
        stopped_by=ines.user_id,
        started_at=F("finished_at") - timedelta(milliseconds=1500),
    )
    for model in (Message, Turn):
        model.objects.update(created_at=F("created_at") - timedelta(days=30))
    conversation.refresh_from_db()
    return conversation


def messages_of(conversation):
    return list(selectors.list_path(conversation=conversation, leaf_id=conversation.head_id))


def test_fork_copies_the_path_and_leaves_the_source_alone(ines, conversation):
    fork = services.fork_conversation(actor=ines, conversation_id=conversation.pk)

    assert [row.content for row in messages_of(fork)] == ["Who rewrites them?", "Terminal"]
    assert fork.forked_from_id == conversation.pk
    assert Message.objects.filter(conversation=conversation).count() == 4


def test_fork_says_when_it_was_said_what_it_took_and_how_it_ended(ines, conversation):
    was = messages_of(conversation)

    now = messages_of(services.fork_conversation(actor=ines, conversation_id=conversation.pk))

    assert [(row.created_at, row.is_edit) for row in now] == [(row.created_at, row.is_edit) for row in was]
    assert [row.is_edit for row in now] == [True, False]
    source, copied = presentation.turn_data(was[1].turn), presentation.turn_data(now[1].turn)
    assert {name: copied[name] for name in copied.keys() - OWN} == {name: source[name] for name in source.keys() - OWN}
    assert (copied["usage"]["cost"], copied["seconds"], copied["reason"]) == ("0.0012", 1.5, "test")
    assert copied["stopped_by"]["id"] == str(ines.user_id)


def test_fork_spends_nothing_and_counts_for_no_limit(ines, conversation):
    calls, asked = CallAttempt.objects.count(), count_asked(ines.user_id, conversation.organization_id, YEARS)

    fork = services.fork_conversation(actor=ines, conversation_id=conversation.pk)

    assert (fork.input_tokens, fork.output_tokens, fork.cost, fork.answer_seconds) == (0, 0, 0, 0)
    assert CallAttempt.objects.count() == calls
    assert count_asked(ines.user_id, conversation.organization_id, YEARS) == asked == 2


def test_stopped_answer_goes_on_in_the_fork(ines, conversation):
    fork = services.fork_conversation(actor=ines, conversation_id=conversation.pk)

    again = services.continue_answer(actor=ines, message_id=fork.head_id)

    assert again.turn.is_continuation
    assert answer(again, "Terminal **7**.").content == "Terminal **7**."


def test_answer_without_a_turn_does_not_offer_to_go_on(ines, conversation):
    client = Client()
    client.force_login(User.objects.get(pk=ines.user_id))

    def offers():
        return b'data-action="message#continue"' in client.get(f"/c/{conversation.pk}/").content

    before = offers()
    Message.objects.filter(pk=conversation.head_id).update(turn=None)  # as an import leaves it that brings none

    assert (before, offers()) == (True, False)
