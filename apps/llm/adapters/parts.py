"""Writes an answer as numbered parts, whatever the order in which a wire brings its pieces."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from jiter import from_json

from apps.core.storable import as_json, storable
from apps.llm.errors import ProviderProtocolError
from apps.llm.types import AppendText, ClosePart, OpenPart, Operation, PartType, SetPart

MAX_ARGUMENT_CHARACTERS = 1024 * 1024
MAX_TOOL_CALLS = 128


@dataclass(slots=True)
class _Call:
    index: int
    id: str
    name: str
    pieces: list[str] = field(default_factory=list)
    size: int = 0


class PartWriter:
    """``has_answer``: text or a tool call was written; ``is_visible``: anything was, so that nothing may be tried again."""

    def __init__(self) -> None:
        self._next = 0
        self._open: PartType | None = None
        self._index = -1
        self._calls: dict[Any, _Call] = {}
        self._reasoning: list[str] = []
        self.has_answer = False
        self.is_visible = False

    def text(self, text: str) -> Iterator[Operation]:
        self.has_answer = True
        return self._append(PartType.TEXT, text)

    def reasoning(self, text: str) -> Iterator[Operation]:
        if self._open is not PartType.REASONING:
            self._reasoning = []
        self._reasoning.append(text)
        return self._append(PartType.REASONING, text)

    def _append(self, kind: PartType, text: str) -> Iterator[Operation]:
        if "\x00" in text:  # PostgreSQL stores no NUL, and no reader misses it
            text = text.replace("\x00", "")
        if not text:
            return
        if self._open is not kind:
            yield from self.close_text()
            self._index = self._take_index()
            self._open = kind
            yield OpenPart(self._index, kind)
        yield AppendText(self._index, text)

    def sign_reasoning(self, signature: str) -> Iterator[Operation]:
        """Providers that sign their reasoning want it back unchanged in the next call."""
        if self._open is PartType.REASONING:
            yield SetPart(self._index, {"text": "".join(self._reasoning), "signature": signature})

    def close_text(self) -> Iterator[Operation]:
        if self._open is not None:
            self._open = None
            yield ClosePart(self._index)

    def call_tool(self, key: Any, *, call_id: str = "", name: str = "", arguments: str = "") -> Iterator[Operation]:
        """Pieces of one call share ``key``. Raises ``ProviderProtocolError`` where a call has no name or no end."""
        call = self._calls.get(key)
        if call is None:
            if not name or len(self._calls) >= MAX_TOOL_CALLS:
                raise ProviderProtocolError("A tool call without a name, or too many of them.")
            yield from self.close_text()
            index = self._take_index()
            call = self._calls[key] = _Call(index, storable(call_id) or f"call_{index}", storable(name))
            self.has_answer = True
            yield OpenPart(index, PartType.TOOL_CALL, {"id": call.id, "name": call.name, "arguments": {}})
        call.pieces.append(arguments)
        call.size += len(arguments)
        if call.size > MAX_ARGUMENT_CHARACTERS:
            raise ProviderProtocolError("The arguments of a tool call do not end.")

    def finish(self) -> Iterator[Operation]:
        """Close what is open; the arguments of tool calls must be JSON objects by now."""
        yield from self.close_text()
        for call in self._calls.values():
            written = "".join(call.pieces).strip()
            try:
                # As a row keeps it: without NUL, which its escapes can say; a number that is none is no JSON.
                arguments = json.loads(as_json(from_json(written.encode()))) if written else {}
            except ValueError as error:
                raise ProviderProtocolError(f"The arguments of {call.name} are not JSON.") from error
            if not isinstance(arguments, dict):
                raise ProviderProtocolError(f"The arguments of {call.name} are not an object.")
            yield SetPart(call.index, {"id": call.id, "name": call.name, "arguments": arguments})
            yield ClosePart(call.index)
        self._calls = {}

    def _take_index(self) -> int:
        index = self._next
        self._next += 1
        self.is_visible = True
        return index
