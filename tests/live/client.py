"""The reference client: keeps every raw frame, can drop, resume and replay, and builds what a reader sees.

It is strict: a seq or position that comes twice, or with a gap, is an error of the server and raises ``Broken``.
"""

import asyncio
import contextlib
import json
from dataclasses import dataclass, field

import websockets

from apps.live.parts import PartsBuilder


class Broken(AssertionError):
    pass


@dataclass
class Reader:
    """The state of one topic as frames build it; works on frames from any transport."""

    topic: str
    position: int | None = None
    seqs: dict[str, int] = field(default_factory=dict)
    builders: dict[str, PartsBuilder] = field(default_factory=dict)
    events: list[dict] = field(default_factory=list)
    statuses: dict[str, str] = field(default_factory=dict)
    snapshots: int = 0
    people: list[dict] = field(default_factory=list)
    typing: set[str] = field(default_factory=set)
    errors: list[dict] = field(default_factory=list)

    def take(self, frame: dict) -> None:
        match frame["type"]:
            case "snapshot":
                self.snapshots += 1
                self.position = frame["topic_position"]
                self.events.clear()
            case "event":
                if frame["topic_position"] != self.position + 1:
                    raise Broken(f"event {frame['topic_position']} after {self.position}")
                self.position += 1
                self.events.append(frame)
            case "delta":
                self._take_delta(frame)
            case "status":
                self.statuses[frame["turn"]] = frame["state"]
            case "presence":
                self.people = frame["people"]
            case "typing":
                (self.typing.add if frame["on"] else self.typing.discard)(frame["user"])
            case "error":
                self.errors.append(frame)

    def _take_delta(self, frame: dict) -> None:
        turn, seq = frame["turn"], frame["seq"]
        known = self.seqs.get(turn, 0)
        if seq <= known:
            raise Broken(f"seq {seq} came again after {known}")
        if seq != known + 1 and not frame.get("reset"):
            raise Broken(f"seq {seq} after {known}")
        builder = self.builders.setdefault(turn, PartsBuilder())
        entry = dict(frame)
        if not frame.get("reset"):
            entry["type"] = frame["part_type"]
        builder.apply(entry)
        self.seqs[turn] = seq

    def text_of(self, turn) -> str:
        builder = self.builders.get(str(turn))
        return builder.text() if builder else ""

    @property
    def resume(self) -> dict:
        return {"type": "subscribe", "topic": self.topic, "after": self.position, "turns": dict(self.seqs)}


class Client:
    """One person's page. ``async with Client(url, headers) as page: await page.follow(topic)``."""

    def __init__(self, url: str, headers: dict[str, str] | None = None, **options):
        self.url, self.headers, self.options = url, headers or {}, options
        self.readers: dict[str, Reader] = {}
        self.raw: list[str] = []
        self.close_code: int | None = None
        self.failure: BaseException | None = None
        self._socket = None
        self._task: asyncio.Task | None = None
        self._changed = asyncio.Event()

    async def __aenter__(self):
        await self.connect()
        return self

    async def __aexit__(self, *_):
        await self.drop()

    async def connect(self) -> None:
        self.close_code = None
        self._socket = await websockets.connect(
            self.url, additional_headers=self.headers, ping_interval=None, close_timeout=0.2, **self.options
        )
        for reader in self.readers.values():
            await self.send(reader.resume)
        self._task = asyncio.create_task(self._read(self._socket))

    async def _read(self, socket) -> None:
        try:
            async for text in socket:
                self.raw.append(text)
                frame = json.loads(text)
                if reader := self.readers.get(frame.get("topic")):
                    reader.take(frame)
                self._changed.set()
        except websockets.ConnectionClosed:
            pass
        except Broken as failure:
            self.failure = failure
        self.close_code = socket.close_code
        self._changed.set()

    async def drop(self) -> None:
        """As a network that is gone: no close frame is sent."""
        if self._socket is not None:
            self._socket.transport.abort()
            with contextlib.suppress(Exception):
                await self._task
            self._socket = None

    async def send(self, frame: dict | str | bytes) -> None:
        await self._socket.send(json.dumps(frame) if isinstance(frame, dict) else frame)

    async def follow(self, topic: str) -> Reader:
        reader = self.readers.setdefault(topic, Reader(topic))
        await self.send(reader.resume)
        await self.until(lambda: reader.position is not None or reader.errors)
        return reader

    async def until(self, condition, seconds: float = 10.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                if self.failure:
                    raise self.failure
                self._changed.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), 0.25)
        if self.failure:
            raise self.failure
