"""The server: one asyncio protocol a connection, one timer a stream, no task and no framework, so that 300 streams fit in half a core."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.provider import wire
from tests.provider.script import Script, magic

REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests"}
PATHS = {
    "/v1/chat/completions": "openai",
    "/chat/completions": "openai",
    "/v1/messages": "anthropic",
    "/v1/embeddings": "embeddings",
}


class State:
    """Scripts to come and everything that happened."""

    def __init__(self, default: Script, models: list[str]) -> None:
        self.first_default = default
        self.models = models
        self.open_streams = 0
        self.here: set[Connection] = set()
        self.held: list[Callable[[], None]] = []
        self.reset()

    def hang_up(self) -> None:
        """On whoever is connected still: the loop cannot be closed before."""
        for connection in list(self.here):
            connection.transport.abort()

    def release(self) -> None:
        """What scripts hold goes on, and what they would hold until there are others does not stop."""
        self.is_released = True
        held, self.held = self.held, []
        for go_on in held:
            go_on()

    def reset(self) -> None:
        self.release()
        self.default = self.first_default
        self.queue: deque[tuple[str, Script]] = deque()
        self.calls: list[dict[str, Any]] = []
        self.bodies: deque[tuple[int, Any]] = deque(maxlen=200)
        self.met: Counter[str] = Counter()
        self.most_open_streams = self.open_streams
        self.connections = 0
        self.tokens = 0

    def choose(self, model: str, last_user_text: str, protocol: str) -> Script:
        """Magic words win, then the first queued script for this model, then the default."""
        if values := magic(last_user_text):
            script = self.default.with_values(values)
            self.met[last_user_text] += 1
            return script if not script.times or self.met[last_user_text] <= script.times else self.default
        for place, (wanted, script) in enumerate(self.queue):
            if wanted in ("", model, protocol):
                del self.queue[place]
                return script
        return self.default

    def stats(self) -> dict[str, Any]:
        return {
            "calls": self.calls,
            "count": len(self.calls),
            "tokens": self.tokens,
            "connections": self.connections,
            "open_streams": self.open_streams,
            "most_open_streams": self.most_open_streams,
            "client_closes": sum(1 for call in self.calls if call["client_closed_at"]),
        }


class Connection(asyncio.Protocol):
    def __init__(self, state: State) -> None:
        self.state = state
        self.buffer = bytearray()
        self.stream: Stream | None = None
        self.is_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.loop = asyncio.get_running_loop()
        self.state.connections += 1
        self.state.here.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.state.here.discard(self)
        if self.stream:
            self.stream.client_closed()

    def pause_writing(self) -> None:
        self.is_paused = True

    def resume_writing(self) -> None:
        self.is_paused = False
        if self.stream:
            self.stream.drained()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while not self.stream:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self.buffer[:end]).decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _colon, value in (line.partition(":") for line in head[1:])
            }
            length = int(headers.get("content-length", 0))
            if len(self.buffer) < end + 4 + length:
                return
            body = bytes(self.buffer[end + 4 : end + 4 + length])
            del self.buffer[: end + 4 + length]
            method, target, _version = head[0].split(" ")
            self.request(method, target.partition("?")[0], headers, body)

    def request(self, method: str, path: str, headers: dict[str, str], raw: bytes) -> None:
        try:
            body = json.loads(raw) if raw else {}
        except ValueError:
            self.answer(400, {"error": {"message": "The body is not JSON.", "type": "invalid_request_error"}})
            return
        if path.startswith("/__control__/"):
            self.control(path.removeprefix("/__control__/"), body)
        elif protocol := PATHS.get(path):
            self.call(protocol, path, headers, body)
        elif path in ("/v1/models", "/models"):
            self.list_models(headers)
        else:
            self.answer(404, {"error": {"message": f"No such path: {path}", "type": "invalid_request_error"}})

    def control(self, action: str, body: dict[str, Any]) -> None:
        state = self.state
        if action == "reset":
            state.reset()
        elif action == "default":
            state.default = state.first_default.with_values(body)
        elif action == "scripts":
            wanted = body.get("for", "")
            state.is_released = False
            state.queue.extend((wanted, state.default.with_values(values)) for values in body["scripts"])
        elif action == "release":
            state.release()
        elif action == "bodies":
            self.answer(200, list(state.bodies))
            return
        elif action != "stats":
            self.answer(404, {"error": action})
            return
        self.answer(200, state.stats())

    def list_models(self, headers: dict[str, str]) -> None:
        if is_wrong_key(headers):
            self.answer(401, {"error": {"message": "Incorrect API key provided", "type": "authentication_error"}})
            return
        if "anthropic-version" in headers:
            data: list[dict[str, Any]] = [
                {"type": "model", "id": m, "display_name": m, "created_at": "2026-01-01T00:00:00Z"}
                for m in self.state.models
            ]
            self.answer(200, {"data": data, "has_more": False, "first_id": None, "last_id": None})
            return
        data = [{"id": m, "object": "model", "created": 1, "owned_by": "stub"} for m in self.state.models]
        self.answer(200, {"object": "list", "data": data})

    def call(self, protocol: str, path: str, headers: dict[str, str], body: dict[str, Any]) -> None:
        last_user_text = text_of_last_user(body)
        model = str(body.get("model", ""))
        script = self.state.choose(model, last_user_text, protocol)
        if is_wrong_key(headers):
            script = Script(status=401, message="Incorrect API key provided", error_type="invalid_api_key")
        record = {
            "n": len(self.state.calls) + 1,
            "path": path,
            "model": model,
            "script": script.name,
            "status": script.status,
            "request_id": headers.get("x-client-request-id", ""),
            "started_at": time.time(),
            "first_token_at": None,
            "finished_at": None,
            "client_closed_at": None,
            "tokens": 0,
            "stream": bool(body.get("stream")),
        }
        self.state.calls.append(record)
        self.state.bodies.append((record["n"], body))
        if script.hang_headers:
            self.stream = Stream(self, record, script, None, [], tool=False)
            return
        if script.header_delay:
            self.loop.call_later(script.header_delay, self.begin, protocol, record, script, body, last_user_text)
        else:
            self.begin(protocol, record, script, body, last_user_text)

    def begin(
        self, protocol: str, record: dict[str, Any], script: Script, body: dict[str, Any], last_user_text: str
    ) -> None:
        if script.status != 200:
            record["finished_at"] = time.time()
            self.answer(script.status, wire.error_body(protocol, script), script.headers)
            return
        if protocol == "embeddings":
            record["finished_at"] = time.time()
            self.answer(200, wire.embeddings(body, script))
            return
        kind = wire.AnthropicWire if protocol == "anthropic" else wire.OpenAIWire
        prompt_tokens = len(json.dumps(body.get("messages", []))) // 4 + 1
        speaker = kind(record["n"], record["model"], script, prompt_tokens)
        is_tool_turn = bool(script.tool) and (script.again or not ends_with_tool_result(body))
        words = [script.beside] * bool(script.beside) if is_tool_turn else script.words(last_user_text)
        if script.garbage == "html":
            record["finished_at"] = time.time()
            self.raw(200, wire.HTML, "text/html")
        elif body.get("stream"):
            self.stream = Stream(self, record, script, speaker, words, tool=is_tool_turn)
            self.stream.start()
        else:
            whole = partial(self.answer_whole, record, speaker, "".join(words), is_tool_turn)
            if script.hold is not None and not self.state.is_released:
                self.state.held.append(whole)
            else:
                self.loop.call_later(script.delay, whole)

    def answer_whole(self, record: dict[str, Any], speaker: Any, text: str, is_tool_turn: bool) -> None:
        record["finished_at"] = time.time()
        record["tokens"] = len(text.split())
        self.state.tokens += record["tokens"]
        self.answer(200, speaker.whole(text, tool=is_tool_turn))

    def answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self.raw(status, json.dumps(body).encode(), "application/json", headers)

    def raw(self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Scripted')}", f"Content-Type: {kind}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        lines.append(f"Content-Length: {len(body)}\r\n\r\n")
        self.transport.write("\r\n".join(lines).encode() + body)

    def stream_ended(self) -> None:
        self.stream = None
        if self.buffer:
            self.data_received(b"")


class Stream:
    def __init__(
        self,
        connection: Connection,
        record: dict[str, Any],
        script: Script,
        speaker: Any,
        words: list[str],
        *,
        tool: bool,
    ) -> None:
        self.connection, self.record, self.script, self.speaker = connection, record, script, speaker
        self.words = words
        self.reasoning = [f"thought {i} " for i in range(script.reasoning)]
        self.is_tool_turn = tool
        self.sent = 0
        self.timer: asyncio.TimerHandle | None = None
        self.filler = 0
        state = connection.state
        state.open_streams += 1
        state.most_open_streams = max(state.most_open_streams, state.open_streams)

    def start(self) -> None:
        extra = "".join(f"{name}: {value}\r\n" for name, value in self.script.headers.items())
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n{extra}\r\n"
        self.connection.transport.write(head.encode())
        self.due = self.connection.loop.time() + self.script.delay
        if self.script.hang != 0:
            self.timer = self.connection.loop.call_at(self.due, self.first)

    def write(self, data: bytes) -> None:
        if data:
            self.connection.transport.write(b"%x\r\n%b\r\n" % (len(data), data))

    def first(self) -> None:
        script = self.script
        self.record["first_token_at"] = time.time()
        match script.garbage:
            case "json":
                self.write(self.speaker.opening() + b'data: {"choices": [{"delta": \n\n')
                self.end()
                return
            case "utf8":
                self.write(
                    self.speaker.opening() + b'data: {"choices": [{"index":0,"delta":{"content":"\xff\xfe"}}]}\n\n'
                )
                self.end()
                return
            case "empty":
                self.write(
                    self.speaker.opening() + self.speaker.ending(0, finish=self.speaker.finish_reason(tool=False))
                )
                self.end()
                return
            case "long_line":
                self.write(self.speaker.opening() + b"data: {")
                self.filler = 100 * 1024 * 1024
                self.drained()
                return
        self.write(self.speaker.opening())
        self.tick()

    def tick(self) -> None:
        """All tokens that are due. A cut or a hang counts reasoning tokens too."""
        now = self.connection.loop.time()
        step = 1 / self.script.rate if self.script.rate else 0
        while self.due <= now or not step:
            if self.script.cut is not None and self.sent >= self.script.cut:
                self.cut()
                return
            if self.script.hang is not None and self.sent >= self.script.hang:
                return
            if self.script.hold == self.sent and not self.connection.state.is_released:
                self.connection.state.held.append(self.go_on)
                return
            if not self.one_token():
                self.finish()
                return
            self.due += step
        self.timer = self.connection.loop.call_at(self.due, self.tick)

    def go_on(self) -> None:
        if not self.connection.transport.is_closing():
            self.due = self.connection.loop.time()
            self.tick()

    def one_token(self) -> bool:
        if self.sent < len(self.reasoning):
            data = self.speaker.reasoning(self.reasoning[self.sent])
            if self.sent == len(self.reasoning) - 1:
                data += self.speaker.reasoning_end()
        elif self.sent - len(self.reasoning) < len(self.words):
            data = self.speaker.token(self.words[self.sent - len(self.reasoning)])
        else:
            return False
        self.sent += 1
        self.record["tokens"] = self.sent
        self.connection.state.tokens += 1
        self.write(data)
        return True

    def finish(self) -> None:
        if self.script.garbage.startswith("error_"):
            self.write(self.speaker.error_object())
            self.end()
            return
        if self.is_tool_turn:
            broken = self.script.garbage == "tool_arguments"
            self.write(self.speaker.tool(self.script.tool, '{"broken": ' if broken else self.script.arguments))
            if self.script.second:
                self.write(self.speaker.tool(self.script.second, self.script.second_arguments, 1))
        elif self.script.garbage == "tool_arguments":
            self.write(self.speaker.tool("anything", '{"broken": '))
        if self.script.garbage != "no_end":
            is_tool = self.is_tool_turn or self.script.garbage == "tool_arguments"
            ending = self.speaker.ending(self.sent, finish=self.speaker.finish_reason(tool=is_tool))
            self.write(ending * 2 if self.script.garbage == "two_ends" else ending)
        if self.script.linger:
            self.timer = self.connection.loop.call_later(self.script.linger, self.end)
        else:
            self.end()

    def end(self) -> None:
        self.connection.transport.write(b"0\r\n\r\n")
        self.close()
        self.connection.stream_ended()

    def cut(self) -> None:
        self.close()
        self.connection.stream = None
        if self.script.reset:
            self.connection.transport.abort()
        else:
            self.connection.transport.close()

    def drained(self) -> None:
        """Fills the endless line as fast as the reader takes it."""
        while self.filler > 0 and not self.connection.is_paused and not self.connection.transport.is_closing():
            self.write(b"a" * 65536)
            self.filler -= 65536
            if self.filler <= 0:
                self.end()

    def close(self) -> None:
        self.record["finished_at"] = time.time()
        self.connection.state.open_streams -= 1

    def client_closed(self) -> None:
        if self.timer:
            self.timer.cancel()
        self.filler = 0
        self.record["client_closed_at"] = time.time()
        self.connection.state.open_streams -= 1


def is_wrong_key(headers: dict[str, str]) -> bool:
    return "wrong" in headers.get("authorization", "") + headers.get("x-api-key", "")


def ends_with_tool_result(body: dict[str, Any]) -> bool:
    last = (body.get("messages") or [{}])[-1]
    content = last.get("content")
    is_anthropic_result = isinstance(content, list) and any(part.get("type") == "tool_result" for part in content)
    return last.get("role") == "tool" or is_anthropic_result


def text_of_last_user(body: dict[str, Any]) -> str:
    for message in reversed(body.get("messages") or []):
        if message.get("role") == "user":
            content = message.get("content")
            if isinstance(content, list):
                return "".join(part.get("text", "") for part in content if part.get("type") == "text")
            return content or ""
    return ""


async def serve(state: State, host: str, port: int) -> asyncio.Server:
    return await asyncio.get_running_loop().create_server(lambda: Connection(state), host, port, backlog=2048)
