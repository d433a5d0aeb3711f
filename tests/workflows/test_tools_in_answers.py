"""Answers in conversations look things up: what the stage allows, with the rights of who asks, as often as they may, once."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from decimal import Decimal

import pytest
from django.db.models.functions import Now

from apps.accounts.actors import actor_for
from apps.accounts.models import User
from apps.agents import tools as agent_tools
from apps.conversations import answering, services, sweeps
from apps.conversations.models import Message, Turn
from apps.conversations.types import TurnStatus
from apps.core import preferences
from apps.core.doors.settings import Level
from apps.core.doors.tools import Tool, ToolAnswer, tools
from apps.core.errors import NotFound
from apps.llm import routing
from apps.llm import services as llm
from apps.llm.models import CallAttempt
from apps.workflows import services as workflows
from apps.workflows.models import Run
from tests.accounts.factories import ProjectFactory, UserFactory, actor_of, add_to_project, key_of
from tests.conversations.factories import say, someone, start
from tests.conversations.running import runner, wait_until
from tests.extraction.factories import people, record
from tests.llm.factories import priced, set_defaults, stub_model
from tests.provider.fixtures import provider, running_provider
from tests.workflows.factories import defined, stage, walked
from tests.workflows.test_agent_steps import READ_ONLY, SEARCH, WIRES, offered, told

__all__ = ["provider", "runner", "running_provider"]
pytestmark = pytest.mark.django_db(transaction=True)
GONE = str(NotFound.default_detail)


@pytest.fixture
def talk(actor, project, provider):
    set_defaults(stub_model(provider, organization=project.organization, **priced()))
    return start(actor, project, title="Harbour")


def answered(runner, posted):
    """The turn at its end, with the message that it wrote. Hinted until it is, as the coordinator does."""

    def is_over():
        if posted.turn.pk in runner.running:
            return False
        runner.submit(posted.turn.pk)
        return ended(posted)

    wait_until(is_over)
    turn = Turn.objects.get(pk=posted.turn.pk)
    return turn, Message.objects.get(pk=turn.message_id)


def ended(posted):
    return Turn.objects.filter(pk=posted.turn.pk, finished_at__isnull=False).exists()


def of(message, kind):
    return [part for part in message.parts if part["type"] == kind]


@pytest.mark.parametrize("kind", WIRES)
def test_looks_up_and_answers(actor, project, provider, runner, kind):
    set_defaults(stub_model(provider, organization=project.organization, kind=kind, **priced()))
    talk = start(actor, project, title="Harbour")
    record(actor, people(actor, project), name="Sarah", age=28)
    provider.script(SEARCH, {"text": "Sarah is there."})

    turn, message = answered(runner, say(actor, talk, "Who is there?"))

    assert (turn.status, turn.reason, message.content) == (TurnStatus.COMPLETED, "", "Sarah is there.")
    first, second = provider.bodies
    assert offered(first) == READ_ONLY
    assert json.loads(told(second)[0])["records"][0]["data"] == {"name": "Sarah", "age": 28}
    assert [part["type"] for part in message.parts] == ["tool_call", "tool_result", "text"]
    assert [(part["name"], part["arguments"]) for part in of(message, "tool_call")] == [
        ("records_search", {"collection": "people"})
    ]
    # Who reads the answer may see less than who asked.
    assert [(part["content"], part["is_error"]) for part in of(message, "tool_result")] == [("", False)]


def test_every_round_is_on_the_ledger_and_on_the_turn(actor, project, provider, runner, talk):
    people(actor, project)
    provider.script(SEARCH, SEARCH | {"again": True}, {"text": "Nobody."})

    turn, _message = answered(runner, say(actor, talk, "Who is there?"))

    calls = CallAttempt.objects.filter(turn_id=turn.pk, status="completed")
    assert calls.count() == 3
    assert turn.cost == sum(call.cost for call in calls) > 0
    assert turn.input_tokens == sum(call.input_tokens for call in calls)
    talk.refresh_from_db()
    assert talk.cost == turn.cost


def test_a_budget_ends_it_between_the_rounds(actor, project, provider, runner, talk, monkeypatch):
    people(actor, project)
    posted = say(actor, talk, "Who is there?")

    def spent(call):
        llm.set_budget(actor=actor, organization_id=project.organization_id, limit=Decimal("0.00000001"))
        return ToolAnswer("Nobody.")

    monkeypatch.setitem(tools._items, "records_search", replace(tools.get("records_search"), run=spent))
    provider.script(SEARCH, {"text": "Late."})
    turn, message = answered(runner, posted)

    assert (turn.status, turn.reason, message.content) == (TurnStatus.FAILED, "budget", "")
    assert len(provider.bodies) == 1
    assert turn.cost == CallAttempt.objects.get(turn_id=turn.pk, status="completed").cost


STAGES = [
    {"a": {"set": {"x": 1}, **stage("Concept", tools=["collections_list"])}},
    {"b": {"set": {"x": 2}, **stage("Scenes", manual=True)}},
    {"c": {"set": {"x": 3}, **stage("End", manual=True, tools=[])}},
]


def test_tools_depend_on_the_stage_of_the_run_beside(actor, project, provider, runner, talk):
    people(actor, project)
    provider.default(text="Well.")
    definition = defined(actor, project, STAGES)
    answered(runner, say(actor, talk, "Before"))
    run = walked(workflows.start_run(actor=actor, definition_id=definition.pk, conversation_id=talk.pk))
    answered(runner, say(actor, talk, "Concept"))
    workflows.advance_stage(actor=actor, run_id=run.pk)
    walked(run)
    answered(runner, say(actor, talk, "Scenes"))
    elsewhere = start(actor, project, title="Elsewhere")
    workflows.advance_stage(actor=actor, run_id=run.pk)

    assert [offered(body) for body in provider.bodies] == [READ_ONLY, ["collections_list"], READ_ONLY]

    answered(runner, say(actor, elsewhere, "Other"))
    assert offered(provider.bodies[-1]) == READ_ONLY
    assert walked(run).status == "completed"
    answered(runner, say(actor, talk, "After"))
    assert offered(provider.bodies[-1]) == READ_ONLY


def test_the_stage_holds_for_who_does_not_see_the_run(actor, project, provider, runner, talk):
    """A run that read in a closed collection is not there for them; its rule is."""
    closed = people(actor, project, visibility="named")
    other = someone(project)
    definition = defined(actor, project, STAGES)
    run = walked(workflows.start_run(actor=actor, definition_id=definition.pk, conversation_id=talk.pk))
    Run.objects.filter(pk=run.pk).update(collections=[closed.pk])
    provider.default(text="Well.")

    answered(runner, say(other, talk, "What now?"))

    assert offered(provider.bodies[-1]) == ["collections_list"]


def test_a_tool_that_the_stage_left_out_meanwhile_is_not_run(actor, project, provider, runner, talk):
    record(actor, people(actor, project), name="Sarah")
    definition = defined(actor, project, STAGES)
    posted = say(actor, talk, "Who is there?")
    provider.script(SEARCH | {"delay": 0.6}, {"text": "I could not look."})

    runner.submit(posted.turn.pk)
    provider.wait_for(lambda stats: stats["count"] == 1)
    walked(workflows.start_run(actor=actor, definition_id=definition.pk, conversation_id=talk.pk))
    wait_until(lambda: ended(posted))

    assert offered(provider.bodies[0]) == READ_ONLY
    assert told(provider.bodies[1]) == ["There is no tool records_search here."]
    assert "Sarah" not in json.dumps(provider.bodies)


def test_which_tools_may_be_asked_is_looked_up_before_each_call(actor, project, provider, runner, talk, monkeypatch):
    """Of two that one answer asks for the first begins a run whose stage does not allow the second."""
    record(actor, people(actor, project), name="Sarah")
    definition = defined(actor, project, STAGES)

    def begin(call):
        walked(workflows.start_run(actor=actor, definition_id=definition.pk, conversation_id=talk.pk))
        return ToolAnswer("Begun.")

    begins = Tool("begin_look", "Begins.", {"type": "object"}, begin, changes_something=False)
    monkeypatch.setitem(tools._items, "begin_look", begins)
    provider.script(
        {"tool": "begin_look", "second": "records_search", "second_arguments": SEARCH["arguments"]},
        {"text": "I could not look."},
    )

    turn, _message = answered(runner, say(actor, talk, "Who is there?"))

    assert turn.status == TurnStatus.COMPLETED
    assert told(provider.bodies[1]) == ["Begun.", "There is no tool records_search here."]
    assert "Sarah" not in json.dumps(provider.bodies)


def test_every_run_beside_the_conversation_limits_its_tools(actor, project, provider, runner, talk):
    """However many are newer: the oldest one alone is in the stage that says which tools."""
    people(actor, project)
    silent = [{"b": {"set": {"x": 2}, **stage("Scenes")}}, {"c": {"set": {"x": 3}, **stage("End", manual=True)}}]
    strict, others = (
        defined(actor, project, STAGES),
        [defined(actor, project, silent, name=f"silent{number}") for number in range(25)],
    )
    for definition in (strict, *others):
        walked(workflows.start_run(actor=actor, definition_id=definition.pk, conversation_id=talk.pk))
    provider.default(text="Well.")

    answered(runner, say(actor, talk, "What now?"))

    assert Run.objects.exclude(stage="").count() == 26
    assert offered(provider.bodies[-1]) == ["collections_list"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"tool": "records_burn"}, "There is no tool records_burn here."),
        ({"tool": "records_search", "arguments": '{"collection": 5}'}, "These arguments do not fit"),
        ({"tool": "records_search", "arguments": '{"collection": "people", "all": true}'}, "These arguments do not fit"),
        ({"tool": "records_search", "arguments": json.dumps({"collection": "x" * 20_000})}, "These arguments are too long."),
        ({"tool": "records_search", "arguments": '{"collection": "nothing"}'}, "There is nothing here"),
    ],
)  # fmt: skip
def test_what_a_model_asks_for_is_not_trusted(actor, project, provider, runner, talk, asked, said):
    record(actor, people(actor, project), name="Sarah")
    provider.script(asked, {"text": "I see."})

    turn, message = answered(runner, say(actor, talk, "Who is there?"))

    assert (turn.status, message.content) == (TurnStatus.COMPLETED, "I see.")
    assert said in told(provider.bodies[1])[0]
    (result,) = of(message, "tool_result")
    assert (result["is_error"], said in result["content"]) == (True, True)
    assert len(json.dumps(message.parts)) < 1000


def test_what_the_asker_may_not_read_stays_away(actor, owner, project, provider, runner, talk):
    """Closed to them, of another project, of another organization."""
    closed = record(actor, people(actor, project, visibility="named"), name="Closed")
    beside = ProjectFactory(organization=project.organization)
    add_to_project(owner, beside, role="manager")
    stranger = UserFactory()
    strange = ProjectFactory(owner=stranger)
    elsewhere = [
        record(actor, people(actor, beside), name="Beside"),
        record(actor_of(stranger), people(actor_of(stranger), strange), name="Strange"),
    ]
    other = someone(project)
    asks = [{"tool": "records_get", "arguments": json.dumps({"record": str(each.pk)})} for each in (closed, *elsewhere)]

    for ask in asks:
        provider.script(ask, {"text": "Nothing."})
        answered(runner, say(other, talk, "Who is there?"))

    assert [told(body)[-1] for body in provider.bodies[1::2]] == [GONE] * 3
    assert not {"Closed", "Beside", "Strange"} & set(json.dumps(provider.bodies).replace('"', " ").split())


def test_a_key_that_reads_no_records_gets_none(actor, owner, project, provider, runner, talk):
    record(actor, people(actor, project), name="Sarah")
    token = key_of(owner, project.organization, scopes=["conversations:read", "conversations:write"])
    narrow = actor_for(authorization=f"Bearer {token}")
    provider.script({"tool": "collections_list"}, {"text": "None."})

    answered(runner, say(narrow, talk, "Who is there?"))

    assert told(provider.bodies[1]) == ["[]"]


def test_who_left_meanwhile_reads_nothing_more(actor, project, provider, runner, talk):
    record(actor, people(actor, project), name="Sarah")
    other = someone(project)
    posted = say(other, talk, "Who is there?")
    provider.script(SEARCH | {"delay": 0.6}, {"text": "Nobody."})

    runner.submit(posted.turn.pk)
    provider.wait_for(lambda stats: stats["count"] == 1)
    User.objects.filter(pk=other.user_id).update(is_active=False)
    wait_until(lambda: ended(posted))

    assert "Sarah" not in json.dumps(provider.bodies)
    assert told(provider.bodies[1]) == [GONE]


def test_asks_without_end_are_ended(actor, project, provider, runner, talk):
    people(actor, project)
    provider.script(*[SEARCH | {"again": True}] * (answering.ROUNDS + 1), {"text": "Nobody."})

    turn, message = answered(runner, say(actor, talk, "Who is there?"))

    assert provider.bodies[answering.ROUNDS]["tool_choice"] == "none"
    assert (turn.status, message.content) == (TurnStatus.COMPLETED, "Nobody.")
    results = of(message, "tool_result")
    assert [part["is_error"] for part in results] == [False] * answering.ROUNDS + [True]
    assert results[-1]["content"] == "Asked often enough."


@pytest.fixture
def slow(monkeypatch):
    """A tool that waits until it is let go; how often it ran."""
    ran, may_end = [], threading.Event()

    def run(call):
        ran.append(call)
        may_end.wait(10)
        return ToolAnswer("Nobody.")

    slow = Tool("slow_look", "Looks slowly.", {"type": "object"}, run, changes_something=False)
    monkeypatch.setitem(tools._items, "slow_look", slow)
    yield ran, may_end
    may_end.set()


def test_stop_while_a_tool_runs_ends_it_there(actor, project, provider, runner, talk, slow):
    ran, _may_end = slow
    posted = say(actor, talk, "Who is there?")
    provider.script({"tool": "slow_look"}, {"text": "Late."})

    runner.submit(posted.turn.pk)
    wait_until(lambda: ran)
    services.stop_turn(actor=actor, turn_id=posted.turn.pk)
    wait_until(lambda: ended(posted))

    turn = Turn.objects.get(pk=posted.turn.pk)
    assert (turn.status, len(provider.bodies)) == (TurnStatus.STOPPED, 1)
    assert [part["type"] for part in Message.objects.get(pk=turn.message_id).parts] == ["tool_call"]
    assert turn.cost == CallAttempt.objects.get(turn_id=turn.pk).cost > 0


def test_a_tool_that_takes_too_long_is_an_answer(actor, project, provider, runner, talk, slow, monkeypatch):
    monkeypatch.setitem(tools._items, "slow_look", replace(tools.get("slow_look"), timeout_seconds=2))
    provider.script({"tool": "slow_look"}, {"text": "It did not say."})

    turn, message = answered(runner, say(actor, talk, "Who is there?"))

    assert (turn.status, message.content) == (TurnStatus.COMPLETED, "It did not say.")
    assert of(message, "tool_result")[0]["content"] == "The tool took too long."


def test_killed_while_a_tool_runs_is_answered_once(actor, project, provider, runner, talk, slow):
    ran, may_end = slow
    posted = say(actor, talk, "Who is there?")
    provider.script({"tool": "slow_look"}, {"tool": "slow_look"}, {"text": "Nobody is there."})
    runner.submit(posted.turn.pk)
    wait_until(lambda: ran)
    wait_until(lambda: Message.objects.get(pk=posted.answer.pk).parts)  # a checkpoint
    lost = runner.running[posted.turn.pk]

    runner.loop.call_soon_threadsafe(runner._cancel, lost, "lost with its worker")  # writes nothing any more
    wait_until(lambda: posted.turn.pk not in runner.running)
    Turn.objects.filter(pk=posted.turn.pk).update(lease_until=Now())
    sweeps.reap_lost_turns()
    assert Turn.objects.get(pk=posted.turn.pk).status == TurnStatus.QUEUED
    assert Message.objects.get(pk=posted.answer.pk).parts == []
    may_end.set()
    turn, message = answered(runner, posted)

    assert (turn.status, turn.attempts, message.content) == (TurnStatus.COMPLETED, 2, "Nobody is there.")
    assert [part["type"] for part in message.parts] == ["tool_call", "tool_result", "text"]
    assert CallAttempt.objects.filter(turn_id=turn.pk).count() == 3
    assert turn.cost == sum(call.cost for call in CallAttempt.objects.filter(turn_id=turn.pk))


def test_what_was_looked_up_is_not_told_again(actor, project, provider, runner, talk):
    """The next answer has the words of the one before, and looks again."""
    record(actor, people(actor, project), name="Sarah")
    provider.script(SEARCH, {"text": "One person."}, {"text": "Yes."})
    answered(runner, say(actor, talk, "Who is there?"))

    answered(runner, say(actor, talk, "Really?"))

    roles = [(each["role"], bool(each.get("tool_calls"))) for each in provider.bodies[-1]["messages"]]
    assert roles == [("user", False), ("assistant", False), ("user", False)]


def test_continued_behind_tools_goes_on_in_the_right_place(actor, project, provider, runner, talk):
    people(actor, project)
    provider.script({"text": "One two three four five six", "hang": 3, "rate": 200})
    posted = say(actor, talk, "Who is there?")
    runner.submit(posted.turn.pk)
    wait_until(lambda: posted.turn.pk in runner.running and runner.running[posted.turn.pk].first_text_at)
    services.stop_turn(actor=actor, turn_id=posted.turn.pk)
    wait_until(lambda: ended(posted))
    begun = Message.objects.get(pk=posted.answer.pk).content

    provider.script(SEARCH, {"text": "and nobody."})
    services.continue_answer(actor=actor, message_id=posted.answer.pk)
    turn = Turn.objects.latest("created_at")
    runner.submit(turn.pk)
    wait_until(lambda: Turn.objects.get(pk=turn.pk).finished_at)

    message = Message.objects.get(pk=posted.answer.pk)
    assert [part["type"] for part in message.parts] == ["text", "tool_call", "tool_result", "text"]
    assert message.content == f"{begun}and nobody."


def test_nothing_is_offered(actor, project, provider, runner, talk):
    """Without collections, switched off, or of a model that calls no tools."""
    provider.default(text="Well.")
    answered(runner, say(actor, talk, "No collections"))
    people(actor, project)
    preferences.change_setting(actor=actor, key=agent_tools.IN_ANSWERS, level=Level.PROJECT, target_id=project.pk, value=False,
                       organization_id=project.organization_id)  # fmt: skip
    answered(runner, say(actor, talk, "Switched off"))
    preferences.change_setting(actor=actor, key=agent_tools.IN_ANSWERS, level=Level.PROJECT, target_id=project.pk, value=True,
                       organization_id=project.organization_id)  # fmt: skip
    set_defaults(stub_model(provider, organization=project.organization, name="stub-large", can_call_tools=False))
    routing.forget()
    answered(runner, say(actor, talk, "Cannot"))

    assert ["tools" in body for body in provider.bodies] == [False] * 3


def test_where_nothing_is_offered_one_look_is_all(actor, project, talk, django_assert_num_queries):
    def look():
        return agent_tools.offered_beside(
            organization_id=project.organization_id, project_id=project.pk, conversation_id=talk.pk
        )

    look()

    with django_assert_num_queries(1):
        assert look() == ()


def test_what_changes_something_is_not_offered(actor, project, provider, runner, talk, monkeypatch):
    people(actor, project)
    danger = Tool("burn", "Burns it all.", {"type": "object"}, lambda call: ToolAnswer("ok"))
    monkeypatch.setitem(tools._items, "burn", danger)
    provider.script({"tool": "burn"}, {"text": "No."})

    answered(runner, say(actor, talk, "Burn it"))

    assert offered(provider.bodies[0]) == READ_ONLY
    assert told(provider.bodies[1]) == ["There is no tool burn here."]


def test_the_page_names_the_tools_and_how_they_went(actor, project, provider, runner, talk, owner, client):
    people(actor, project)
    provider.script({"tool": "records_burn"}, {**SEARCH, "again": True}, {"text": "Nobody."})
    answered(runner, say(actor, talk, "Who is there?"))
    client.force_login(owner)

    page = client.get(f"/c/{talk.pk}/").content.decode()

    assert page.count('class="tool-call"') - page.count('<template id="t-part-tool">') == 2
    assert "There is no tool records_burn here." in page
    assert "records_search" in page
