"""What ``doctor`` says about sound conversations, and about broken ones."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from apps.accounts.types import SYSTEM
from apps.conversations import invariants, services
from apps.conversations.models import Conversation, Message, Turn
from apps.conversations.types import MAX_RUNNING_A_PERSON, MessageStatus
from tests.accounts.factories import ProjectFactory, actor_of
from tests.conversations.factories import answer, say, someone, start
from tests.llm.factories import CallAttemptFactory

pytestmark = pytest.mark.django_db

CHECKS = (
    invariants.check_numbers_gapless,
    invariants.check_turns_end,
    invariants.check_turns_start,
    invariants.check_calls_end_with_their_turn,
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


def waiting_for(minutes):
    """As if the installation had stood still since."""
    then = Now() - timedelta(minutes=minutes)
    Turn.objects.filter(status="completed").update(started_at=then, finished_at=then)
    Turn.objects.filter(status="queued").update(updated_at=then)


def test_turn_that_nobody_starts_is_found(posted):
    waiting_for(minutes=2)

    assert broken() == {"check_turns_start"}


@pytest.mark.parametrize("reason", ["just posted", "others start", "something runs above it", "no free place"])
def test_turn_that_waits_for_its_place_is_sound(posted, reason):
    actor = actor_of(posted.message.author)
    if reason == "something runs above it":
        services.claim_turn(actor=SYSTEM, turn_id=posted.turn.pk, worker="test")
        say(actor, Conversation.objects.get(), "Three")
    if reason == "no free place":
        for _each in range(MAX_RUNNING_A_PERSON):
            other = say(actor, start(actor, posted.message.conversation.project))
            services.claim_turn(actor=SYSTEM, turn_id=other.turn.pk, worker="test")
    if reason != "just posted":
        waiting_for(minutes=2)
    if reason in ("something runs above it", "no free place"):
        Turn.objects.filter(status="running").update(started_at=Now() - timedelta(minutes=2))
    if reason == "others start":
        Turn.objects.filter(status="completed").update(started_at=Now())

    assert broken() == set()


@pytest.mark.parametrize(("minutes", "found"), [(2, {"check_calls_end_with_their_turn"}), (0, set())])
def test_call_that_outlived_its_answer_is_found(posted, minutes, found):
    ended = Turn.objects.get(status="completed")
    Turn.objects.filter(pk=ended.pk).update(finished_at=Now() - timedelta(minutes=minutes))
    CallAttemptFactory(organization=ended.organization, turn_id=ended.pk)

    assert broken() == found


def test_answer_left_open_is_found(posted):
    Message.objects.filter(status=MessageStatus.COMPLETED, role="assistant").update(status=MessageStatus.STREAMING)

    assert broken() == {"check_answers_end_with_their_turn"}


def test_text_that_differs_is_found(posted):
    Message.objects.filter(content="Answer").update(content="Another answer")

    assert broken() == {"check_content_is_the_text_of_the_parts"}
