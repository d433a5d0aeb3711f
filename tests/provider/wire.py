"""The bytes of both protocols. Everything that repeats is made once a stream; a token costs one concatenation."""

from __future__ import annotations

import base64
import json
import struct
import time
from typing import Any

from tests.provider.script import Script

HTML = b"<!doctype html><html><body><h1>It works!</h1></body></html>"


def sse(data: Any, event: str = "") -> bytes:
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


def error_body(protocol: str, script: Script) -> dict[str, Any]:
    message = script.message or f"scripted {script.status}"
    kind = script.error_type
    if protocol == "anthropic":
        kinds = {
            400: "invalid_request_error",
            401: "authentication_error",
            404: "not_found_error",
            429: "rate_limit_error",
        }
        kind = kind or kinds.get(script.status, "overloaded_error" if script.status == 529 else "api_error")
        return {"type": "error", "error": {"type": kind, "message": message}}
    return {"error": {"message": message, "type": kind or "scripted", "param": None, "code": kind or None}}


class OpenAIWire:
    protocol = "openai"

    def __init__(self, n: int, model: str, script: Script, prompt_tokens: int) -> None:
        self.script = script
        self.prompt_tokens = prompt_tokens
        self.base = {
            "id": f"chatcmpl-{n}",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": model,
        }
        head = json.dumps(self.base, separators=(",", ":"))[:-1]
        self._text = (f'data: {head},"choices":[{{"index":0,"delta":{{"content":').encode()
        self._reasoning = (f'data: {head},"choices":[{{"index":0,"delta":{{"reasoning_content":').encode()
        self._end = b'},"finish_reason":null}]}\n\n'

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        return sse({**self.base, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    def opening(self) -> bytes:
        return self._chunk({"role": "assistant", "content": ""})

    def reasoning(self, text: str) -> bytes:
        return self._reasoning + json.dumps(text).encode() + self._end

    def reasoning_end(self) -> bytes:
        return b""

    def token(self, text: str) -> bytes:
        return self._text + json.dumps(text).encode() + self._end

    def tool(self, name: str, arguments: str, place: int = 0) -> bytes:
        numbered: dict[str, Any] = {"": {"index": place}, "zero": {"index": 0}}.get(self.script.unnumbered, {})
        called: dict[str, Any] = {} if self.script.unnumbered == "bare" else {"id": f"call_{place + 1}"}
        call = {**numbered, **called, "type": "function", "function": {"name": name, "arguments": ""}}
        words = self.script.together
        beside = {"reasoning_content": words, "content": words} if words else {}
        parts = [self._chunk({**beside, "tool_calls": [call]})]
        for start in range(0, len(arguments), 7):
            piece = {**numbered, "function": {"arguments": arguments[start : start + 7]}}
            parts.append(self._chunk({"tool_calls": [piece]}))
        return b"".join(parts)

    def usage(self, sent: int) -> dict[str, Any]:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": sent,
            "total_tokens": self.prompt_tokens + sent,
            "prompt_tokens_details": {"cached_tokens": self.script.cached},
            "completion_tokens_details": {"reasoning_tokens": self.script.reasoning},
        }

    def ending(self, sent: int, *, finish: str) -> bytes:
        last = self._chunk({}, finish)
        usage = sse({**self.base, "choices": [], "usage": self.usage(sent)}) if self.script.usage else b""
        return last + usage + b"data: [DONE]\n\n"

    def error_object(self) -> bytes:
        error = {"message": self.script.message or "scripted error in the stream", "type": "server_error"}
        choice = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
        match self.script.garbage:
            case "error_choice":  # what OpenRouter documents for a generation that breaks off
                return sse({**self.base, "error": error, "choices": [choice]})
            case "error_finish":
                return sse({**self.base, "choices": [choice]}) + b"data: [DONE]\n\n"
            case _:
                return sse({"error": error})

    def finish_reason(self, *, tool: bool) -> str:
        return self.script.finish or ("tool_calls" if tool else "stop")

    def whole(self, text: str, *, tool: bool) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if tool:
            call = {"name": self.script.tool, "arguments": self.script.arguments}
            message = {"role": "assistant", "content": None}
            message["tool_calls"] = [{"id": "call_1", "type": "function", "function": call}]
        choice = {"index": 0, "message": message, "finish_reason": self.finish_reason(tool=tool)}
        usage = self.usage(len(text.split()))
        return {**self.base, "object": "chat.completion", "choices": [choice], "usage": usage}


class AnthropicWire:
    protocol = "anthropic"

    def __init__(self, n: int, model: str, script: Script, prompt_tokens: int) -> None:
        self.script = script
        self.prompt_tokens = prompt_tokens
        self.n, self.model = n, model
        self.index = 0
        self.is_text_open = False

    def _message(self) -> dict[str, Any]:
        return {
            "id": f"msg_{self.n}", "type": "message", "role": "assistant", "model": self.model, "content": [],
            "stop_reason": None, "stop_sequence": None,
            "usage": {"input_tokens": self.prompt_tokens - self.script.cached, "cache_read_input_tokens": self.script.cached,
                      "cache_creation_input_tokens": 0, "output_tokens": 1},
        }  # fmt: skip

    def opening(self) -> bytes:
        return sse({"type": "message_start", "message": self._message()}, "message_start") + sse(
            {"type": "ping"}, "ping"
        )

    def _start(self, block: dict[str, Any]) -> bytes:
        return sse({"type": "content_block_start", "index": self.index, "content_block": block}, "content_block_start")

    def _delta(self, delta: dict[str, Any]) -> bytes:
        return sse({"type": "content_block_delta", "index": self.index, "delta": delta}, "content_block_delta")

    def _stop(self) -> bytes:
        stop = sse({"type": "content_block_stop", "index": self.index}, "content_block_stop")
        self.index += 1
        return stop

    def reasoning(self, text: str) -> bytes:
        start = b""
        if not self.is_text_open:
            self.is_text_open = True
            start = self._start({"type": "thinking", "thinking": "", "signature": ""})
        return start + self._delta({"type": "thinking_delta", "thinking": text})

    def reasoning_end(self) -> bytes:
        self.is_text_open = False
        return self._delta({"type": "signature_delta", "signature": "c2lnbmVk"}) + self._stop()

    def token(self, text: str) -> bytes:
        start = b""
        if not self.is_text_open:
            self.is_text_open = True
            start = self._start({"type": "text", "text": ""})
        return start + self._delta({"type": "text_delta", "text": text})

    def tool(self, name: str, arguments: str, place: int = 0) -> bytes:
        before = [self._stop()] if self.is_text_open else []
        self.is_text_open = False
        parts = [*before, self._start({"type": "tool_use", "id": f"toolu_{place + 1}", "name": name, "input": {}})]
        pieces = [arguments[start : start + 7] for start in range(0, len(arguments), 7)]
        parts += [self._delta({"type": "input_json_delta", "partial_json": piece}) for piece in pieces]
        return b"".join([*parts, self._stop()])

    def usage(self, sent: int) -> dict[str, Any]:
        return {**self._message()["usage"], "output_tokens": sent}

    def ending(self, sent: int, *, finish: str) -> bytes:
        stop = b""
        if self.is_text_open:
            self.is_text_open = False
            stop = self._stop()
        delta: dict[str, Any] = {"type": "message_delta", "delta": {"stop_reason": finish, "stop_sequence": None}}
        delta["usage"] = {"output_tokens": sent} if self.script.usage else {}
        return stop + sse(delta, "message_delta") + sse({"type": "message_stop"}, "message_stop")

    def error_object(self) -> bytes:
        error = {"type": "overloaded_error", "message": self.script.message or "Overloaded"}
        return sse({"type": "error", "error": error}, "error")

    def finish_reason(self, *, tool: bool) -> str:
        return self.script.finish or ("tool_use" if tool else "end_turn")

    def whole(self, text: str, *, tool: bool) -> dict[str, Any]:
        content: list[dict[str, Any]] = [{"type": "text", "text": text}]
        if tool:
            tool_input = json.loads(self.script.arguments)
            content = [{"type": "tool_use", "id": "toolu_1", "name": self.script.tool, "input": tool_input}]
        usage = self.usage(len(text.split()))
        return {**self._message(), "content": content, "stop_reason": self.finish_reason(tool=tool), "usage": usage}


def embeddings(body: dict[str, Any], script: Script) -> dict[str, Any]:
    """Deterministic unit vectors: equal texts are equal, other texts differ, but for those that the script says."""
    texts = body.get("input") or []
    texts = [texts] if isinstance(texts, str) else texts
    size = int(body.get("dimensions") or 8)
    data = []
    for index, text in enumerate(texts):
        raw = [((hash_of(str(text)) >> (i % 24)) & 255) / 255 - 0.5 for i in range(size)]
        raw = next((scripted for words, scripted in script.vectors.items() if words in str(text)), raw)
        norm = sum(value * value for value in raw) ** 0.5 or 1.0
        vector: Any = [value / norm for value in raw]
        if body.get("encoding_format") == "base64":
            vector = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
        data.append({"object": "embedding", "index": index, "embedding": vector})
    tokens = sum(len(str(text)) // 4 + 1 for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": body.get("model", ""), "usage": usage}


def hash_of(text: str) -> int:
    value = 2166136261
    for byte in text.encode():
        value = (value ^ byte) * 16777619 % 2**32
    return value
