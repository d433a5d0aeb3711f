"""An agent works in a step: with the tools that the stage allows, with the rights of who the run acts for, as often as it may."""

import json

import pytest

from apps.agents import services as agents
from apps.agents import tools as agent_tools
from apps.core.doors.tools import Tool, ToolAnswer, tools
from apps.llm import routing
from apps.llm.models import CallAttempt
from apps.llm.presets import ProviderKind
from apps.workflows import checks, services
from apps.workflows.models import Run, Step
from apps.workflows.types import DefinitionRejected
from tests.extraction.factories import people, record
from tests.extraction.making import demo
from tests.llm.factories import priced, set_defaults, stub_model
from tests.provider.fixtures import provider, running_provider
from tests.workflows.factories import begun, document, ran, stage, step, walked

__all__ = ["demo", "provider", "running_provider"]
pytestmark = pytest.mark.django_db(transaction=True)
WIRES = (ProviderKind.OPENAI_COMPATIBLE, ProviderKind.ANTHROPIC)
SEARCH = {"tool": "records_search", "arguments": '{"collection": "people"}'}
READ_ONLY = ["collections_list", "records_get", "records_search"]


@pytest.fixture(autouse=True)
def fresh_routes():
    routing.forget()


@pytest.fixture(params=WIRES)
def model(request, project, provider):
    set_defaults(stub_model(provider, organization=project.organization, kind=request.param, **priced()))


@pytest.fixture
def openai(project, provider):
    set_defaults(stub_model(provider, organization=project.organization, **priced()))


def works(more=None, stage_tools=None):
    """One step in a stage."""
    call = {"call": "agent", "with": {"prompt": "Who is there?", **(more or {})}}
    allowed = {} if stage_tools is None else {"tools": stage_tools}
    return [{"look": {**call, **stage("Look", **allowed)}}]


def offered(body):
    return sorted(each.get("function", each)["name"] for each in body.get("tools", ()))


def told(body):
    """What tools answered, as the provider got it."""
    found = []
    for message in body["messages"]:
        if message["role"] == "tool":
            found.append(message["content"])
        elif isinstance(message["content"], list):
            found += [part["content"] for part in message["content"] if part.get("type") == "tool_result"]
    return found


def test_asks_a_tool_and_answers_with_what_it_said(actor, project, provider, model):
    record(actor, people(actor, project), name="Sarah", age=28)
    provider.script(SEARCH, {"text": "Sarah is there."})

    run = ran(actor, project, works())

    assert run.status == "completed"
    assert run.output["text"] == "Sarah is there."
    assert run.output["tools"] == [{"name": "records_search", "arguments": {"collection": "people"}, "is_error": False}]
    first, second = provider.bodies
    assert offered(first) == READ_ONLY
    (result,) = told(second)
    assert json.loads(result)["records"][0]["data"] == {"name": "Sarah", "age": 28}
    assert (step(run, "look").cost, step(run, "look").cost > 0) == (run.cost, True)
    assert CallAttempt.objects.filter(status="completed").count() == 2


def test_instructions_and_model_are_the_agents(actor, project, provider, openai):
    agents.create_agent(actor=actor, project_id=project.pk, name="Archivist", instructions="You keep the archive.")
    provider.script({"text": "Nobody."})

    run = ran(actor, project, works({"agent": "archivist"}))

    assert run.output["text"] == "Nobody."
    assert "You keep the archive." in json.dumps(provider.bodies[0])
    missing = ran(actor, project, works({"agent": "Nobody"}), name="other")
    assert (missing.status, missing.error["code"]) == ("failed", "not_found")


@pytest.mark.parametrize(
    ("stage_tools", "wanted", "expected"),
    [
        (None, None, READ_ONLY),
        (["records_get"], None, ["records_get"]),
        ([], None, []),
        (["records_get"], ["records_get", "records_search"], ["records_get"]),
        (None, ["collections_list"], ["collections_list"]),
    ],
)
def test_tools_depend_on_the_stage(actor, project, provider, openai, stage_tools, wanted, expected):
    provider.script({"text": "Done."})

    run = ran(actor, project, works({"tools": wanted} if wanted else None, stage_tools))

    assert run.status == "completed"
    assert offered(provider.bodies[0]) == expected


def test_a_tool_that_the_stage_does_not_allow_is_not_run(actor, project, provider, model):
    record(actor, people(actor, project), name="Sarah")
    provider.script(SEARCH, {"text": "I could not look."})

    run = ran(actor, project, works(stage_tools=["records_get"]))

    assert run.output["tools"][0]["is_error"]
    assert told(provider.bodies[1]) == ["There is no tool records_search here."]
    assert "Sarah" not in json.dumps(provider.bodies)


