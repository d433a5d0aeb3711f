"""``prompt`` and ``propose``: what a model says, out of the budget and quota of who the run acts for."""

from __future__ import annotations

import asyncio
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from apps.accounts import quotas
from apps.core.correlation import correlation_id
from apps.core.db import give_connections_back
from apps.core.doors.bulk_kinds import Meter, TryLater
from apps.core.doors.workflow_functions import Gave, WorkflowCall, WorkflowFunction
from apps.core.leases import scaled
from apps.extraction import repair, structured
from apps.extraction.reading_types import Answer
from apps.extraction.types import RUN_CALL_SECONDS
from apps.llm import engine as llm
from apps.llm import selectors as models
from apps.llm.errors import ModelError
from apps.llm.types import CompletionRequest, NeutralMessage, Parameters, Purpose, Role
from apps.workflows import problems
from apps.workflows.problems import TaskError
from apps.workflows.types import Category

#: Longer than one call may take: its own time-out is the one that says so.
SECONDS = RUN_CALL_SECONDS + 20
MOST_OPTIONS = 8
INSTRUCTIONS = (
    "Propose up to {count} different ways to decide what is asked, in the language of the question. Exactly one is recommended, the others are "
    "alternatives. Say of each in a few words how difficult it is, how long it takes and what it changes."
)
_WORDS = 300
#: What an option says, with its greatest length in characters.
_SAID = {"title": 200, "description": 2000, "difficulty": _WORDS, "time": _WORDS, "impact": _WORDS}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "options": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "category": {"type": "string", "enum": [Category.RECOMMENDED.value, Category.ALTERNATIVE.value]},
                    **{name: {"type": "string"} for name in _SAID},
                },
                "required": ["category", *_SAID],
                "additionalProperties": False,
            },
        }
    },
    "required": ["options"],
    "additionalProperties": False,
}


def prompt(call: WorkflowCall) -> Gave:
    """One answer in words."""
    said = (NeutralMessage.of_text(Role.USER, call.arguments["prompt"]),)
    answer, meter = _ask(call, said, None)
    return Gave({"text": answer.text}, cost=meter.cost)


def propose(call: WorkflowCall) -> Gave:
    """Options for ``choose``, the recommended one first."""
    count = call.arguments.get("count", 3)
    instructions = INSTRUCTIONS.format(count=count)
    said = (
        NeutralMessage.of_text(Role.SYSTEM, instructions),
        NeutralMessage.of_text(Role.USER, call.arguments["question"]),
    )
    answer, meter = _ask(call, said, SCHEMA)
    if not (options := understood(answer.text, count)):
        detail = "The model proposed nothing to choose from."
        raise problems.problem("runtime", 502, detail, code="nothing_proposed", cost=meter.cost)
    return Gave({"options": options, "model": answer.model, "is_demo": answer.is_demo}, cost=meter.cost)


def understood(text: str, count: int) -> list[dict[str, str]]:
    """What is an option in it, as far as it says so: one is recommended, and none is there twice."""
    value = repair.read(text).value
    found = value.get("options") if isinstance(value, dict) else value
    options: list[dict[str, str]] = []
    for each in found if isinstance(found, list) else ():
        said = {name: _text(each.get(name), most) for name, most in _SAID.items()} if isinstance(each, dict) else {}
        if not said.get("title") or any(said["title"].casefold() == one["title"].casefold() for one in options):
            continue
        options.append(
            {"category": str(each.get("category")), **{name: words for name, words in said.items() if words}}
        )
    options.sort(key=lambda option: option["category"] != Category.RECOMMENDED)
    return [
        {
            **option,
            "key": f"option-{place}",
            "category": (Category.ALTERNATIVE if place > 1 else Category.RECOMMENDED).value,
        }
        for place, option in enumerate(options[:count], start=1)
    ]


def _text(value: Any, most: int) -> str:
    return " ".join(value.replace("\x00", "").split())[:most] if isinstance(value, str) else ""


def _ask(
    call: WorkflowCall, messages: tuple[NeutralMessage, ...], schema: dict[str, Any] | None
) -> tuple[Answer, Meter]:
    actor = call.actor
    named = call.arguments.get("model")
    model = models.get_model(organization_id=call.organization_id, reference=named) if named else None
    with transaction.atomic():
        quotas.take_answer(actor=actor, organization_id=call.organization_id)
    request = CompletionRequest(
        organization_id=call.organization_id,
        project_id=call.project_id,
        user_id=actor.user_id,
        messages=messages,
        parameters=Parameters(),
        model_id=model.pk if model else None,
        purpose=Purpose.GENERATION if schema else Purpose.CHAT,
        language=actor.language,
        correlation_id=correlation_id(),
    )
    give_connections_back()
    meter = Meter()
    try:
        return asyncio.run(_asked(request, schema, meter)), meter
    except (TryLater, TimeoutError) as later:
        code = later.code if isinstance(later, TryLater) else "timeout"
        detail = "The model does not answer now."
        raise problems.problem("communication", 503, detail, code=code, cost=meter.cost) from later
    except ModelError as error:
        raise TaskError(problems.of_domain_error(error, "").problem, meter.cost) from error


async def _asked(request: CompletionRequest, schema: dict[str, Any] | None, meter: Meter) -> Answer:
    async with asyncio.timeout(scaled(SECONDS)), llm.own_loop():
        return await structured.ask(request, (lambda _kind: schema) if schema else None, meter)


_STRING = {"type": "string", "minLength": 1, "maxLength": 200}
_LONG = {"type": "string", "minLength": 1, "maxLength": 100_000}

FUNCTIONS = (
    WorkflowFunction(
        "prompt",
        _("Asks a model."),
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["prompt"],
            "properties": {"prompt": _LONG, "model": _STRING},
        },
        outside=prompt,
    ),
    WorkflowFunction(
        "propose",
        _("Lets a model propose options to choose from."),
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["question"],
            "properties": {
                "question": _LONG,
                "model": _STRING,
                "count": {"type": "integer", "minimum": 2, "maximum": MOST_OPTIONS},
            },
        },
        outside=propose,
    ),
)
