"""A talk longer than its model can read goes on: the oldest messages are left out, and the answer says so."""

from __future__ import annotations

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.conversations import services
from apps.conversations.models import Message, Turn
from apps.conversations.types import TurnStatus
from tests.conversations.factories import answer, say, start
from tests.conversations.running import runner, wait_until
from tests.llm.factories import set_defaults, stub_model
from tests.provider.script import expected_text

__all__ = ["runner"]
pytestmark = pytest.mark.django_db(transaction=True)

MUCH = {"status": 400, "error_type": "context_length_exceeded", "message": "This is too long."}
SAID = "Earlier messages were left out"


@pytest.fixture
def talk(ines, project):
    """Six questions of 250 tokens each, with answers."""
    conversation = start(ines, project, title="Harbour", system_prompt="Be brief.")
    for number in range(6):
        answer(say(ines, conversation, f"{number}".ljust(1000, ".")), f"Yes {number}")
    return conversation


def ended(runner, turn):
    runner.submit(turn.pk)
    wait_until(lambda: Turn.objects.get(pk=turn.pk).finished_at and turn.pk not in runner.running)
    return Turn.objects.get(pk=turn.pk)


def told(body):
    """The first letters of what a model was given."""
    return [each["content"][:5] for each in body["messages"]]


def page_of(actor, conversation):
    client = Client()
    client.force_login(User.objects.get(pk=actor.user_id))
    return client.get(f"/c/{conversation.pk}/").content.decode()


def test_oldest_messages_are_left_out_where_the_window_is_known(ines, project, provider, runner, talk):
    set_defaults(stub_model(provider, organization=project.organization, context_window=2000))

    turn = ended(runner, say(ines, talk, "And now?").turn)

    assert (turn.status, turn.reason) == (TurnStatus.COMPLETED, "left_out")
    kept = [f"{number}...." if is_asked else f"Yes {number}" for number in range(2, 6) for is_asked in (True, False)]
    assert [told(body) for body in provider.bodies] == [["Be br", *kept, "And n"]]
    assert Message.objects.get(pk=turn.message_id).content == expected_text(20)
    assert SAID in page_of(ines, talk)


def test_nothing_is_left_out_where_all_is_read(ines, project, provider, runner, talk):
    set_defaults(stub_model(provider, organization=project.organization, context_window=8000))

    turn = ended(runner, say(ines, talk, "And now?").turn)

    assert (turn.status, turn.reason, len(provider.bodies[0]["messages"])) == (TurnStatus.COMPLETED, "", 14)
    assert SAID not in page_of(ines, talk)


def test_half_is_left_out_where_nobody_knows_the_window(ines, project, provider, runner, talk):
    set_defaults(stub_model(provider, organization=project.organization))
    provider.script(MUCH, {"text": "So it is."})

    turn = ended(runner, say(ines, talk, "And now?").turn)

    assert (turn.status, turn.reason) == (TurnStatus.COMPLETED, "left_out")
    assert [len(body["messages"]) for body in provider.bodies] == [14, 6]
    assert told(provider.bodies[1])[:2] == ["Be br", "4...."]


def test_what_is_asked_now_is_never_left_out(ines, project, provider, runner, talk):
    set_defaults(stub_model(provider, organization=project.organization, context_window=2000))
    provider.script(MUCH)

    turn = ended(runner, say(ines, talk, "now".ljust(40_000, ".")).turn)

    assert (turn.status, turn.reason) == (TurnStatus.FAILED, "context_length")
    assert [told(body) for body in provider.bodies] == [["Be br", "now.."]]


def test_what_goes_on_keeps_its_question(ines, project, provider, runner, talk):
    set_defaults(stub_model(provider, organization=project.organization, context_window=700))
    cut = answer(say(ines, talk, "Count.".ljust(1000, ".")), "One, two", status=TurnStatus.STOPPED)
    turn = services.continue_answer(actor=ines, message_id=cut.pk).turn

    ended(runner, turn)

    assert told(provider.bodies[0]) == ["Be br", "Count", "One, ", "Go on"]
