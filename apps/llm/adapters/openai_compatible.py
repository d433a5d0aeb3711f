"""The OpenAI wire (chat completions), which most providers and all local servers speak."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

import httpx2  # noqa: TID251  (its types; the transport is core.http's)
import openai
from jiter import from_json

from apps.core.http import AddressRefused as UrlRefused
from apps.llm import errors
from apps.llm.adapters import exchange, failures, vectors
from apps.llm.adapters.enforceable import is_enforceable
from apps.llm.adapters.knowledge import unseen_image, written_document
from apps.llm.adapters.parts import PartWriter
from apps.llm.adapters.sse import EventParser
from apps.llm.presets import Preset
from apps.llm.types import (
    Embedded,
    Finished,
    FinishReason,
    ImageContent,
    KnowledgeContent,
    NeutralMessage,
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

_FINISH = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.CONTENT,
}


class OpenAICompatibleAdapter:
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
        self._preset = preset
        # OpenAI's own name for the limit is younger than most servers that speak its protocol.
        self._limit_field = preset.max_tokens_field if base_url == preset.base_url else "max_tokens"
        # A redirect would carry the key to a host that nobody entered.
        http_client = openai.DefaultAsyncHttpxClient(transport=transport, follow_redirects=False, trust_env=False)
        self._client = openai.AsyncOpenAI(
            api_key=api_key or "none",
            base_url=base_url,
            max_retries=0,
            http_client=http_client,
            default_headers=dict(headers or {}),
            organization="",
            project="",
        )

    async def aclose(self) -> None:
        await self._client.close()

    async def stream(self, call: WireCall, *, headers: Mapping[str, str]) -> AsyncIterator[Operation]:
        """Operations up to ``Finished``; raises ``ModelError``. Closing the generator closes the connection."""
        if call.purpose is Purpose.EMBEDDING:
            for operation in await self._embed(call, dict(headers)):
                yield operation
            return
        body = self._body(call)
        try:
            async with exchange.exchange(
                self._client, "/chat/completions", body, dict(headers), call.timeouts
            ) as answer:
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
        except openai.APIStatusError as error:
            raise failures.of_status(error.status_code, error.body, error.response.headers) from error
        except (openai.APIConnectionError, UrlRefused) as error:
            raise failures.of_connection(error) from error

    async def _embed(self, call: WireCall, headers: dict[str, str]) -> list[Operation]:
        texts = [message.text for message in call.messages]
        body = {"model": call.model, "input": texts, "encoding_format": "float"}
        limit = httpx2.Timeout(call.timeouts.first_byte_seconds, connect=call.timeouts.connect_seconds)
        options: Any = {"headers": headers, "timeout": limit}
        try:
            async with asyncio.timeout(call.timeouts.total_seconds):
                answer = await self._client.post("/embeddings", cast_to=object, body=body, options=options)
        except TimeoutError:
            raise errors.TotalTimeout from None
        except openai.APITimeoutError as error:
            raise errors.FirstByteTimeout from error
        except openai.APIStatusError as error:
            raise failures.of_status(error.status_code, error.body, error.response.headers) from error
        except (openai.APIConnectionError, UrlRefused) as error:
            raise failures.of_connection(error) from error
        except openai.APIError as error:
            raise errors.ProviderProtocolError(type(error).__name__) from error
        found: list[Operation] = [Embedded(vectors.read(answer, len(texts)))]
        return [*found, *filter(None, [vectors.usage(answer)]), Finished(FinishReason.STOP)]

    async def list_models(self, *, timeouts: Timeouts) -> list[RemoteModel]:
        limit = httpx2.Timeout(timeouts.first_byte_seconds, connect=timeouts.connect_seconds)
        try:
            page = await self._client.get("/models", cast_to=object, options={"timeout": limit})
        except openai.APIStatusError as error:
            raise failures.of_status(error.status_code, error.body, error.response.headers) from error
        except (openai.APIConnectionError, UrlRefused) as error:
            raise failures.of_connection(error) from error
        except openai.APIError as error:
            raise errors.ProviderProtocolError(type(error).__name__) from error
        rows = page.get("data", page.get("models")) if isinstance(page, dict) else page
        if not isinstance(rows, list):
            raise errors.ProviderProtocolError("The list of models is not a list.")
        return [model for row in rows[:2000] if (model := _remote_model(row))]

    def _body(self, call: WireCall) -> dict[str, Any]:
        given = call.parameters
        body: dict[str, Any] = {"model": call.model, "messages": list(wire_messages(call)), "stream": True}
        if self._preset.takes_stream_options:
            body["stream_options"] = {"include_usage": True}
        if limit := given.max_output_tokens or call.max_output_tokens:
            body[self._limit_field] = limit
        if call.tools:
            body["tools"] = [
                {
                    "type": "function",
                    "function": {
                        "name": tool.name,
                        "description": tool.description,
                        "parameters": dict(tool.parameters),
                    },
                }
                for tool in call.tools
            ]
        if given.tool_choice and call.tools:
            named = {"type": "function", "function": {"name": given.tool_choice}}
            body["tool_choice"] = given.tool_choice if given.tool_choice in {"auto", "none", "required"} else named
        if given.response_schema is not None:
            schema: dict[str, Any] = {"name": "answer", "schema": dict(given.response_schema)}
            if is_enforceable(given.response_schema):
                schema["strict"] = True
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        plain = {
            "temperature": given.temperature,
            "top_p": given.top_p,
            "seed": given.seed,
            "stop": list(given.stop) or None,
            "reasoning_effort": given.reasoning_effort,
        }
        return body | {name: value for name, value in plain.items() if value is not None}


class _Reader:
    """Turns the events of one answer into operations."""

    def __init__(self, body: exchange.Body) -> None:
        self._body = body
        self._writer = PartWriter()
        self._calls: dict[int | None, tuple[str, int]] = {}  # by index: the id and the number of the newest
        self._begun = 0
        self._usage: Usage | None = None
        self._reason: FinishReason | None = None
        self._is_done = False

    def read(self, data: bytes) -> Iterator[Operation]:
        if self._is_done:
            raise errors.ProviderProtocolError("The stream goes on after its end mark.")
        if data == b"[DONE]":
            self._is_done = True
            self._body.is_complete = True
            return
        try:
            event = from_json(data)
        except ValueError as error:
            raise errors.ProviderProtocolError(f"An event is not JSON: {error}") from error
        if not isinstance(event, dict):
            raise errors.ProviderProtocolError("An event is not an object.")
        try:
            yield from self._read_event(event)
        except (AttributeError, KeyError, TypeError, IndexError) as error:
            raise errors.ProviderProtocolError("An event has another shape than the protocol's.") from error

    def _read_event(self, event: dict[str, Any]) -> Iterator[Operation]:
        choices = event.get("choices")
        choice = choices[0] if choices else {}
        reason = choice.get("finish_reason")
        # Some end a broken generation with a choice that says so, some with the error alone.
        if error := event.get("error") or choice.get("error") or (reason == "error" and {"type": "server_error"}):
            raise failures.of_stream_error(error, is_visible=self._body.is_visible)
        if choices:
            yield from self._read_delta(choice.get("delta") or {})
        if reason:
            self._reason = _FINISH.get(reason, FinishReason.STOP)
        if usage := event.get("usage"):
            self._usage = _usage(usage)

    def _read_delta(self, delta: dict[str, Any]) -> Iterator[Operation]:
        """One may bring thoughts, words and calls at once."""
        if thought := delta.get("reasoning_content") or delta.get("reasoning"):
            self._body.show()
            yield from self._writer.reasoning(thought)
        if text := delta.get("content"):
            self._body.show()
            yield from self._writer.text(text)
        if refusal := delta.get("refusal"):
            self._body.show()
            yield from self._writer.text(refusal)
        for piece in delta.get("tool_calls") or ():
            self._body.show()
            function = piece.get("function") or {}
            name = function.get("name") or ""
            yield from self._writer.call_tool(
                self._call_of(piece, name),
                call_id=piece.get("id") or "",
                name=name,
                arguments=function.get("arguments") or "",
            )

    def _call_of(self, piece: dict[str, Any], name: str) -> int:
        """Which call a piece belongs to. Some servers leave ``index`` out, or say 0 of all: there a name with another id, or with
        none, begins the next.
        """
        index, call_id = piece.get("index"), piece.get("id") or ""
        known_id, call = self._calls.get(index, ("", -1))
        if call < 0 or (name and (call_id != known_id if call_id else index is None)):
            call = self._begun
            self._begun += 1
            self._calls[index] = (call_id, call)
        return call

    def finish(self) -> Iterator[Operation]:
        if self._reason is None and not self._is_done:
            raise errors.ProviderProtocolError("The stream has no end mark.")
        yield from self._writer.finish()
        if self._usage:
            yield self._usage
        if not self._writer.has_answer:
            if self._reason is FinishReason.CONTENT:
                raise errors.ContentRefused
            if self._reason is not FinishReason.LENGTH:
                raise errors.EmptyAnswer
        yield Finished(self._reason or FinishReason.STOP)


def _usage(usage: dict[str, Any]) -> Usage:
    prompt = usage.get("prompt_tokens_details") or {}
    completion = usage.get("completion_tokens_details") or {}
    return Usage(
        input_tokens=int(usage.get("prompt_tokens") or 0),
        output_tokens=int(usage.get("completion_tokens") or 0),
        cached_tokens=int(prompt.get("cached_tokens") or 0),
        reasoning_tokens=int(completion.get("reasoning_tokens") or 0),
    )


def _remote_model(row: Any) -> RemoteModel | None:
    name = (row.get("id") or row.get("name")) if isinstance(row, dict) else None
    if not isinstance(name, str) or not name:
        return None
    window = row.get("context_length") or row.get("context_window") or row.get("max_model_len")
    # Gemini lists its models as models/<name> and takes the bare name.
    return RemoteModel(name.removeprefix("models/")[:200], window if isinstance(window, int) and window > 0 else None)


def wire_messages(call: WireCall) -> Iterator[dict[str, Any]]:
    for message in call.messages:
        match message.role:
            case Role.ASSISTANT:
                yield _assistant(message)
            case Role.TOOL:
                for part in message.parts:
                    if isinstance(part, ToolResultContent):
                        yield {"role": "tool", "tool_call_id": part.id, "content": part.content}
            case _:
                yield {"role": str(message.role), "content": _content(message, can_see=call.can_see)}


def _assistant(message: NeutralMessage) -> dict[str, Any]:
    written: dict[str, Any] = {"role": "assistant", "content": message.text or None}
    calls = [
        {
            "id": part.id,
            "type": "function",
            "function": {"name": part.name, "arguments": json.dumps(dict(part.arguments), ensure_ascii=False)},
        }
        for part in message.parts
        if isinstance(part, ToolCallContent)
    ]
    if calls:
        written["tool_calls"] = calls
    elif written["content"] is None:
        written["content"] = ""
    return written


def _content(message: NeutralMessage, *, can_see: bool) -> str | Sequence[dict[str, Any]]:
    """A plain string where there is only text: some local servers take nothing else."""
    speaker = f"{message.name}: " if message.name else ""
    texts: list[str] = [speaker] if speaker else []
    images: list[dict[str, Any]] = []
    for part in message.parts:
        match part:
            case TextContent():
                texts.append(part.text)
            case KnowledgeContent():
                texts.append(written_document(part))
            case ImageContent() if can_see:
                encoded = base64.b64encode(part.data).decode()
                images.append({"type": "image_url", "image_url": {"url": f"data:{part.media_type};base64,{encoded}"}})
            case ImageContent():
                texts.append(unseen_image(part))
            case ReasoningContent() | ToolCallContent() | ToolResultContent():
                pass
    text = "".join(texts)
    return [{"type": "text", "text": text}, *images] if images else text
