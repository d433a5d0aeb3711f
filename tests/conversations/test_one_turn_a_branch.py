"""On one branch one answer is written at a time, wherever its place; branches beside each other do not wait."""

from __future__ import annotations

import pytest

from apps.accounts.types import SYSTEM
from apps.conversations import services
from apps.conversations.models import Turn
from apps.conversations.types import TurnStatus, TurnStillRunning
from tests.conversations.factories import answer, say, start

pytestmark = pytest.mark.django_db


@pytest.fixture
def conversation(ines, project):
    return start(ines, project)


def is_claimed(posted):
    return services.claim_turn(actor=SYSTEM, turn_id=posted.turn.pk, worker="test") is not None


@pytest.fixture
def half(ines, conversation):
    return answer(say(ines, conversation, "First"), "Half", status=TurnStatus.STOPPED)


def test_continue_answer_waits_for_the_answer_below(ines, conversation, half):
    below = say(ines, conversation, "Second")
    assert is_claimed(below)

    again = services.continue_answer(actor=ines, message_id=half.pk)

    assert again.turn.after_turn_id == below.turn.pk
    assert not is_claimed(again)
    services.stop_turn(actor=ines, turn_id=below.turn.pk)
    Turn.objects.filter(pk=below.turn.pk).update(status=TurnStatus.STOPPED, lease_until=None)
    assert is_claimed(again)


def test_post_message_waits_for_an_answer_that_goes_on_further_up(ines, conversation, half):
    answer(say(ines, conversation, "Second"))
    again = services.continue_answer(actor=ines, message_id=half.pk)
    assert is_claimed(again)

    third = say(ines, conversation, "Third")

    assert third.turn.after_turn_id == again.turn.pk
    assert not is_claimed(third)


def test_in_a_tree_only_the_branch_waits(ines, conversation, half):
    second = say(ines, conversation, "Second")
    answer(second)
    beside = services.edit_message(actor=ines, message_id=second.message.pk, content="Other")
    again = services.continue_answer(actor=ines, message_id=half.pk)
    third = say(ines, conversation, "Third", parent_id=second.answer.pk)
    fresh = services.edit_message(actor=ines, message_id=half.parent_id, content="Anew")

    assert again.turn.after_turn_id == beside.turn.pk
    assert third.turn.after_turn_id == again.turn.pk
    assert fresh.turn.after_turn_id is None


def test_continue_answer_with_several_answers_below_is_refused(ines, conversation, half):
    second = say(ines, conversation, "Second")
    services.edit_message(actor=ines, message_id=second.message.pk, content="Other")
    before = Turn.objects.count()

    with pytest.raises(TurnStillRunning):
        services.continue_answer(actor=ines, message_id=half.pk)

    assert Turn.objects.count() == before


def test_continue_answer_with_a_row_of_answers_below_waits_for_the_last(ines, conversation, half):
    say(ines, conversation, "Second")
    last = say(ines, conversation, "Third")

    assert services.continue_answer(actor=ines, message_id=half.pk).turn.after_turn_id == last.turn.pk


def test_turn_stopped_before_its_start_hands_on_what_it_waited_for(ines, conversation):
    first = say(ines, conversation, "First")
    assert is_claimed(first)
    second, third = say(ines, conversation, "Second"), say(ines, conversation, "Third")

    services.stop_turn(actor=ines, turn_id=second.turn.pk)

    assert not is_claimed(third)
    Turn.objects.filter(pk=first.turn.pk).update(status=TurnStatus.COMPLETED, lease_until=None)
    assert is_claimed(third)
