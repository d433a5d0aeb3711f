"""Operations on parts → OpenAI's answers: whole, as chunks of server-sent events, or as an error."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.http import JsonResponse

from apps.core.errors import DomainError
from apps.core.ids import uuid7
from apps.llm.types import (
    Answered,
    AppendText,
    ClosePart,
    Finished,
    FinishReason,
    OpenPart,
    Operation,
    PartType,
    SetPart,
    Usage,
)

DONE = b"data: [DONE]\n\n"
FINISH = {
    FinishReason.STOP: "stop",
    FinishReason.LENGTH: "length",
    FinishReason.TOOL_CALLS: "tool_calls",
    FinishReason.CONTENT: "content_filter",
}
# Codes that OpenAI's clients know by another name or status.
CODES = {
    "context_length": ("context_length_exceeded", 400),
    "budget": ("insufficient_quota", 429),
    "content": ("content_filter", 400),
    "not_authenticated": ("invalid_api_key", 401),
}


@dataclass(slots=True)
class Answer:
    """Collects one answer; ``chunks`` gives what each operation adds to it in streaming form."""

    asked: str
    has_usage: bool = False
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid7().hex}")
    created: int = field(default_factory=lambda: int(time.time()))
    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: dict[int, dict[str, Any]] = field(default_factory=dict)
    kinds: dict[int, PartType] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    finish: str = "stop"
    model: str = ""

    def opening(self) -> bytes:
        return self._chunk({"role": "assistant", "content": ""})

    def chunks(self, operation: Operation) -> Iterator[bytes]:
        match operation:
            case Answered(provider=provider, model=model):
                self.model = f"{provider}/{model}"
            case OpenPart(index=index, type=kind, data=data):
                self.kinds[index] = kind
                if kind is PartType.TOOL_CALL:
                    self.calls[index] = dict(data)
            case AppendText(index=index, text=text):
                yield from self._append(index, text)
            case SetPart(index=index, data=data) if self.kinds.get(index) is PartType.TOOL_CALL:
                self.calls[index] = dict(data)
            case ClosePart(index=index) if index in self.calls:
                yield self._chunk({"tool_calls": [{"index": len(self.calls) - 1, **_call(self.calls[index])}]})
            case Usage():
                self.usage = operation
            case Finished(reason=reason):
                self.finish = FINISH.get(reason, "stop")

    def _append(self, index: int, text: str) -> Iterator[bytes]:
        if self.kinds.get(index) is PartType.REASONING:
            self.reasoning.append(text)
            yield self._chunk({"reasoning_content": text})
        elif self.kinds.get(index, PartType.TEXT) is PartType.TEXT:
            self.text.append(text)
            yield self._chunk({"content": text})

    def ending(self) -> Iterator[bytes]:
        yield self._chunk({}, finish=self.finish)
        if self.has_usage:
            yield _event(self._frame("chat.completion.chunk") | {"choices": [], "usage": self.usage_out()})
        yield DONE

    def whole(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": "".join(self.text), "refusal": None}
        if self.reasoning:
            message["reasoning_content"] = "".join(self.reasoning)
        if self.calls:
            message["tool_calls"] = [_call(data) for data in self.calls.values()]
            message["content"] = message["content"] or None
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish}
        return self._frame("chat.completion") | {"choices": [choice], "usage": self.usage_out()}

    def usage_out(self) -> dict[str, Any]:
        usage = self.usage
        return {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": usage.input_tokens + usage.output_tokens,
            "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
            "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        }

    def _frame(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model or self.asked}

    def _chunk(self, delta: dict[str, Any], *, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        frame = self._frame("chat.completion.chunk") | {"choices": [choice]}
        if self.has_usage:
            frame["usage"] = None
        return _event(frame)


def _call(data: dict[str, Any]) -> dict[str, Any]:
    arguments = data.get("arguments", {})
    return {
        "id": str(data.get("id", "")),
        "type": "function",
        "function": {
            "name": str(data.get("name", "")),
            "arguments": arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False),
        },
    }


def _event(body: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def error_event(error: DomainError) -> bytes:
    """An error after the first word: clients raise it, and no ``[DONE]`` follows."""
    return _event(error_body(error))


def error_body(error: DomainError) -> dict[str, Any]:
    code, status = CODES.get(error.code, (error.code, error.status))
    return {
        "error": {
            "message": error.detail,
            "type": _type(status, code),
            "param": getattr(error, "param", None) or (error.fields[0].field if error.fields else None),
            "code": code,
        }
    }


def error_response(error: DomainError) -> JsonResponse:
    _code, status = CODES.get(error.code, (error.code, error.status))
    return JsonResponse(error_body(error), status=status, headers=error.headers)


def _type(status: int, code: str) -> str:
    if code == "insufficient_quota":
        return "insufficient_quota"
    match status:
        case 401:
            return "authentication_error"
        case 403:
            return "permission_error"
        case 429:
            return "rate_limit_error"
        case _ if status >= 500:  # noqa: PLR2004
            return "server_error"
        case _:
            return "invalid_request_error"
