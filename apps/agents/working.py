"""An agent at work: it answers, asks for tools, reads what they say, and answers again, until it has no more to ask or has asked often enough."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from apps.agents import engine, tools
from apps.agents.types import AnswerContext
from apps.core.db import in_thread
from apps.core.doors.tools import Tool
from apps.llm.types import (
    Answered,
    AppendText,
    Finished,
    NeutralMessage,
    NeutralPart,
    OpenPart,
    Parameters,
    PartType,
    ReasoningContent,
    Role,
    SetPart,
    TextContent,
    ToolCallContent,
    ToolResultContent,
)

#: Of one round: a model that wants more is told of the first ones.
MOST_CALLS = 8


class Stopped(Exception):
    """Somebody does not want it to go on."""


@dataclass(frozen=True, slots=True)
class Used:
    """A tool that was asked for, and whether it could answer."""

    name: str
    arguments: dict[str, Any]
    is_error: bool


@dataclass(slots=True)
class Worked:
    """What came of it. ``messages``: what was said since the question, the last answer at the end."""

    text: str = ""
    model: str = ""
    is_demo: bool = False
    used: list[Used] = field(default_factory=list)
    messages: list[NeutralMessage] = field(default_factory=list)


@dataclass(slots=True)
class _Round:
    """One answer as it comes, by the numbers of its parts."""

    parts: dict[int, NeutralPart] = field(default_factory=dict)
    texts: dict[int, list[str]] = field(default_factory=dict)

    def take(self, operation: Any) -> None:
        match operation:
            case OpenPart(index=index, type=PartType.TEXT):
                self.texts[index] = []
            case AppendText(index=index, text=text) if index in self.texts:
                self.texts[index].append(text)
            case SetPart(index=index, data={"id": pk, "name": name, "arguments": arguments}):
                self.parts[index] = ToolCallContent(pk, name, arguments)
            case SetPart(index=index, data={"text": text, "signature": signature}):
                self.parts[index] = ReasoningContent(text, signature)

    @property
    def text(self) -> str:
        return "".join("".join(pieces) for _index, pieces in sorted(self.texts.items()))

    def message(self) -> NeutralMessage:
        said: dict[int, NeutralPart] = {
            index: TextContent("".join(pieces)) for index, pieces in self.texts.items() if pieces
        }
        return NeutralMessage(Role.ASSISTANT, tuple(part for _index, part in sorted((said | self.parts).items())))

    def calls(self) -> list[ToolCallContent]:
        return [part for _index, part in sorted(self.parts.items()) if isinstance(part, ToolCallContent)]


async def work(
    context: AnswerContext,
    these: Sequence[Tool],
    caller: tools.Caller,
    *,
    rounds: int,
    may_go_on: Callable[[], bool],
    spend: Callable[[Decimal | str], None],
) -> Worked:
    """At most ``rounds`` times tools are asked for; then it has to answer without. ``may_go_on`` is asked between, ``spend`` told each cost.

    Raises ``ModelError`` as ``engine.answer`` does, and ``Stopped``.
    """
    done = Worked()
    specs = tools.specs_of(these)
    for number in range(rounds + 1):
        asked = replace(context, messages=(*context.messages, *done.messages), tools=specs)
        if specs and number == rounds:
            asked = replace(asked, overrides=replace(context.overrides or Parameters(), tool_choice="none"))
        heard = await _hear(asked, done, spend)
        done.messages.append(heard.message())
        done.text = heard.text
        calls = heard.calls()
        if not calls or number == rounds:
            return done
        done.messages.append(await _ask_tools(these, calls, caller, done.used))
        if not await in_thread(may_go_on):
            raise Stopped
    raise AssertionError("the last round returns")


async def _hear(context: AnswerContext, done: Worked, spend: Callable[[Decimal | str], None]) -> _Round:
    heard = _Round()
    async with aclosing(engine.answer(context)) as operations:
        async for operation in operations:
            heard.take(operation)
            match operation:
                case Answered(provider=provider, model=model, is_demo=is_demo):
                    done.model, done.is_demo = f"{provider}/{model}", is_demo
                case Finished(cost=cost):
                    spend(cost)
    return heard


async def _ask_tools(
    these: Sequence[Tool], calls: list[ToolCallContent], caller: tools.Caller, used: list[Used]
) -> NeutralMessage:
    """One after the other, in the order in which they were asked for; each call has its answer, as both wires want it."""
    results = []
    for place, call in enumerate(calls):
        if place >= MOST_CALLS:
            results.append(ToolResultContent(call.id, "Too many at once. Ask again.", is_error=True))
            continue
        answer = await tools.run(these, call.name, call.arguments, caller)
        used.append(Used(call.name, dict(call.arguments), answer.is_error))
        results.append(ToolResultContent(call.id, answer.content, answer.is_error))
        await asyncio.sleep(0)
    return NeutralMessage(Role.TOOL, tuple(results))
