"""A socket that follows a topic: subscribe first, then read, then replay, then live; every position and seq once, in order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from django.utils import translation
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from apps.core import redis
from apps.core.db import in_thread
from apps.core.doors.topics import TopicEvent, TopicKind
from apps.core.errors import DomainError
from apps.live import frames, selectors, streams
from apps.live.feed import DATABASE_AWAY, Feed, Told, audience, render, resume
from apps.live.frames import Flush, Frame
from apps.live.hub import hub
from apps.live.parts import PartsBuilder
from apps.live.socket import OVERLOADED, RESTARTED, Socket

LONGEST_RESET = 48_000
REPLAYED_ONE_BY_ONE = 200
MOST_WAITING = 2_000
REPLAY_ATTEMPTS = 2
RETRY_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 3.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Loaded:
    """``position`` is where the frames end."""

    position: int
    frames: list[Frame]
    turns: tuple[UUID, ...] = ()
    is_complete: bool = True
    #: Whom else these frames of events would serve, when they were rendered for it.
    audience: Hashable = None


class Subscription:
    __slots__ = (
        "_broken",
        "_buffer",
        "_feed",
        "_is_let_in",
        "_kind",
        "_object_id",
        "_wanted",
        "position",
        "seqs",
        "socket",
        "topic",
        "viewer",
    )

    def __init__(self, socket: Socket, topic: str, kind: TopicKind, object_id: UUID) -> None:
        self.socket, self.topic = socket, topic
        self.viewer = socket.actor
        self.position: int | None = None
        self.seqs: dict[str, int] = {}
        self._wanted: set[str] = set()
        self._broken: set[str] = set()
        self._kind, self._object_id = kind, object_id
        self._feed: Feed | None = None
        self._is_let_in = False
        self._buffer: list[Callable[[], None]] | None = []

    @property
    def is_live(self) -> bool:
        """Let in, and still following."""
        return self._is_let_in and self._feed is not None

    @property
    def kind(self) -> TopicKind:
        return self._kind

    @property
    def object_id(self) -> UUID:
        return self._object_id

    async def open(self, after: int | None, turns: dict[str, int]) -> bool:
        """False when the viewer may not follow the topic, or it is none."""
        self.position = after
        self.seqs = dict(turns)
        feed = self._feed = await hub().follow(self.topic, self._kind, self._object_id, self)
        checked_at = asyncio.get_running_loop().time()
        loaded = await self._load_patiently()
        if loaded is None:
            self.leave()
            return False
        if self._feed is None:  # closed meanwhile
            return False
        self._is_let_in = True
        self._take(loaded)
        feed.settle(self.viewer, loaded.position, checked_at)
        await self._catch_up(feed, loaded)
        return True

    async def _catch_up(self, feed: Feed, loaded: Loaded) -> None:
        """Until nothing is missing between what was read and what is heard, then live."""
        known = set(self.seqs)
        turns = {str(turn) for turn in loaded.turns}
        while True:
            assert self.position is not None
            if not loaded.is_complete or (feed.position or 0) > self.position:
                again = await self._load_patiently()
                if self._feed is None:
                    return
                if again is None:
                    self.on_denied()
                    return
                loaded = again
                self._take(loaded)
                continue
            await self._replay(turns | self._wanted, known)
            turns, self._wanted = set(), set()
            if self._feed is None:
                return
            self._release()
            return

    def _release(self) -> None:
        """Live again, unless something in what waited makes the rest wait anew."""
        buffer, self._buffer = self._buffer or [], None
        for position, item in enumerate(buffer):
            item()
            if self._buffer is not None:
                self._buffer.extend(buffer[position + 1 :])
                return

    async def _pace(self, flush: Flush) -> None:
        """A long flush goes out as the client takes it; what comes meanwhile waits."""
        for entry, frame in zip(flush.entries, flush.frames, strict=True):
            if entry["seq"] > self.seqs.get(flush.turn, 0):
                await self.socket.room()
                self.socket.push(frame)
                self.seqs[flush.turn] = entry["seq"]
        self._release()

    def _take(self, loaded: Loaded) -> None:
        for frame in loaded.frames:
            self.socket.push(frame)
        self.position = loaded.position
        if loaded.audience is not None and self._feed is not None:
            self._feed.remember(loaded.audience, Told(loaded.position, loaded.frames))

    async def _load_patiently(self) -> Loaded | None:
        """The database may be away for a while: the socket stays, and reads when it is back."""
        wait = RETRY_SECONDS
        while not self.socket.is_closed:
            try:
                return await in_thread(self._load)
            except DATABASE_AWAY as failure:
                log.warning("live.database_away", topic=self.topic, reason=type(failure).__name__)
                await asyncio.sleep(wait)
                wait = min(wait * 2, LONGEST_RETRY_SECONDS)
        return None

    def _load(self) -> Loaded | None:
        """In a thread: one query for who comes back, and what the words need. Too far behind is a snapshot again, as is a gap in the log."""
        with translation.override(self.viewer.language):
            try:
                if self.position is not None:
                    events = resume(self._kind, self.viewer, self.topic, self._object_id, self.position)
                    if events is None:
                        return None
                    if len(events) < selectors.PAGE and (not events or events[0].topic_position == self.position + 1):
                        return self._told(events)
                elif not self._kind.is_allowed(self.viewer, self._object_id):
                    return None
                found = self._kind.snapshot(self.viewer, self._object_id)
            except DomainError:
                return None
            frame = frames.snapshot(self.topic, found.topic_position, found.data)
            return Loaded(found.topic_position, [frame], found.turns)

    def _told(self, events: list[TopicEvent]) -> Loaded:
        if not events:
            assert self.position is not None
            return Loaded(self.position, [])
        group = audience(self._kind, self.viewer, self._object_id, events)
        if (feed := self._feed) and (told := feed.recall(group, events)) is not None:
            return Loaded(events[-1].topic_position, told)
        told = render(self._kind, self.viewer, self.topic, self._object_id, events)
        return Loaded(events[-1].topic_position, told, audience=group)

    async def _replay(self, turns: set[str], known: set[str]) -> None:
        """What the streams of running turns hold and the client has not: entries one by one, or the parts so far at once.

        Right after Redis came back the first call may find a connection that is dead.
        """
        for attempt in range(1, REPLAY_ATTEMPTS + 1):
            try:
                await self._replay_once(turns, known)
            except (RedisError, OSError) as failure:
                log.warning("live.replay_missed", topic=self.topic, reason=type(failure).__name__, attempt=attempt)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    async def _replay_once(self, turns: set[str], known: set[str]) -> None:
        running: Any = await redis.async_client().hgetall(redis.key("running", self.topic))
        for name, raw in running.items():
            turn = name.decode()
            turns.add(turn)
            self.socket.push(frames.status(self.topic, turn, json.loads(raw)))
        for turn in turns:
            entries = await streams.read_after(turn, self.seqs.get(turn, 0))
            if not entries:
                continue
            if self.seqs.get(turn, 0) == 0 and (turn not in known or len(entries) > REPLAYED_ONE_BY_ONE):
                entries = _together(entries)
            for entry in entries:
                await self.socket.room()
                self.socket.push(frames.delta(self.topic, turn, entry))
                self.seqs[turn] = entry["seq"]

    # What the feed tells

    def on_flush(self, flush: Flush) -> None:
        if self._buffer is not None:
            self._wait(lambda: self.on_flush(flush))
            return
        known = self.seqs.get(flush.turn, 0)
        if flush.last <= known:
            return
        if flush.entries[0].get("reset"):
            self._broken.discard(flush.turn)
        elif flush.turn in self._broken:
            return
        elif flush.first > known + 1:
            self._wanted.add(flush.turn)
            self._read_again(lambda: self._after_gap(flush))
            return
        if flush.is_long:
            self._buffer = []
            self.socket.spawn(self._pace(flush))
            return
        for entry, frame in zip(flush.entries, flush.frames, strict=True):
            if entry["seq"] > known:
                self.socket.push(frame)
        self.seqs[flush.turn] = flush.last

    def _after_gap(self, flush: Flush) -> None:
        """Where the stream does not reach back, what is missing comes with the writer's next reset or the final event."""
        if flush.first > self.seqs.get(flush.turn, 0) + 1:
            log.warning("live.gap_left", topic=self.topic, turn=flush.turn)
            self._broken.add(flush.turn)
        else:
            self.on_flush(flush)

    def on_event(self, event: TopicEvent, frame: Frame) -> None:
        if self._buffer is not None:
            self._wait(lambda: self.on_event(event, frame))
            return
        assert self.position is not None
        if event.topic_position <= self.position:
            return
        if event.topic_position > self.position + 1:
            self._read_again(lambda: self.on_event(event, frame))
            return
        self.position = event.topic_position
        self.socket.push(frame)

    def on_status(self, turn: str, status: dict[str, Any], frame: Frame) -> None:
        self.on_frame(frame)

    def on_frame(self, frame: Frame) -> None:
        if self._buffer is not None:
            self._wait(lambda: self.on_frame(frame))
        else:
            self.socket.push(frame)

    def on_denied(self) -> None:
        with translation.override(self.viewer.language):
            self.socket.push(frames.error("not_found", _("You may no longer follow this."), self.topic))
        self.socket.subscriptions.pop(self.topic, None)
        self.leave()

    def on_reconnect(self) -> None:
        self.socket.close(RESTARTED)

    def _wait(self, item: Callable[[], None]) -> None:
        assert self._buffer is not None
        if len(self._buffer) >= MOST_WAITING:
            self.socket.close(OVERLOADED)
        else:
            self._buffer.append(item)

    def _read_again(self, item: Callable[[], None]) -> None:
        """Something is missing before ``item``: everything waits until it has been read."""
        self._buffer = [item]
        assert self._feed is not None
        feed = self._feed
        self.socket.spawn(self._catch_up(feed, Loaded(self.position or 0, [], is_complete=False)))

    def leave(self) -> None:
        if self._feed is not None:
            hub().leave(self._feed, self)
            self._feed = None
            self._buffer = []


def _together(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many of the first entries as fit a frame, as one reset entry with the parts that they make, then the others."""
    builder = PartsBuilder()
    size = taken = 0
    for entry in entries:
        size += len(entry.get("text", "")) * 2 if "text" in entry else len(frames.encode(entry))
        if taken and size > LONGEST_RESET:
            break
        builder.apply(entry)
        taken += 1
    return [{"seq": entries[taken - 1]["seq"], "reset": True, "parts": builder.stored()}, *entries[taken:]]
