"""A turn as server-sent events: the same stream that sockets get, for programs and for plain HTTP clients.

``follow_turn`` is the reader behind it; other shapes of streaming answers (``gateway``) build on it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import structlog
from django.conf import settings
from django.http import StreamingHttpResponse
from django.utils import translation
from redis.exceptions import RedisError

from apps.accounts import actors
from apps.accounts.types import Actor
from apps.core.db import in_thread
from apps.core.doors.topics import TopicEvent
from apps.core.errors import DomainError, LimitReached, NotFound
from apps.live import streams
from apps.live.feed import DATABASE_AWAY
from apps.live.frames import Flush, Frame, encode
from apps.live.hub import find_kind, hub
from apps.live.metrics import counts
from apps.live.types import FINAL_STATES, Entry

HEARTBEAT_SECONDS = 15.0
LOOK_SECONDS = 4.0
MOST_WAITING = 2_000
READERS_EACH = 20

log = structlog.get_logger(__name__)

_readers: Counter[UUID | None] = Counter()


@dataclass(frozen=True, slots=True)
class TurnRow:
    """The turn as the database has it: its ``status``, and what the final event says."""

    status: str
    turn: dict[str, Any]
    message: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Item:
    """``delta`` and ``reset`` carry the stream's entry, ``status`` what is said of the turn, ``final`` the row's state."""

    kind: Literal["delta", "reset", "status", "final", "heartbeat"]
    content: dict[str, Any]
    seq: int | None = None
    state: str = ""


class _Reader:
    """A follower that keeps what concerns one turn until the response asks for it."""

    def __init__(self, viewer: Actor, turn: str, seq: int) -> None:
        self.viewer, self._turn, self._seq = viewer, turn, seq
        self._waiting: asyncio.Queue[Flush | dict[str, Any] | None] = asyncio.Queue(MOST_WAITING)
        self._has_ended = False
        self._said = ""

    def _put(self, item: Flush | dict[str, Any] | None) -> None:
        """A reader slower than the writer ends, and its client resumes; ``None`` is a call to look at the row."""
        if self._waiting.full():
            self._has_ended = True
        else:
            self._waiting.put_nowait(item)

    def on_flush(self, flush: Flush) -> None:
        if flush.turn == self._turn:
            self._put(flush)

    def on_status(self, turn: str, status: dict[str, Any], frame: Frame) -> None:
        if turn == self._turn:
            self._put(status)

    def on_event(self, event: TopicEvent, frame: Frame) -> None:
        if str(event.subject_id) == self._turn or event.payload.get("turn_id") == self._turn:
            self._put(None)

    def on_frame(self, frame: Frame) -> None: ...

    def on_denied(self) -> None:
        self._has_ended = True
        self._put(None)

    def on_reconnect(self) -> None:
        self._put(None)

    async def items(self, row: TurnRow, look: Callable[[], Awaitable[TurnRow]]) -> AsyncIterator[Item]:
        """The stream, then what is heard until something calls for a look at stream and row again."""
        while True:
            for entry in await _entries(self._turn, self._seq):
                yield _item(entry)
                self._seq = entry["seq"]
            if row.status in FINAL_STATES:
                yield Item("final", {"turn": row.turn, "message": row.message}, state=row.status)
                return
            if row.status != self._said:
                self._said = row.status
                yield Item("status", {"state": row.status})
            async for item in self._heard():
                yield item
            if self._has_ended:
                return
            try:
                row = await look()
            except DATABASE_AWAY:
                await asyncio.sleep(LOOK_SECONDS * settings.PARLANCE_TIME_SCALE)
            yield Item("heartbeat", {})

    async def _heard(self) -> AsyncIterator[Item]:
        loop = asyncio.get_running_loop()
        until = loop.time() + LOOK_SECONDS * settings.PARLANCE_TIME_SCALE
        while loop.time() < until and not self._has_ended:
            try:
                async with asyncio.timeout_at(until):
                    heard = await self._waiting.get()
            except TimeoutError:
                return
            if isinstance(heard, Flush):
                if heard.first > self._seq + 1 and not heard.entries[0].get("reset"):
                    return  # something is missing before it
                for entry in heard.entries:
                    if entry["seq"] > self._seq:
                        yield _item(entry)
                self._seq = max(self._seq, heard.last)
            elif heard is None or heard["state"] in FINAL_STATES:
                return
            else:
                self._said = heard["state"]
                yield Item("status", heard)


async def follow_turn(
    *, viewer: Actor, topic: str, turn_id: UUID, after: int, read: Callable[[], TurnRow]
) -> AsyncIterator[Item]:
    """What happens to a turn after ``after``, until it is final or the viewer loses the right to it.

    ``read`` is called in a thread, at the start, every few seconds and at the end; it raises ``NotFound`` for strangers. No thread
    is held in between. When the stream has expired only the final item comes, which carries the whole message.
    """
    found = find_kind(topic)
    if found is None:
        raise NotFound
    reader = _Reader(viewer, str(turn_id), after)

    async def look() -> TurnRow:
        return await in_thread(_look, viewer, read)

    feed = await hub().follow(topic, *found, reader)
    counts.sse_readers += 1
    try:
        checked_at = asyncio.get_running_loop().time()
        row = await look()
        feed.settle(viewer, None, checked_at)
        async for item in reader.items(row, look):
            yield item
    except (DomainError, *DATABASE_AWAY):
        return  # the client comes again, and is told
    finally:
        counts.sse_readers -= 1
        hub().leave(feed, reader)


def _look(viewer: Actor, read: Callable[[], TurnRow]) -> TurnRow:
    """In a thread. The response outlives the check that let it in: session and key are asked again with the row.

    Who may do something else by now comes again, as sockets do, and is asked what a new request is asked.
    """
    if actors.renew(viewer) != viewer:
        raise NotFound
    with translation.override(viewer.language):
        return read()


async def _entries(turn: str, after: int) -> list[Entry]:
    try:
        return await streams.read_after(turn, after)
    except (RedisError, OSError):
        return []


def _item(entry: Entry) -> Item:
    if entry.get("reset"):
        return Item("reset", {"seq": entry["seq"], "parts": entry["parts"]}, seq=entry["seq"])
    content = {"seq": entry["seq"], "part": entry["part"], "part_type": entry["type"]}
    content |= {"text": entry["text"]} if "text" in entry else {"data": entry["data"]}
    return Item("delta", content, seq=entry["seq"])


def turn_events(
    *, viewer: Actor, topic: str, turn_id: UUID, after: int, read: Callable[[], TurnRow]
) -> StreamingHttpResponse:
    """The answer of ``turns/{id}/events/``. Call it from any view, after the turn was found for ``viewer``.

    ``after`` is the last seq that the client has: see ``resume_after``. Raises ``LimitReached`` beyond 20 at once a person.
    """
    if _readers[viewer.user_id] >= READERS_EACH:
        raise LimitReached(limit="readers", most=READERS_EACH, reason="places")
    events = follow_turn(viewer=viewer, topic=topic, turn_id=turn_id, after=after, read=read)
    return StreamingHttpResponse(
        _serialized(viewer.user_id, events),
        content_type="text/event-stream; charset=utf-8",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _serialized(user_id: UUID | None, items: AsyncIterator[Item]) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    _readers[user_id] += 1
    sent_at = loop.time()
    try:
        yield b"retry: 1000\n\n"
        async for item in items:
            if item.kind == "heartbeat":
                if loop.time() - sent_at < HEARTBEAT_SECONDS * settings.PARLANCE_TIME_SCALE:
                    continue
                yield b": still here\n\n"
            else:
                identity = f"id: {item.seq}\n" if item.seq is not None else ""
                yield f"{identity}event: {item.state or item.kind}\ndata: {encode(item.content)}\n\n".encode()
            sent_at = loop.time()
    finally:
        _readers[user_id] -= 1
        if not _readers[user_id]:
            del _readers[user_id]
        await items.aclose()  # type: ignore[attr-defined]


def resume_after(last_event_id: str | None, after: str | None) -> int:
    """``Last-Event-ID`` before ``?after=``; what is no number counts as the beginning."""
    for text in (last_event_id, after):
        if text and text.isascii() and text.isdigit() and len(text) < 16:  # noqa: PLR2004
            return int(text)
    return 0
