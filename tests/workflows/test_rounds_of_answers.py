"""Answers that ask tools keep going: what tools gave fits, who takes over can read it, and words come at the end."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from apps.agents.types import AnswerWithoutWords
from apps.conversations import answering
from apps.conversations.types import TurnStatus
from apps.core.doors.tools import ToolAnswer, tools
from apps.llm import fitting, routing, tokens
from apps.llm.models import CallAttempt
from tests.conversations.factories import say, start
from tests.conversations.running import runner
from tests.extraction.factories import people, record
from tests.llm.factories import priced, set_defaults, stub_model
from tests.provider.fixtures import provider, running_provider
from tests.workflows.test_agent_steps import SEARCH, WIRES, told
from tests.workflows.test_tools_in_answers import answered, of, talk

__all__ = ["provider", "runner", "running_provider", "talk"]
pytestmark = pytest.mark.django_db(transaction=True)
MUCH = {"status": 400, "error_type": "context_length_exceeded", "message": "This is too long."}


@pytest.fixture(autouse=True)
def fresh_routes():
    routing.forget()


@pytest.fixture
def gives(monkeypatch):
    """What ``records_search`` gives, call after call."""

    def give(*texts):
        left = list(texts)

        def run(call):
            return ToolAnswer(left.pop(0))

        monkeypatch.setitem(tools._items, "records_search", replace(tools.get("records_search"), run=run))

    return give


def reading(project, provider, kind=WIRES[0], **values):
    model = stub_model(provider, organization=project.organization, kind=kind, **priced(**values))
    set_defaults(model)
    return model


@pytest.mark.parametrize("kind", WIRES)
def test_what_tools_gave_is_cut_to_what_the_model_can_read(actor, project, provider, runner, gives, kind):
    people(actor, project)
    reading(project, provider, kind, context_window=6_000)
    gives("old " * 4_000, "new " * 2_000)
    provider.script(SEARCH, SEARCH | {"again": True}, {"text": "Found."})

    turn, message = answered(runner, say(actor, start(actor, project), "Who is there?"))

    assert (turn.status, message.content) == (TurnStatus.COMPLETED, "Found.")
    first, second = told(provider.bodies[1]), told(provider.bodies[2])
    assert len(first[0]) < 16_000
    assert [each.endswith(fitting.CUT) for each in (*first, *second)] == [True, True, False]
    assert second[1] == "new " * 2_000
    assert second[0].startswith("old ")
    assert all(sum(map(tokens.of_text, each)) < 3_600 for each in (first, second))


def test_what_fits_is_whole(actor, project, provider, runner, gives):
    people(actor, project)
    reading(project, provider, context_window=30_000)
    gives("word " * 3_900)
    provider.script(SEARCH, {"text": "Found."})

    answered(runner, say(actor, start(actor, project), "Who is there?"))

    assert told(provider.bodies[1]) == ["word " * 3_900]


def test_a_window_that_nobody_knows_is_found_out(actor, project, provider, runner, talk, gives):
    people(actor, project)
    gives("word " * 3_900)
    provider.script(SEARCH, MUCH, MUCH, {"text": "Found little."})

    turn, message = answered(runner, say(actor, talk, "Who is there?"))

    assert (turn.status, message.content) == (TurnStatus.COMPLETED, "Found little.")
    lengths = [len(told(body)[0]) for body in provider.bodies[1:]]
    assert lengths[0] == 19_500
    assert lengths[0] / 10 < lengths[1] < lengths[0] / 7
    assert told(provider.bodies[3]) == [fitting.CUT]
    rows = CallAttempt.objects.filter(turn_id=turn.pk).order_by("attempt").values_list("status", "error_code")
    assert list(rows) == [
        ("completed", ""),
        ("failed", "context_length"),
        ("failed", "context_length"),
        ("completed", ""),
    ]


def test_a_conversation_that_is_too_long_by_itself_says_so(actor, project, provider, runner, talk, gives):
    people(actor, project)
    provider.default(**MUCH)

    turn, _message = answered(runner, say(actor, talk, "Who is there?"))

    assert (turn.status, turn.reason, len(provider.bodies)) == (TurnStatus.FAILED, "context_length", 1)


@pytest.mark.parametrize("kind", WIRES)
def test_who_takes_over_without_tools_reads_plain_words(actor, project, provider, runner, kind):
    record(actor, people(actor, project), name="Sarah")
    first = stub_model(provider, organization=project.organization, **priced())
    second = stub_model(provider, organization=project.organization, kind=kind, name="stub-large", can_call_tools=False)
    set_defaults(first, second)
    provider.script(SEARCH, {"status": 401}, model="stub-small")
    provider.script({"text": "Sarah is there."}, model="stub-large")

    turn, message = answered(runner, say(actor, start(actor, project), "Who is there?"))

    assert (turn.status, message.content, turn.is_fallback) == (TurnStatus.COMPLETED, "Sarah is there.", True)
    body = provider.bodies[-1]
    assert ("tools" in body, told(body)) == (False, [])
    (said,) = [each for each in body["messages"] if each["role"] != "system"]
    words = said["content"] if isinstance(said["content"], str) else "".join(each["text"] for each in said["content"])
    assert words.startswith("Who is there?")
    assert "Sarah" in words
    assert 'title="records_search"' in words


@pytest.mark.parametrize("kind", WIRES)
def test_who_insists_on_tools_is_asked_once_more_without(actor, project, provider, runner, kind):
    record(actor, people(actor, project), name="Sarah")
    reading(project, provider, kind)
    asks = [SEARCH | {"again": True}] * (answering.ROUNDS + 1)
    provider.script(*asks, {"text": "Sarah is there."})

    turn, message = answered(runner, say(actor, start(actor, project), "Who is there?"))

    assert (turn.status, turn.reason, message.content) == (TurnStatus.COMPLETED, "", "Sarah is there.")
    assert len(provider.bodies) == answering.ROUNDS + 2
    last = provider.bodies[-1]
    assert ("tools" in last, "tool_choice" in last, told(last)) == (False, False, [])
    assert json.dumps(last["messages"]).count("<document ") == answering.ROUNDS + 1
    assert {each["role"] for each in last["messages"]} <= {"system", "user"}


def test_who_says_nothing_even_then_failed_for_that(actor, project, provider, runner, talk, owner, client):
    people(actor, project)
    provider.default(**SEARCH, again=True)

    turn, message = answered(runner, say(actor, talk, "Who is there?"))

    assert (turn.status, turn.reason) == (TurnStatus.FAILED, AnswerWithoutWords.code) == ("failed", "without_words")
    assert len(provider.bodies) == answering.ROUNDS + 2
    assert turn.cost == sum(call.cost for call in CallAttempt.objects.filter(turn_id=turn.pk)) > 0
    assert of(message, "tool_result")[-1]["content"] == "Asked often enough."
    client.force_login(owner)
    assert "asked for tools again and again" in client.get(f"/c/{talk.pk}/").content.decode()
