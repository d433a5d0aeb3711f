"""The generator that a runner iterates: instructions and path in, operations on parts out."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import fields, replace

from django.utils.translation import gettext, override

from apps.agents.types import AnswerContext
from apps.llm import engine as llm
from apps.llm.types import CompletionRequest, NeutralMessage, Operation, Parameters, Role


async def answer(context: AnswerContext) -> AsyncGenerator[Operation]:
    """Yield what ``llm.engine.stream`` yields for this context; raises its ``ModelError``s."""
    instructions = _instructions(context)
    request = CompletionRequest(
        organization_id=context.organization_id,
        project_id=context.project_id,
        user_id=context.user_id,
        turn_id=context.turn_id,
        messages=(*instructions, *context.messages),
        model_id=context.model_id or context.instructions.model_id,
        parameters=_parameters(context),
        tools=context.tools,
        purpose=context.purpose,
        language=context.language,
        correlation_id=context.correlation_id,
        may_cut_results=context.may_cut_results,
        without_tools=context.without_tools,
        may_leave_out=len(instructions) + context.may_leave_out if context.may_leave_out else 0,
    )
    # Closing this generator must end the call now, not when the garbage collector comes to it.
    async with aclosing(llm.stream(request)) as operations:
        async for operation in operations:
            yield operation


def _parameters(context: AnswerContext) -> Parameters:
    if context.overrides is None:
        return context.instructions.parameters
    asked = {field.name: getattr(context.overrides, field.name) for field in fields(Parameters)}
    return replace(
        context.instructions.parameters, **{name: value for name, value in asked.items() if value not in (None, ())}
    )


def _instructions(context: AnswerContext) -> tuple[NeutralMessage, ...]:
    """One system message: the agent's instructions, then the conversation's own, then who takes part."""
    pieces = [piece for piece in (context.instructions.text, context.system_prompt) if piece]
    if len(context.people) > 1:
        with override(context.language):
            pieces.append(
                gettext("Several people take part: %(names)s. The name before a message says who wrote it.")
                % {"names": ", ".join(context.people)}
            )
    return (NeutralMessage.of_text(Role.SYSTEM, "\n\n".join(pieces)),) if pieces else ()
