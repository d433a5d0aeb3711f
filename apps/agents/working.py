"""An agent at work: it answers, asks for tools, reads what they say, and answers again, until it has no more to ask or has asked often enough.

``stream`` is the loop, for who shows it as it comes; ``work`` gives what came of it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from apps.agents import engine, tools
from apps.agents.types import AnswerContext, AnswerWithoutWords
from apps.core.db import in_thread
from apps.core.doors.tools import Tool, ToolAnswer
from apps.llm.types import (
    Answered,
    AppendText,
    ClosePart,
    Finished,
    NeutralMessage,
    NeutralPart,
    OpenPart,
    Operation,
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
#: Of all that tools gave in one answer: a context has an end.
MOST_CHARACTERS = 200_000
LONGEST_NAME = 200
#: Asked in a thread, before each call: which may be asked now.
Usable = Callable[[], Sequence[Tool]]


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
    """What came of it: ``text`` is the last answer."""

    text: str = ""
    model: str = ""
    is_demo: bool = False
    used: list[Used] = field(default_factory=list)


@dataclass(slots=True)
class _Round:
    """One answer as it comes, by the numbers of its parts."""

    parts: dict[int, NeutralPart] = field(default_factory=dict)
    texts: dict[int, list[str]] = field(default_factory=dict)
    count: int = 0

    def take(self, operation: Operation) -> None:
        match operation:
            case OpenPart(index=index, type=kind):
                self.count = max(self.count, index + 1)
                if kind is PartType.TEXT:
                    self.texts[index] = []
            case AppendText(index=index, text=text) if index in self.texts:
                self.texts[index].append(text)
            case SetPart(index=index, data={"id": pk, "name": name, "arguments": arguments}):
                self.parts[index] = ToolCallContent(pk, name, arguments)
            case SetPart(index=index, data={"text": text, "signature": signature}):
                self.parts[index] = ReasoningContent(text, signature)

    def message(self) -> NeutralMessage:
        said: dict[int, NeutralPart] = {
            index: TextContent("".join(pieces)) for index, pieces in self.texts.items() if pieces
        }
        return NeutralMessage(
            Role.ASSISTANT, tuple(_short(part) for _index, part in sorted((said | self.parts).items()))
        )

    @property
    def has_words(self) -> bool:
        return any("".join(pieces).strip() for pieces in self.texts.values())

    def calls(self) -> list[ToolCallContent]:
        return [part for _index, part in sorted(self.parts.items()) if isinstance(part, ToolCallContent)]


def _short(part: NeutralPart) -> NeutralPart:
    if isinstance(part, ToolCallContent) and tools.is_too_long(part.arguments):
        return replace(part, arguments={})
    return part


async def stream(
    context: AnswerContext,
    usable: Usable,
    caller: tools.Caller,
    *,
    rounds: int,
    may_go_on: Callable[[], bool] | None = None,
) -> AsyncGenerator[Operation]:
    """What ``engine.answer`` yields, round after round, its parts numbered through; behind those of a round one for what became of each
    tool that it asked for. What a tool gave is for the model alone, since who reads the answer may see less than who asked: the part
    has words only where it failed.

    ``context.tools`` are offered. At most ``rounds`` times they are asked; then the model has to answer without, and if it asks even
    so, it is asked once more as if there were none. ``may_go_on`` is asked between, in a thread. What is said in different rounds stands in
    paragraphs of its own. Raises ``ModelError`` as ``engine.answer`` does, ``AnswerWithoutWords``, and ``Stopped``.
    """
    said: list[NeutralMessage] = []
    base, room, has_spoken = 0, MOST_CHARACTERS, False
    for number in range(rounds + 2):
        is_last, is_beyond = number >= rounds, number > rounds
        asked = _asked(context, said, left=rounds - number)
        heard = _Round()
        async with aclosing(engine.answer(asked)) as operations:
            async for operation in operations:
                heard.take(operation)
                yield _numbered(operation, base)
                if has_spoken and isinstance(operation, OpenPart) and operation.type is PartType.TEXT:
                    has_spoken = False
                    yield AppendText(base + operation.index, "\n\n")
        base += heard.count
        has_spoken = has_spoken or bool(heard.texts)
        calls = heard.calls()
        if not calls:
            return
        results = []
        for place, call in enumerate(calls):
            if is_last or room <= 0:
                answer = ToolAnswer("Asked often enough.", is_error=True)
            elif place >= MOST_CALLS:
                answer = ToolAnswer("Too many at once. Ask again.", is_error=True)
            else:
                answer = await tools.run(await in_thread(usable), call.name, call.arguments, caller)
            room -= len(answer.content)
            results.append(ToolResultContent(call.id, answer.content, answer.is_error))
            yield OpenPart(base, PartType.TOOL_RESULT, _told(call.id, answer))
            yield ClosePart(base)
            base += 1
        if is_beyond and heard.has_words:  # before that, words beside a question are about the question
            return
        said += [heard.message(), NeutralMessage(Role.TOOL, tuple(results))]
        if may_go_on is not None and not await in_thread(may_go_on):
            raise Stopped
    raise AnswerWithoutWords


def _asked(context: AnswerContext, said: Sequence[NeutralMessage], *, left: int) -> AnswerContext:
    """With ``left`` rounds to go. What is beyond them is asked as of a model that knows no tools: no protocol refuses it."""
    asked = replace(context, messages=(*context.messages, *said), may_cut_results=True)
    if not context.tools or left > 0:
        return asked
    if left < 0:
        return replace(asked, without_tools=True)
    return replace(asked, overrides=replace(context.overrides or Parameters(), tool_choice="none"))


def _numbered(operation: Operation, base: int) -> Operation:
    """Behind ``base`` parts; of what a model asks for no more than a reader has use for."""
    match operation:
        case AppendText(index=index, text=text):
            return AppendText(base + index, text) if base else operation
        case OpenPart(index=index, type=kind, data=data):
            return OpenPart(base + index, kind, _cut(data))
        case SetPart(index=index, data=data):
            return SetPart(base + index, _cut(data))
        case ClosePart(index=index):
            return ClosePart(base + index)
        case _:
            return operation


def _cut(data: Mapping[str, Any]) -> Mapping[str, Any]:
    match data:
        case {"id": pk, "name": name, "arguments": arguments}:
            shown = {} if tools.is_too_long(arguments) else arguments
            return {"id": pk[:LONGEST_NAME], "name": name[:LONGEST_NAME], "arguments": shown}
        case _:
            return data


def _told(pk: str, answer: ToolAnswer) -> dict[str, Any]:
    return {
        "id": pk[:LONGEST_NAME],
        "content": answer.content if answer.is_error else "",
        "is_error": answer.is_error,
    }


async def work(
    context: AnswerContext,
    these: Sequence[Tool],
    caller: tools.Caller,
    *,
    rounds: int,
    may_go_on: Callable[[], bool],
    spend: Callable[[Decimal | str], None],
) -> Worked:
    """As ``stream``, to its end, with ``these`` tools. ``spend`` is told each cost."""
    done = Worked()
    texts: dict[int, list[str]] = {}
    asked: list[tuple[str, dict[str, Any]]] = []
    context = replace(context, tools=tools.specs_of(these))
    async with aclosing(stream(context, lambda: these, caller, rounds=rounds, may_go_on=may_go_on)) as operations:
        async for operation in operations:
            match operation:
                case Answered(provider=provider, model=model, is_demo=is_demo):
                    done.model, done.is_demo = f"{provider}/{model}", is_demo
                    texts = {}
                case OpenPart(index=index, type=PartType.TEXT):
                    texts[index] = []
                case AppendText(index=index, text=text) if index in texts:
                    texts[index].append(text)
                case SetPart(data={"name": name, "arguments": arguments}):
                    asked.append((name, dict(arguments)))
                case OpenPart(type=PartType.TOOL_RESULT, data={"is_error": is_error}):
                    done.used.append(Used(*asked[len(done.used)], is_error))
                case Finished(cost=cost):
                    spend(cost)
    done.text = "".join("".join(pieces) for _index, pieces in sorted(texts.items())).lstrip("\n")
    return done
