"""Calls ``llm`` (or an agent) for a program and turns the operations into OpenAI's answers, on the web process' loop."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

from apps.accounts.types import Actor
from apps.agents import engine as agents
from apps.agents import selectors as agent_selectors
from apps.agents.types import AnswerContext
from apps.core.api import as_domain_error
from apps.gateway import selectors
from apps.gateway.openai.writing import Answer, error_event
from apps.gateway.types import Answerer, Completion, Operations
from apps.gateway.watching import while_allowed
from apps.llm import engine as llm
from apps.llm.types import Answered, CompletionRequest, Operation, Parameters, Purpose

logger = logging.getLogger(__name__)

Prepared = CompletionRequest | AnswerContext


def prepare(actor: Actor, completion: Completion, *, correlation_id: str) -> Prepared:
    """Blocks: finds who is meant and reads the agent's instructions. Raises ``NoSuchModel``."""
    assert actor.organization_id is not None
    answerer = selectors.resolve(actor, completion.model)
    parameters = _capped(completion.parameters, answerer)
    if answerer.agent_id is None or answerer.project_id is None:
        return CompletionRequest(
            organization_id=actor.organization_id,
            project_id=actor.project_id,
            user_id=actor.user_id,
            model_id=answerer.model_id,
            messages=completion.messages,
            parameters=parameters,
            tools=completion.tools,
            purpose=Purpose.API,
            language=actor.language,
            correlation_id=correlation_id,
        )
    agent = agent_selectors.get_agent(agent_id=answerer.agent_id, viewer=actor)
    return AnswerContext(
        organization_id=actor.organization_id,
        project_id=answerer.project_id,
        turn_id=None,
        user_id=actor.user_id,
        instructions=agent_selectors.read_instructions(agent=agent, project_id=answerer.project_id),
        messages=completion.messages,
        tools=completion.tools,
        overrides=parameters,
        purpose=Purpose.API,
        language=actor.language,
        correlation_id=correlation_id,
    )


def _capped(parameters: Parameters, answerer: Answerer) -> Parameters:
    asked, most = parameters.max_output_tokens, answerer.max_output_tokens
    if asked is not None and most is not None and asked > most:
        return dataclasses.replace(parameters, max_output_tokens=most)
    return parameters


def operations_of(prepared: Prepared, may_go_on: Callable[[], object]) -> Operations:
    """Iterate under ``aclosing``. ``may_go_on`` is asked in a thread every few seconds; what it raises ends the call."""
    operations = agents.answer(prepared) if isinstance(prepared, AnswerContext) else llm.stream(prepared)
    return while_allowed(operations, may_go_on)


async def read_until_answered(operations: Operations) -> list[Operation]:
    """The operations up to the one that says who answers: an error before it still has a status of its own."""
    read: list[Operation] = []
    async for operation in operations:
        read.append(operation)
        if isinstance(operation, Answered):
            break
    return read


async def collect(operations: Operations, answer: Answer) -> Answer:
    """The whole answer. Cancelled (the client went away), it closes the call, which settles what was used."""
    async with aclosing(operations):
        async for operation in operations:
            for _chunk in answer.chunks(operation):
                pass
    return answer


async def events(begun: list[Operation], operations: Operations, answer: Answer) -> AsyncIterator[bytes]:
    """Server-sent events. An error in the middle is told in the stream; a client that goes away ends the call."""
    async with aclosing(operations):
        try:
            yield answer.opening()
            for operation in begun:
                for chunk in answer.chunks(operation):
                    yield chunk
            async for operation in operations:
                for chunk in answer.chunks(operation):
                    yield chunk
        except Exception as error:
            domain_error = as_domain_error(error)
            if domain_error.code == "internal_error":
                logger.exception("gateway_stream_failed")
            yield error_event(domain_error)
            return
        for chunk in answer.ending():
            yield chunk
