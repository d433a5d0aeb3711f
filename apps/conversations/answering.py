"""The answer of a turn: as the model gives it, or with tools between where the conversation offers any."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any

from apps.accounts.actors import actor_of_row
from apps.agents import engine, tools, working
from apps.agents.types import AnswerContext
from apps.conversations.types import HeldTurn
from apps.core.doors.tools import Tool, ToolCall
from apps.llm.types import Operation

ROUNDS = 5


def answer(held: HeldTurn, context: AnswerContext) -> AsyncGenerator[Operation]:
    """What the runner iterates. Stopping it stops whatever it waits for."""
    if not context.tools:
        return engine.answer(context)
    return working.stream(
        context, lambda: _usable(held, context), lambda given: _call(held, context, given), rounds=ROUNDS
    )


def _usable(held: HeldTurn, context: AnswerContext) -> Sequence[Tool]:
    """Of what the model was offered, what it may ask now: a stage may have begun since."""
    names = {spec.name for spec in context.tools}
    now = tools.offered_beside(
        organization_id=context.organization_id, project_id=context.project_id, conversation_id=held.conversation_id
    )
    return [tool for tool in now if tool.name in names]


def _call(held: HeldTurn, context: AnswerContext, arguments: dict[str, Any]) -> ToolCall:
    """With the rights that who asked has at this moment."""
    return ToolCall(
        actor=actor_of_row(user_id=held.user_id, key_id=held.key_id),
        organization_id=context.organization_id,
        project_id=context.project_id,
        arguments=arguments,
        conversation_id=held.conversation_id,
        turn_id=held.turn_id,
    )
