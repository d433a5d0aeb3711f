"""One object of a schema, asked for in the best way that a model has. Over real HTTP, in both protocols."""

import asyncio
import json
from decimal import Decimal

import pytest

from apps.core.doors.bulk_kinds import Meter
from apps.extraction import strict_schema, structured
from apps.extraction.schema import check
from apps.llm import engine as llm
from apps.llm import routing
from apps.llm.errors import ProviderRefused
from apps.llm.models import Model
from apps.llm.presets import ProviderKind
from apps.llm.types import CompletionRequest, NeutralMessage, Parameters, Purpose, Role
from tests.accounts.factories import OrganizationFactory
from tests.llm.factories import priced, set_defaults, stub_model
from tests.provider.fixtures import provider, running_provider

__all__ = ["provider", "running_provider"]
pytestmark = pytest.mark.django_db(transaction=True)

SCHEMA = check(
    {
        "type": "object",
        "properties": {"name": {"type": "string", "minLength": 2}, "age": {"type": "integer"}},
        "required": ["name"],
    }
)
SARAH = '{"name": "Sarah", "age": 28}'
OBJECT = {"text": SARAH, "delay": 0, "rate": 0}
CALL = {"tool": "answer", "arguments": SARAH, "delay": 0, "rate": 0}
PROSE = {"text": "Her name is Sarah.", "delay": 0, "rate": 0}
REFUSED = {"status": 400, "message": "unknown parameter"}


@pytest.fixture(params=[ProviderKind.OPENAI_COMPATIBLE, ProviderKind.ANTHROPIC])
def asked(request, provider):
    """Asks the scripted model once; gives the answer with what it was asked."""
    routing.forget()
    structured.forget()
    organization = OrganizationFactory()

    def ask(*scripts, **abilities):
        if not Model.objects.exists():
            set_defaults(stub_model(provider, organization=organization, kind=request.param, **priced(**abilities)))
        provider.reset()
        provider.script(*scripts)
        wanted = CompletionRequest(
            organization_id=organization.pk,
            messages=(NeutralMessage.of_text(Role.SYSTEM, "Read."), NeutralMessage.of_text(Role.USER, "Sarah is 28.")),
            parameters=Parameters(temperature=0),
            purpose=Purpose.EXTRACTION,
        )

        async def call():
            async with llm.own_loop():
                return await structured.answer(
                    wanted,
                    lambda kind: strict_schema.for_provider(SCHEMA, kind).schema,
                    ask.meter,
                )

        ask.answer = asyncio.run(call())
        return [way(body) for body in provider.bodies]

    ask.meter = Meter()
    return ask


def way(body):
    """How a request asks for the object, in either protocol."""
    if "response_format" in body or "output_config" in body:
        return "schema"
    if body.get("tools"):
        return "tool"
    return "words" if "JSON Schema" in json.dumps(body) else "nothing"


def test_model_that_keeps_to_schemas_is_asked_once_in_its_dialect(asked, provider):
    assert asked(OBJECT, can_structure=True) == ["schema"]

    assert asked.answer.text == SARAH
    body = provider.bodies[0]
    schema = (
        body["response_format"]["json_schema"]["schema"]
        if "response_format" in body
        else body["output_config"]["format"]["schema"]
    )
    is_openai = "response_format" in body
    assert schema["required"] == (["name", "age"] if is_openai else ["name"])  # OpenAI wants all of them, or null
    assert asked(PROSE) == ["schema"], "what it says is its answer"


def test_refusal_leads_to_a_tool_call_and_is_remembered(asked, provider):
    assert asked(REFUSED, CALL, can_structure=True) == ["schema", "tool"]
    assert json.loads(asked.answer.text) == {"name": "Sarah", "age": 28}
    body = provider.bodies[1]
    tool = body["tools"][0]
    parameters = tool["function"]["parameters"] if "function" in tool else tool["input_schema"]
    assert parameters["properties"]["name"] == {"type": "string", "minLength": 2}
    assert body["tool_choice"] in (
        {"type": "function", "function": {"name": "answer"}},
        {"type": "tool", "name": "answer"},
    )

    assert asked(CALL) == ["tool"]


def test_words_are_the_last_way_and_all_that_was_asked_is_paid(asked, provider):
    assert asked(PROSE, {**CALL, "arguments": '{"name": "Sa'}, OBJECT) == ["schema", "tool", "words"]

    assert asked.answer.text == SARAH
    first, last = asked.answer, Decimal(asked.answer.cost)
    assert last == asked.meter.cost
    assert first.input_tokens > 0
    assert asked(OBJECT) == ["words"]


def test_what_the_catalogue_says_it_cannot_is_not_tried(asked):
    assert asked(OBJECT, can_structure=False, can_call_tools=False, is_customized=True) == ["words"]


def test_tool_that_is_not_called_but_answered_in_words_counts(asked):
    assert asked(OBJECT, can_structure=False, is_customized=True) == ["tool"]
    assert asked.answer.text == SARAH


def test_who_refuses_every_way_has_refused(asked, provider):
    with pytest.raises(ProviderRefused):
        asked(REFUSED, REFUSED, REFUSED)

    assert [way(body) for body in provider.bodies] == ["schema", "tool", "words"]
