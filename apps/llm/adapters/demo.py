"""Answers without a model, so that everything can be tried before one is connected. Every answer says what it is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping

from apps.llm import tokens
from apps.llm.adapters import demo_answers, demo_collections, demo_making, demo_proposals, demo_rules, demo_wishes
from apps.llm.adapters.parts import PartWriter
from apps.llm.types import (
    Finished,
    FinishReason,
    Operation,
    Purpose,
    RemoteModel,
    Role,
    Timeouts,
    ToolResultContent,
    Usage,
    WireCall,
)

DEMO_MODEL = "demo"
RECORD_TOOLS = "records_"
SECONDS_BEFORE_FIRST_WORD = 0.15
SECONDS_A_WORD = 0.025


class DemoAdapter:
    def __init__(self, *, seconds_a_word: float = SECONDS_A_WORD) -> None:
        self._pace = seconds_a_word

    async def aclose(self) -> None:
        return

    async def list_models(self, *, timeouts: Timeouts) -> list[RemoteModel]:
        return [RemoteModel(DEMO_MODEL, 100_000)]

    async def stream(self, call: WireCall, *, headers: Mapping[str, str]) -> AsyncIterator[Operation]:
        writer = PartWriter()
        if self._pace:
            await asyncio.sleep(SECONDS_BEFORE_FIRST_WORD)
        reason = FinishReason.STOP
        text = self._text(call)
        limit = call.parameters.max_output_tokens
        for count, piece in enumerate(_words(text)):
            if limit is not None and count >= limit:
                reason = FinishReason.LENGTH
                break
            for operation in writer.text(piece):
                yield operation
            if self._pace and call.purpose is Purpose.CHAT:
                await asyncio.sleep(self._pace)
        if wanted := self._wanted_tool(call):
            name, arguments = wanted
            call_id = f"demo_{len(call.messages)}"
            for operation in writer.call_tool(0, call_id=call_id, name=name, arguments=json.dumps(arguments)):
                yield operation
            reason = FinishReason.TOOL_CALLS
        for operation in writer.finish():
            yield operation
        yield Usage(input_tokens=tokens.of_messages(call.messages), output_tokens=tokens.of_text(text), estimated=True)
        yield Finished(reason)

    def _text(self, call: WireCall) -> str:
        if call.purpose is Purpose.TITLE:
            return demo_answers.title(call.messages)
        if call.parameters.response_schema is not None:
            schema = call.parameters.response_schema
            if call.purpose is Purpose.GENERATION and demo_rules.is_envelope(schema):
                found = demo_making.make(demo_answers.last_person(call.messages), schema)
            elif demo_wishes.is_asked(schema):
                found = demo_wishes.read(demo_answers.last_person(call.messages))
            elif demo_collections.is_asked(schema):
                found = demo_collections.read(demo_answers.last_person(call.messages))
            elif demo_proposals.is_asked(schema):
                found = demo_proposals.propose(demo_answers.last_person(call.messages))
            elif call.purpose is Purpose.GENERATION:
                found = demo_making.fill(demo_answers.last_person(call.messages), schema)
            else:
                found = demo_answers.extracted(call.messages, schema)
            return json.dumps(found, ensure_ascii=False)
        if call.purpose is Purpose.GENERATION:
            return demo_making.say(demo_answers.last_person(call.messages))
        return demo_answers.answer(
            call.messages, language=call.language, tool=self._wanted_tool(call), has_records=_has_records(call)
        )

    def _wanted_tool(self, call: WireCall) -> tuple[str, dict[str, object]] | None:
        """A tool is called when the last message is a person's and names it; its result is then told."""
        if not call.tools or call.parameters.response_schema is not None or call.purpose is not Purpose.CHAT:
            return None
        last = call.messages[-1] if call.messages else None
        if last is None or last.role is not Role.USER or any(isinstance(p, ToolResultContent) for p in last.parts):
            return None
        return demo_answers.wanted_tool(last.text, call.tools, must=call.parameters.tool_choice)


def _has_records(call: WireCall) -> bool:
    """Such tools are only there where a project has collections."""
    return any(tool.name.startswith(RECORD_TOOLS) for tool in call.tools)


def _words(text: str) -> Iterator[str]:
    """Words with the space that follows, so that joining them gives the text back."""
    start = 0
    while start < len(text):
        end = start
        while end < len(text) and not text[end].isspace():
            end += 1
        while end < len(text) and text[end].isspace():
            end += 1
        yield text[start:end]
        start = end
