"""``agent``: an agent of the project works in a step, with the tools of the stage that the run is in."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from apps.accounts import quotas
from apps.accounts.types import SYSTEM
from apps.agents import selectors as agents
from apps.agents import tools, working
from apps.agents.types import AnswerContext
from apps.core.correlation import correlation_id
from apps.core.db import give_connections_back
from apps.core.doors.bulk_kinds import Meter, TryLater
from apps.core.doors.tools import ToolCall
from apps.core.doors.workflow_functions import Gave, WorkflowCall, WorkflowFunction
from apps.core.leases import scaled
from apps.extraction import repair, structured
from apps.extraction import selectors as records
from apps.llm import engine as llm
from apps.llm import selectors as models
from apps.llm.errors import ModelError
from apps.llm.types import CompletionRequest, NeutralMessage, Parameters, Purpose, Role
from apps.workflows import problems, selectors, shapes
from apps.workflows.stage_tools import allowed_tools

SECONDS = 150.0
ROUNDS = 5
MOST_ROUNDS = 12
AS_OBJECT = "Give what you found as an object, and nothing else."


def _about(call: WorkflowCall) -> list[UUID]:
    """Its tools read where the model wants to: all that who began the run sees in the project."""
    rows = records.list_collections(call.actor, project_id=call.project_id)
    return list(rows.order_by().values_list("pk", flat=True))


def work(call: WorkflowCall) -> Gave:
    given = call.arguments
    run = selectors.get_run(run_id=call.run_id, viewer=SYSTEM)
    context = _context(call)
    these = tools.offered(allowed=allowed_tools(run), wanted=given.get("tools"))
    with transaction.atomic():
        quotas.take_answer(actor=call.actor, organization_id=call.organization_id)
    meter = Meter()

    def caller(arguments: dict[str, Any]) -> ToolCall:
        return ToolCall(call.actor, call.organization_id, call.project_id, arguments, call.conversation_id)

    def may_go_on() -> bool:
        return selectors.is_running(call.run_id)

    async def worked() -> tuple[working.Worked, Any]:
        async with asyncio.timeout(scaled(SECONDS)), llm.own_loop():
            done = await working.work(
                context,
                these,
                caller,
                rounds=given.get("rounds", ROUNDS),
                may_go_on=may_go_on,
                spend=meter.add,
            )
            return done, await _as_object(call, context, done, meter)

    give_connections_back()
    try:
        done, value = asyncio.run(worked())
    except working.Stopped:
        raise problems.problem(
            "runtime", 409, "The run was stopped meanwhile.", code="stopped", cost=meter.cost
        ) from None
    except TimeoutError:
        raise problems.problem("timeout", 408, "The agent took too long.", code="timeout", cost=meter.cost) from None
    except TryLater as later:
        detail = "The model does not answer now."
        raise problems.problem("communication", 503, detail, code=later.code, cost=meter.cost) from later
    except ModelError as error:
        if structured.later_of(error) is None:
            raise problems.TaskError(problems.of_domain_error(error, "").problem, meter.cost) from error
        detail = "The model does not answer now."
        raise problems.problem("communication", 503, detail, code=error.code, cost=meter.cost) from error
    output = {
        "text": done.text,
        "model": done.model,
        "is_demo": done.is_demo,
        "tools": [asdict(used) for used in done.used],
    }
    if "schema" in given:
        output["data"] = value
    return Gave(output, cost=meter.cost)


def _context(call: WorkflowCall) -> AnswerContext:
    given, actor = call.arguments, call.actor
    agent = None
    if name := given.get("agent"):
        agent = agents.list_agents(actor, project_id=call.project_id).filter(name__iexact=name).first()
        if agent is None:
            raise problems.problem("configuration", 404, "The project has no agent of that name.", code="not_found")
    named = given.get("model")
    model = models.get_model(organization_id=call.organization_id, reference=named) if named else None
    return AnswerContext(
        organization_id=call.organization_id,
        project_id=call.project_id,
        turn_id=None,
        user_id=actor.user_id,
        instructions=agents.read_instructions(agent=agent, project_id=call.project_id),
        messages=(NeutralMessage.of_text(Role.USER, given["prompt"]),),
        model_id=model.pk if model else None,
        language=actor.language,
        correlation_id=correlation_id(),
    )


async def _as_object(call: WorkflowCall, context: AnswerContext, done: working.Worked, meter: Meter) -> Any:
    """By ``schema``, from what it found: asked for in the best way that the model has."""
    if not (schema := call.arguments.get("schema")):
        return None
    said = (
        NeutralMessage.of_text(Role.SYSTEM, AS_OBJECT),
        *context.messages,
        NeutralMessage.of_text(Role.ASSISTANT, done.text or "…"),
        NeutralMessage.of_text(Role.USER, AS_OBJECT),
    )
    request = CompletionRequest(
        organization_id=context.organization_id,
        project_id=context.project_id,
        user_id=context.user_id,
        messages=said,
        parameters=Parameters(),
        model_id=context.model_id or context.instructions.model_id,
        purpose=Purpose.GENERATION,
        language=context.language,
        correlation_id=context.correlation_id,
    )
    answer = await structured.ask(request, lambda _kind: schema, meter)
    value = repair.read(answer.text).value
    if wrong := shapes.first_wrong(schema, value):
        detail = f"The answer does not fit the schema: {wrong}"
        raise problems.problem("validation", 502, detail, code="does_not_fit", cost=meter.cost)
    return value


_NAME = {"type": "string", "minLength": 1, "maxLength": 200}

FUNCTIONS = (
    WorkflowFunction(
        "agent",
        _("Lets an agent of the project work, with the tools that the stage allows."),
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["prompt"],
            "properties": {
                "prompt": {"type": "string", "minLength": 1, "maxLength": 100_000},
                "agent": _NAME,
                "model": _NAME,
                "tools": {"type": "array", "maxItems": 50, "items": _NAME},
                "rounds": {"type": "integer", "minimum": 1, "maximum": MOST_ROUNDS},
                "schema": {"type": "object"},
            },
        },
        outside=work,
        about=_about,
    ),
)
