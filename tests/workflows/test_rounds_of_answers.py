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


def words_of(message):
    """What a model reads of it, on either wire."""
    content = message["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def asked_words(body):
    return "".join(words_of(each) for each in body["messages"])


def insists(rounds=answering.ROUNDS):
    """It asks for tools as often as it may, and once more."""
    return [SEARCH | {"again": True}] * (rounds + 1)


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
    words = words_of(said)
    assert words.startswith("Who is there?")
    assert "Sarah" in words
    assert 'title="records_search"' in words


@pytest.mark.parametrize("kind", WIRES)
def test_who_insists_on_tools_is_asked_once_more_without(actor, project, provider, runner, kind):
    record(actor, people(actor, project), name="Sarah")
    reading(project, provider, kind)
    provider.script(*insists(), {"text": "Sarah is there."})

    turn, message = answered(runner, say(actor, start(actor, project), "Who is there?"))

    assert (turn.status, turn.reason, message.content) == (TurnStatus.COMPLETED, "", "Sarah is there.")
    assert len(provider.bodies) == answering.ROUNDS + 2
    last = provider.bodies[-1]
    assert ("tools" in last, "tool_choice" in last, told(last)) == (False, False, [])
    assert json.dumps(last["messages"]).count("<document ") == answering.ROUNDS + 1
    assert {each["role"] for each in last["messages"]} <= {"system", "user"}


@pytest.mark.parametrize("kind", WIRES)
def test_the_last_question_without_tools_fits_too(actor, project, provider, runner, gives, kind):
    people(actor, project)
    reading(project, provider, kind, context_window=8_000)
    gives(*[f"{number} " + "word " * 6_000 for number in range(answering.ROUNDS)])
    provider.script(*insists(), {"text": "Found."})

    turn, message = answered(runner, say(actor, start(actor, project), "Who is there?"))

    assert (turn.status, message.content) == (TurnStatus.COMPLETED, "Found.")
    last = provider.bodies[-1]
    words = asked_words(last)
    assert ("tools" in last, told(last), words.count("<document ")) == (False, [], answering.ROUNDS + 1)
    assert 3_000 < tokens.of_text(words) < 8_000 - 1_600  # a quarter of what is sure is the answer's
    newest = f"{answering.ROUNDS - 1} word word"
    assert newest in words
    assert "0 word" not in words
    assert words.count(fitting.CUT) == answering.ROUNDS


def test_the_last_question_is_made_smaller_where_nobody_knows_the_window(actor, project, provider, runner, talk, gives):
    people(actor, project)
    gives(*["word " * 3_900] * answering.ROUNDS)
    provider.script(*insists(), MUCH, MUCH, {"text": "Found little."})

    turn, message = answered(runner, say(actor, talk, "Who is there?"))

    assert (turn.status, message.content) == (TurnStatus.COMPLETED, "Found little.")
    whole, less, least = map(asked_words, provider.bodies[-3:])
    assert whole.count("word ") == 3_900 * answering.ROUNDS
    assert len(whole) / 10 < len(less) < len(whole) / 7
    assert "word " not in least
    assert [each.count("<document ") for each in (whole, less, least)] == [answering.ROUNDS + 1] * 3


def test_who_takes_over_without_tools_is_sent_less_where_it_was_too_much(actor, project, provider, runner, gives):
    people(actor, project)
    first = stub_model(provider, organization=project.organization, **priced())
    second = stub_model(provider, organization=project.organization, name="stub-large", can_call_tools=False)
    set_defaults(first, second)
    gives("word " * 3_900)
    provider.script(SEARCH, {"status": 401}, model="stub-small")
    provider.script(MUCH, MUCH, {"text": "Found little."}, model="stub-large")

    turn, message = answered(runner, say(actor, start(actor, project), "Who is there?"))

    assert (turn.status, message.content, turn.is_fallback) == (TurnStatus.COMPLETED, "Found little.", True)
    whole, less, least = provider.bodies[-3:]
    assert [asked_words(each).count("<document ") for each in (whole, less, least)] == [1, 1, 1]
    assert asked_words(whole).count("word ") == 3_900
    assert 400 < asked_words(less).count("word ") < 500
    assert asked_words(least).count("word ") == 0
    assert [told(each) for each in (whole, less, least)] == [[], [], []]


@pytest.mark.parametrize("kind", WIRES)
def test_words_beside_a_question_are_no_answer(actor, project, provider, runner, kind):
    record(actor, people(actor, project), name="Sarah")
    reading(project, provider, kind)
    *asks, last = insists()
    provider.script(*asks, last | {"beside": "I look once more."}, {"text": "Sarah is there."})

    turn, message = answered(runner, say(actor, start(actor, project), "Who is there?"))

    assert (turn.status, len(provider.bodies)) == (TurnStatus.COMPLETED, answering.ROUNDS + 2)
    assert [part["text"].strip() for part in of(message, "text")] == ["I look once more.", "Sarah is there."]


def test_words_beside_the_last_question_are_better_than_none(actor, project, provider, runner, talk):
    people(actor, project)
    provider.script(*insists(), SEARCH | {"again": True, "beside": "Nobody, I think."})

    turn, message = answered(runner, say(actor, talk, "Who is there?"))

    assert (turn.status, message.content) == (TurnStatus.COMPLETED, "Nobody, I think.")


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
