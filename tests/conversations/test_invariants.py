"""What ``doctor`` says about sound conversations, and about broken ones."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now

from apps.accounts.models import Project, User
from apps.accounts.types import SYSTEM
from apps.conversations import invariants, services
from apps.conversations.models import Conversation, Message, Turn
from apps.conversations.types import MAX_RUNNING_A_PERSON, Ending, MessageStatus, TurnStatus
from apps.core import redis
from apps.core.ids import uuid7
from apps.llm.models import CallAttempt
from tests.accounts.factories import ProjectFactory, actor_of
from tests.conversations.factories import answer, say, someone, start

pytestmark = pytest.mark.django_db

CHECKS = (
    invariants.check_acknowledged_messages_exist,
    invariants.check_calls_end_with_their_turn,
    invariants.check_streams_tell_what_is_stored,
    invariants.check_turns_begin,
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


def wait(turn_id, **since):
    """As if that long had passed; ``update`` leaves ``updated_at`` alone otherwise."""
    Turn.objects.filter(pk=turn_id).update(updated_at=Now() - timedelta(**since))


def test_conversation_that_lost_all_its_messages_is_found():
    project = ProjectFactory()
    conversation = start(someone(project), project)
    Conversation.objects.filter(pk=conversation.pk).update(last_number=2)

    assert broken() == {"check_numbers_gapless"}


def test_accepted_message_that_is_gone_is_found_although_the_numbers_add_up(posted):
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        cursor.execute(
            "INSERT INTO core_event (id, topic, topic_position, type, version, actor_kind, subject_type, payload, is_refusal,"
            " correlation_id, depth) VALUES (%s, %s, 99, 'conversations.message_posted', 1, 'member', 'message',"
            " jsonb_build_object('message_id', %s::text, 'number', 9, 'answer_id', null), false, '', 0)",
            [uuid7(), Conversation.objects.get().topic, lost := uuid7()],
        )

    assert broken() == {"check_acknowledged_messages_exist"}
    assert str(lost) in invariants.check_acknowledged_messages_exist()[0].detail


def test_turn_that_nobody_takes_is_found(posted):
    wait(posted.turn.pk, minutes=2)

    assert broken() == {"check_turns_begin"}
    assert str(posted.turn.pk) in invariants.check_turns_begin()[0].detail


def test_turn_that_has_waited_less_than_a_minute_is_fine(posted):
    wait(posted.turn.pk, seconds=50)

    assert broken() == set()


def test_turn_behind_an_answer_that_is_written_waits_rightly(posted):
    services.claim_turn(actor=SYSTEM, turn_id=posted.turn.pk, worker="test")
    actor = actor_of(User.objects.get(pk=posted.message.author_id))
    later = say(actor, Conversation.objects.get(), "Three", parent_id=posted.answer.pk)
    wait(later.turn.pk, minutes=9)

    assert broken() == set()

    finish(posted)

    assert broken() == set()

    Turn.objects.filter(pk=posted.turn.pk).update(finished_at=Now() - timedelta(minutes=2))

    assert broken() == {"check_turns_begin"}


def finish(posted):
    turn = Turn.objects.get(pk=posted.turn.pk)
    ending = Ending(TurnStatus.COMPLETED, [{"type": "text", "text": "Done"}], model="m")
    services.finish_turn(actor=SYSTEM, turn_id=turn.pk, fence=turn.fence, ending=ending)


def test_turn_of_somebody_whose_places_are_taken_waits_rightly(posted):
    actor = actor_of(User.objects.get(pk=posted.message.author_id))
    wait(posted.turn.pk, minutes=9)
    for _ in range(MAX_RUNNING_A_PERSON):
        other = say(actor, start(actor, Project.objects.get()))
        assert services.claim_turn(actor=SYSTEM, turn_id=other.turn.pk, worker="test")

    assert broken() == set()

    Turn.objects.exclude(pk=posted.turn.pk).filter(status=TurnStatus.RUNNING).update(
        status=TurnStatus.STOPPED, finished_at=Now() - timedelta(minutes=2)
    )

    assert "check_turns_begin" in broken()


def streamed(posted, *pieces):
    """What the worker of this turn sent, as Redis keeps it."""
    for number, piece in enumerate(pieces, 1):
        entry = {"seq": number, "part": 0, "type": "text", "text": piece}
        redis.client().xadd(redis.key("turn", posted.turn.pk), {"d": json.dumps(entry)}, id=f"1-{number}")


def ended(posted, text, seq):
    services.claim_turn(actor=SYSTEM, turn_id=posted.turn.pk, worker="test")
    ending = Ending(TurnStatus.COMPLETED, [{"type": "text", "text": text}], model="m")
    services.finish_turn(actor=SYSTEM, turn_id=posted.turn.pk, fence=1, ending=ending, seq=seq)


def test_answer_that_differs_from_what_was_streamed_is_found(posted):
    streamed(posted, "Hel", "lo")
    ended(posted, "Hello", seq=2)
    assert broken() == set()

    Message.objects.filter(pk=posted.answer.pk).update(content="Hullo", parts=[{"type": "text", "text": "Hullo"}])

    assert broken() == {"check_streams_tell_what_is_stored"}


def test_stream_that_redis_lost_the_end_of_is_fine(posted):
    streamed(posted, "Hel")
    ended(posted, "Hello", seq=2)

    assert broken() == set()


def test_gap_in_a_stream_is_found(posted):
    streamed(posted, "Hel", "l", "o")
    redis.client().xdel(redis.key("turn", posted.turn.pk), "1-2")
    ended(posted, "Hello", seq=3)

    assert broken() == {"check_streams_tell_what_is_stored"}
    assert str(posted.turn.pk) in invariants.check_streams_tell_what_is_stored()[0].detail


def test_call_that_outlives_its_turn_is_found(posted):
    call = open_call(posted.turn)
    assert broken() == set()
    ended(posted, "Hello", seq=0)
    assert broken() == set()

    Turn.objects.filter(pk=posted.turn.pk).update(finished_at=Now() - timedelta(minutes=2))

    assert broken() == {"check_calls_end_with_their_turn"}
    CallAttempt.objects.filter(pk=call.pk).update(status="completed")
    assert broken() == set()


def open_call(turn):
    return CallAttempt.objects.create(
        organization_id=turn.organization_id,
        turn_id=turn.pk,
        provider_id=uuid7(),
        model_id=uuid7(),
        provider_name="p",
        model_name="m",
        purpose="chat",
        attempt=1,
        started_at=Now(),
    )
