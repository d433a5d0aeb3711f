"""What reaches the model: one system message, the agent's model and parameters, and what the caller asks for instead."""

import asyncio
from contextlib import aclosing

import pytest

from apps.agents import engine, selectors
from apps.agents.models import Agent
from apps.agents.types import AnswerContext
from apps.llm import clients, routing, shared_state
from apps.llm.types import AppendText, NeutralMessage, Parameters, Role
from tests.accounts.factories import ProjectFactory
from tests.llm.factories import set_defaults, stub_model

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project():
    return ProjectFactory()


@pytest.fixture
def small(provider, project):
    routing.forget()
    model = stub_model(provider, organization=project.organization)
    set_defaults(model)
    return model


def agent_in(project, name="Noir", **values):
    return Agent.objects.create(organization=project.organization, project=project, name=name, **values)


def asked(project, provider, *, agent=None, **values):
    """Let the agent answer "Hello"; the body that the provider got."""
    context = AnswerContext(
        organization_id=project.organization_id,
        project_id=project.pk,
        turn_id=None,
        user_id=None,
        instructions=selectors.read_instructions(agent=agent, project_id=project.pk),
        messages=(NeutralMessage.of_text(Role.USER, "Hello"),),
        **values,
    )

    async def run():
        try:
            async with aclosing(engine.answer(context)) as operations:
                return [operation async for operation in operations]
        finally:
            await clients.close_all()
            await shared_state.leave_loop()

    assert any(isinstance(operation, AppendText) for operation in asyncio.run(run()))
    return provider.bodies[-1]


def system_of(body):
    return [message["content"] for message in body["messages"] if message["role"] == "system"]


def test_system_message_is_the_agents_words_then_the_conversations_then_who_takes_part(provider, project, small):
    agent = agent_in(project, instructions="You write noir.")

    body = asked(project, provider, agent=agent, system_prompt="It rains.", people=("Inês", "Otto"))

    people = "Several people take part: Inês, Otto. The name before a message says who wrote it."
    assert system_of(body) == [f"You write noir.\n\nIt rains.\n\n{people}"]
    assert [message["role"] for message in body["messages"]] == ["system", "user"]


def test_who_takes_part_is_said_in_the_language_of_the_person_and_only_of_several(provider, project, small):
    german = asked(project, provider, people=("Inês", "Otto"), language="de")
    alone = asked(project, provider, people=("Inês",))

    assert "Inês, Otto" in system_of(german)[0]
    assert "Several people" not in system_of(german)[0]
    assert system_of(alone) == []


def test_agents_model_and_parameters_are_used(provider, project, small):
    large = stub_model(provider, organization=project.organization, name="stub-large")
    agent = agent_in(project, model=large, parameters={"temperature": 0.1, "max_output_tokens": 99, "mood": "dark"})

    body = asked(project, provider, agent=agent)

    assert (body["model"], body["temperature"]) == ("stub-large", 0.1)
    assert 99 in {body.get("max_tokens"), body.get("max_completion_tokens")}
    assert "mood" not in body


def test_what_the_caller_asks_for_comes_before_the_agents(provider, project, small):
    large = stub_model(provider, organization=project.organization, name="stub-large")
    agent = agent_in(project, model=large, parameters={"temperature": 0.1, "top_p": 0.5})

    body = asked(project, provider, agent=agent, model_id=small.pk, overrides=Parameters(temperature=1.5))

    assert (body["model"], body["temperature"], body["top_p"]) == ("stub-small", 1.5, 0.5)


def test_without_an_agent_the_default_of_the_project_answers(provider, project, small):
    agent_in(project, "Proof", instructions="You proofread.")
    agent_in(project, "Noir", instructions="You write noir.", is_default=True)

    assert system_of(asked(project, provider)) == ["You write noir."]


def test_without_any_agent_the_default_model_answers_bare(provider, project, small):
    body = asked(project, provider)

    assert (body["model"], system_of(body)) == ("stub-small", [])
    assert "temperature" not in body


@pytest.mark.parametrize(
    ("said", "found"),
    [("noir please", "Noir"), ("noir city: a line", "Noir City"), ("noirish", None), ("nobody", None)],
)
def test_spoken_name_is_the_longest_that_fits(project, said, found):
    agent_in(project, "Noir")
    agent_in(project, "Noir City")

    agent = selectors.find_by_spoken_name(project_id=project.pk, said=said)

    assert (agent.name if agent else None) == found
