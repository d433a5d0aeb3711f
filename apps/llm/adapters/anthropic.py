"""The Anthropic wire (messages)."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import anthropic
import httpx2  # noqa: TID251  (its types; the transport is core.http's)
from jiter import from_json

from apps.core.http import AddressRefused as UrlRefused
from apps.llm import errors
from apps.llm.adapters import exchange, failures
from apps.llm.adapters.knowledge import unseen_image, written_document
from apps.llm.adapters.parts import PartWriter
from apps.llm.adapters.sse import EventParser
from apps.llm.presets import Preset
from apps.llm.types import (
    Finished,
    FinishReason,
    ImageContent,
    KnowledgeContent,
    NeutralMessage,
    NeutralPart,
    Operation,
    Purpose,
    ReasoningContent,
    RemoteModel,
    Role,
    TextContent,
    Timeouts,
    ToolCallContent,
    ToolResultContent,
    Usage,
    WireCall,
)

DEFAULT_MAX_TOKENS = 8192  # the protocol demands a number
_FINISH = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "pause_turn": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_CALLS,
    "refusal": FinishReason.CONTENT,
}


class AnthropicAdapter:
    """One per provider row and version: the client keeps connections alive between calls."""

    def __init__(
        self,
        *,
        preset: Preset,
        base_url: str,
        api_key: str,
        transport: httpx2.AsyncBaseTransport,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        # A redirect would carry the key to a host that nobody entered.
        http_client = anthropic.DefaultAsyncHttpxClient(transport=transport, follow_redirects=False, trust_env=False)
        self._client = anthropic.AsyncAnthropic(
            api_key=api_key or "none",
            # The SDK adds /v1 itself; people paste both forms.
            base_url=base_url.rstrip("/").removesuffix("/v1"),
            max_retries=0,
            http_client=http_client,
            default_headers=dict(headers or {}),
        )

    async def aclose(self) -> None:
        await self._client.close()

    async def stream(self, call: WireCall, *, headers: Mapping[str, str]) -> AsyncIterator[Operation]:
        """Operations up to ``Finished``; raises ``ModelError``. Closing the generator closes the connection."""
        if call.purpose is Purpose.EMBEDDING:
            raise errors.ProviderRefused("This protocol makes no vectors.")
        body = self._body(call)
        try:
            async with exchange.exchange(self._client, "/v1/messages", body, dict(headers), call.timeouts) as answer:
                reader = _Reader(answer)
                parser = EventParser()
                async for chunk in answer.chunks():
                    for data in parser.feed(chunk):
                        for operation in reader.read(data):
                            yield operation
                for data in parser.finish():
                    for operation in reader.read(data):
                        yield operation
                for operation in reader.finish():
                    yield operation
        except anthropic.APIStatusError as error:
            raise failures.of_status(error.status_code, error.body, error.response.headers) from error
        except (anthropic.APIConnectionError, UrlRefused) as error:
            raise failures.of_connection(error) from error

    async def list_models(self, *, timeouts: Timeouts) -> list[RemoteModel]:
        limit = httpx2.Timeout(timeouts.first_byte_seconds, connect=timeouts.connect_seconds)
        try:
            page = await self._client.get("/v1/models?limit=1000", cast_to=object, options={"timeout": limit})
        except anthropic.APIStatusError as error:
            raise failures.of_status(error.status_code, error.body, error.response.headers) from error
        except (anthropic.APIConnectionError, UrlRefused) as error:
            raise failures.of_connection(error) from error
        except anthropic.APIError as error:
            raise errors.ProviderProtocolError(type(error).__name__) from error
        rows = page.get("data") if isinstance(page, dict) else None
        if not isinstance(rows, list):
            raise errors.ProviderProtocolError("The list of models is not a list.")
        return [RemoteModel(row["id"]) for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)]

    def _body(self, call: WireCall) -> dict[str, Any]:
        given = call.parameters
        limit = given.max_output_tokens or call.max_output_tokens or DEFAULT_MAX_TOKENS
        body: dict[str, Any] = {
            "model": call.model,
            "messages": wire_messages(call),
            "max_tokens": limit,
            "stream": True,
        }
        if system := "\n\n".join(_flat(m) for m in call.messages if m.role is Role.SYSTEM):
            body["system"] = system
        if call.tools:
            body["tools"] = [
                {"name": tool.name, "description": tool.description, "input_schema": dict(tool.parameters)}
                for tool in call.tools
            ]
        if given.tool_choice and call.tools:
            named = {"type": "tool", "name": given.tool_choice}
            choices = {"auto": {"type": "auto"}, "none": {"type": "none"}, "required": {"type": "any"}}
            body["tool_choice"] = choices.get(given.tool_choice, named)
        output: dict[str, Any] = {}
        if given.response_schema is not None:
            output["format"] = {"type": "json_schema", "schema": dict(given.response_schema)}
        if given.reasoning_effort:
            output["effort"] = given.reasoning_effort
            body["thinking"] = {"type": "adaptive", "display": "summarized"}
        if output:
            body["output_config"] = output
        plain = {"temperature": given.temperature, "top_p": given.top_p, "stop_sequences": list(given.stop) or None}
        return body | {name: value for name, value in plain.items() if value is not None}


class _Reader:
    """Turns the events of one answer into operations."""

    def __init__(self, body: exchange.Body) -> None:
        self._body = body
        self._writer = PartWriter()
        self._input: dict[str, Any] = {}
        self._output: dict[str, Any] = {}
        self._reason: FinishReason | None = None
        self._tools: set[int] = set()
        self._is_done = False

    def read(self, data: bytes) -> Iterator[Operation]:
        try:
            event = from_json(data)
        except ValueError as error:
            raise errors.ProviderProtocolError(f"An event is not JSON: {error}") from error
        if self._is_done:
            raise errors.ProviderProtocolError("The stream goes on after its end mark.")
        try:
            yield from self._read_event(event)
        except (AttributeError, KeyError, TypeError, IndexError) as error:
            raise errors.ProviderProtocolError("An event has another shape than the protocol's.") from error

    def _read_event(self, event: dict[str, Any]) -> Iterator[Operation]:
        match event["type"]:
            case "content_block_delta":
                yield from self._read_delta(event["index"], event["delta"])
            case "content_block_start":
                block = event["content_block"]
                if block["type"] == "tool_use":
                    self._body.show()
                    self._tools.add(event["index"])
                    yield from self._writer.call_tool(event["index"], call_id=block["id"], name=block["name"])
                elif text := block.get("text"):
                    self._body.show()
                    yield from self._writer.text(text)
            case "content_block_stop":
                yield from self._writer.close_text()
            case "message_start":
                self._input = event["message"].get("usage") or {}
            case "message_delta":
                if reason := event["delta"].get("stop_reason"):
                    self._reason = _FINISH.get(reason, FinishReason.STOP)
                self._output = event.get("usage") or {}
            case "message_stop":
                self._is_done = True
                self._body.is_complete = True
            case "error":
                raise failures.of_stream_error(event.get("error") or {}, is_visible=self._body.is_visible)

    def _read_delta(self, index: int, delta: dict[str, Any]) -> Iterator[Operation]:
        match delta["type"]:
            case "text_delta":
                self._body.show()
                yield from self._writer.text(delta["text"])
            case "thinking_delta":
                self._body.show()
                yield from self._writer.reasoning(delta["thinking"])
            case "input_json_delta" if index in self._tools:
                yield from self._writer.call_tool(index, arguments=delta["partial_json"])
            case "signature_delta":
                yield from self._writer.sign_reasoning(delta["signature"])

    def finish(self) -> Iterator[Operation]:
        if self._reason is None and not self._is_done:
            raise errors.ProviderProtocolError("The stream has no end mark.")
        yield from self._writer.finish()
        if usage := self._usage():
            yield usage
        if not self._writer.has_answer:
            if self._reason is FinishReason.CONTENT:
                raise errors.ContentRefused
            if self._reason is not FinishReason.LENGTH:
                raise errors.EmptyAnswer
        yield Finished(self._reason or FinishReason.STOP)

    def _usage(self) -> Usage | None:
        """None without a count of the output: the engine then estimates both."""
        if "output_tokens" not in self._output:
            return None
        merged = {**self._input, **{name: value for name, value in self._output.items() if value is not None}}
        cached = int(merged.get("cache_read_input_tokens") or 0)
        written = int(merged.get("cache_creation_input_tokens") or 0)
        return Usage(
            input_tokens=int(merged.get("input_tokens") or 0) + cached + written,
            output_tokens=int(merged["output_tokens"]),
            cached_tokens=cached,
        )


def wire_messages(call: WireCall) -> list[dict[str, Any]]:
    """The protocol wants turns that alternate and tool results in the user's: neighbours of one role are joined."""
    turns: list[dict[str, Any]] = []
    for message in call.messages:
        if message.role is Role.SYSTEM:
            continue
        role = "assistant" if message.role is Role.ASSISTANT else "user"
        blocks = [block for part in message.parts if (block := _block(part, can_see=call.can_see))]
        if message.name and blocks and blocks[0]["type"] == "text":
            blocks[0] = {"type": "text", "text": f"{message.name}: {blocks[0]['text']}"}
        if not blocks:
            continue
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": role, "content": blocks})
    return turns


def _block(part: NeutralPart, *, can_see: bool) -> dict[str, Any] | None:
    match part:
        case TextContent(text=text):
            return {"type": "text", "text": text} if text.strip() else None
        case KnowledgeContent():
            return {"type": "text", "text": written_document(part)}
        case ImageContent() if can_see:
            source = {"type": "base64", "media_type": part.media_type, "data": base64.b64encode(part.data).decode()}
            return {"type": "image", "source": source}
        case ImageContent():
            return {"type": "text", "text": unseen_image(part)}
        case ToolCallContent():
            return {"type": "tool_use", "id": part.id, "name": part.name, "input": dict(part.arguments)}
        case ToolResultContent():
            return {"type": "tool_result", "tool_use_id": part.id, "content": part.content, "is_error": part.is_error}
        case ReasoningContent(signature=signature):
            return {"type": "thinking", "thinking": part.text, "signature": signature} if signature else None


def _flat(message: NeutralMessage) -> str:
    return "".join(
        written_document(part) if isinstance(part, KnowledgeContent) else part.text
        for part in message.parts
        if isinstance(part, (TextContent, KnowledgeContent))
    )
