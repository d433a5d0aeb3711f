"""What ``doctor`` says about sound conversations, and about broken ones."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from apps.accounts.types import SYSTEM
from apps.conversations import invariants, services
from apps.conversations.models import Conversation, Message, Turn
from apps.conversations.types import MessageStatus
from tests.accounts.factories import ProjectFactory
from tests.conversations.factories import answer, say, someone, start

pytestmark = pytest.mark.django_db

CHECKS = (
    invariants.check_numbers_gapless,
    invariants.check_turns_end,
    invariants.check_answers_end_with_their_turn,
    invariants.check_content_is_the_text_of_the_parts,
)


@pytest.fixture
def posted():
    project = ProjectFactory()
    actor = someone(project)
    conversation = start(actor, project)
    answer(say(actor, conversation, "One"))
    return say(actor, Conversation.objects.get(), "Two")


def broken():
    return {check.__name__ for check in CHECKS if check()}


def test_sound_conversation_passes(posted):
    services.claim_turn(actor=SYSTEM, turn_id=posted.turn.pk, worker="test")

    assert broken() == set()


def test_missing_number_is_found(posted):
    Conversation.objects.update(last_number=9)

    assert broken() == {"check_numbers_gapless"}


def test_turn_of_a_dead_worker_is_found(posted):
    services.claim_turn(actor=SYSTEM, turn_id=posted.turn.pk, worker="test")
    Turn.objects.filter(pk=posted.turn.pk).update(lease_until=Now() - timedelta(minutes=2))

    assert broken() == {"check_turns_end"}


def test_answer_left_open_is_found(posted):
    Message.objects.filter(status=MessageStatus.COMPLETED, role="assistant").update(status=MessageStatus.STREAMING)

    assert broken() == {"check_answers_end_with_their_turn"}


def test_text_that_differs_is_found(posted):
    Message.objects.filter(content="Answer").update(content="Another answer")

    assert broken() == {"check_content_is_the_text_of_the_parts"}