def test_what_changes_something_is_not_offered(actor, project, provider, openai, monkeypatch):
    ran_it = []
    danger = Tool("burn", "Burns it all.", {"type": "object"}, lambda call: ran_it.append(call) or ToolAnswer("ok"))
    monkeypatch.setitem(tools._items, "burn", danger)
    provider.script({"tool": "burn"}, {"text": "No."})

    run = ran(actor, project, works())

    assert offered(provider.bodies[0]) == READ_ONLY
    assert (run.status, ran_it) == ("completed", [])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "do not fit"),
        ({"collection": "people", "secret": 1}, "do not fit"),
        ({"collection": "nothing"}, "There is nothing here"),
        ({"collection": "people", "where": ["nonsense"]}, ""),
    ],
)
def test_wrong_arguments_are_told_to_the_model(actor, project, provider, openai, arguments, said):
    people(actor, project)
    provider.script({"tool": "records_search", "arguments": json.dumps(arguments)}, {"text": "I see."})

    run = ran(actor, project, works())

    assert (run.status, run.output["tools"][0]["is_error"]) == ("completed", True)
    assert said in told(provider.bodies[1])[0]


def test_records_of_another_project_are_out_of_reach(actor, owner, project, provider, openai):
    from tests.accounts.factories import ProjectFactory, add_to_project

    other = ProjectFactory(organization=project.organization)
    add_to_project(owner, other, role="manager")
    secret = record(actor, people(actor, other), name="Elsewhere")
    provider.script({"tool": "records_get", "arguments": json.dumps({"record": str(secret.pk)})}, {"text": "No."})

    run = ran(actor, project, works())

    assert run.output["tools"][0]["is_error"]
    assert "Elsewhere" not in json.dumps(provider.bodies)


def test_it_asks_as_often_as_it_may_and_then_answers(actor, project, provider, model):
    people(actor, project)
    provider.script(SEARCH, {"text": "That is all."})

    run = ran(actor, project, works({"rounds": 1}))

    assert run.output["text"] == "That is all."
    assert provider.bodies[1]["tool_choice"] in ("none", {"type": "none"})


def test_what_was_spent_without_words_is_on_the_step_and_the_run(actor, project, provider, openai):
    people(actor, project)
    provider.default(**SEARCH, again=True)

    run = ran(actor, project, works({"rounds": 5}))

    assert (run.status, run.error["code"], run.error["instance"]) == ("failed", "without_words", "/do/0/look")
    costs = [call.cost for call in CallAttempt.objects.filter(status="completed")]
    assert len(costs) == 7
    assert step(run, "look").cost == run.cost == sum(costs) > 0


def test_result_by_schema(actor, project, provider, openai):
    schema = {"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]}
    provider.script({"text": "There are three."}, {"text": '{"count": 3}'})

    run = ran(actor, project, works({"schema": schema}))

    assert (run.output["text"], run.output["data"]) == ("There are three.", {"count": 3})
    provider.script({"text": "There are some."}, *[{"text": '{"count": "some"}'}] * 3)
    wrong = ran(actor, project, works({"schema": schema}), name="other")
    assert (wrong.status, wrong.error["code"]) == ("failed", "does_not_fit")


def test_a_run_that_is_cancelled_asks_no_more(actor, project, provider, openai, monkeypatch):
    people(actor, project)
    run = begun(actor, project, works())
    was = agent_tools.run

    async def cancelled(*arguments):
        from apps.core.db import in_thread

        await in_thread(lambda: services.cancel_run(actor=actor, run_id=run.pk))
        return await was(*arguments)

    monkeypatch.setattr("apps.agents.working.tools.run", cancelled)
    provider.script(SEARCH, {"text": "Late."})

    run = walked(run)

    assert run.status == "cancelled"
    assert len(provider.bodies) == 1
    assert Step.objects.filter(run=run, status="completed", path="look").count() == 0


def test_the_demo_names_itself_and_asks_a_tool(actor, project, demo):
    people(actor, project)

    run = ran(actor, project, works({"prompt": "Please use collections list."}))

    assert (run.status, run.output["is_demo"]) == ("completed", True)
    assert [used["name"] for used in run.output["tools"]] == ["collections_list"]


def test_tools_that_are_not_there_are_refused_in_a_definition():
    given = document([{"a": {"set": {"x": 1}, **stage("A", tools=["records_get", "records_burn"])}}])

    with pytest.raises(DefinitionRejected) as found:
        checks.check(given)

    assert [(each.field, each.code) for each in found.value.fields] == [
        ("/do/0/a/metadata/parlance/stage/tools/1", "unknown_tool")
    ]


def test_nobody_is_asked_for_who_may_run_nothing(actor, owner, project, provider, openai):
    run = begun(actor, project, works())
    owner.is_active = False
    owner.save()

    walked(run)

    assert Run.objects.get(pk=run.pk).status == "failed"
    assert provider.bodies == []
