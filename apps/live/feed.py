"""What one topic's followers in this process hear: flushes, statuses, events. One read serves all of them.

Rights are looked at again before anything is handed on that was checked more than five seconds ago; what comes meanwhile waits.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError
from psycopg_pool import PoolTimeout
from redis.exceptions import RedisError

from apps.accounts.types import Actor
from apps.core.db import in_thread
from apps.core.doors.topics import TopicEvent, TopicKind
from apps.core.errors import DomainError
from apps.live import frames, selectors, streams
from apps.live.frames import Flush, Frame
from apps.live.metrics import counts
from apps.live.sealed_entries import opened_entry
from apps.live.types import FINAL_STATES

FRESH_SECONDS = 5.0
AHEAD_SECONDS = 2.0
MOST_HELD = 2_000
RETRY_SECONDS = 0.5
TOLD_SECONDS = 10.0
MOST_TOLD = 200
LONGEST_TOLD = 128_000

log = structlog.get_logger(__name__)

DATABASE_AWAY = (DatabaseError, InterfaceError, PoolTimeout)


class Follower(Protocol):
    """A socket's subscription or an SSE reader. All calls come on the loop and must not wait."""

    viewer: Actor

    def on_flush(self, flush: Flush) -> None: ...
    def on_status(self, turn: str, status: dict[str, Any], frame: Frame) -> None: ...
    def on_event(self, event: TopicEvent, frame: Frame) -> None: ...
    def on_frame(self, frame: Frame) -> None: ...
    def on_denied(self) -> None: ...
    def on_reconnect(self) -> None: ...


def is_meant(viewer: Actor, who: UUID | None) -> bool:
    """Is ``who`` this person, or the key they came with? None is everybody."""
    return who is None or who in (viewer.user_id, viewer.key_id)


def audience(kind: TopicKind, viewer: Actor, object_id: UUID, events: list[TopicEvent]) -> Hashable:
    """Viewers of one audience are told the same in the same words; without a word from the kind everybody is one's own."""
    shared = getattr(kind, "audience", None)
    return shared(viewer, object_id, events) if shared else viewer


def resume(kind: TopicKind, viewer: Actor, topic: str, object_id: UUID, after: int) -> list[TopicEvent] | None:
    """From a thread: the next events, None for a viewer who is not allowed. One statement where the kind can."""
    counts.catch_up_reads += 1
    if at_once := getattr(kind, "resume", None):
        events: list[TopicEvent] | None = at_once(viewer, object_id, after)
        return events
    return selectors.list_topic_events(topic, after) if kind.is_allowed(viewer, object_id) else None


def render(kind: TopicKind, viewer: Actor, topic: str, object_id: UUID, events: list[TopicEvent]) -> list[Frame]:
    """From a thread. A kind that fails at its words leaves the ids: one bad event must not stop a topic for everybody."""
    told: list[dict[str, Any]] = []
    if events:
        try:
            told = kind.render(viewer, object_id, events)
        except (DomainError, *DATABASE_AWAY):
            raise
        except Exception:
            log.exception("live.render_failed", topic=topic)
            told = [dict(event.payload) for event in events]
    return [
        frames.event(topic, event.topic_position, event.event, data) for event, data in zip(events, told, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Told:
    """What an audience was told of the newest events: the last of ``frames`` is the one at ``position``."""

    position: int
    frames: list[Frame]


class Feed:
    def __init__(self, topic: str, kind: TopicKind, object_id: UUID) -> None:
        self.topic, self.kind, self.object_id = topic, kind, object_id
        self.followers: set[Follower] = set()
        self.position: int | None = None
        self._checked: dict[Actor, float] = {}
        self._forgotten_at = float("-inf")
        self._doubts = itertools.count(1)
        self._held: list[Callable[[], None]] | None = None
        self._gaps: dict[str, list[dict[str, Any]]] = {}
        self._told: dict[Hashable, Told] = {}
        self._is_rung = False  # there is something to read
        self._announced: dict[int, TopicEvent] = {}  # position → what a bell told itself, beyond ``position``
        self._reading: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()

    # Followers

    def add(self, follower: Follower) -> None:
        self.followers.add(follower)

    def remove(self, follower: Follower) -> None:
        self.followers.discard(follower)
        if not any(other.viewer == follower.viewer for other in self.followers):
            self._checked.pop(follower.viewer, None)

    def settle(self, viewer: Actor, position: int | None, checked_at: float) -> None:
        """A follower has been let in and has read up to ``position``. When ``self.position`` is higher it reads on.

        None is a follower that has no use for events.
        """
        self._checked[viewer] = checked_at
        if checked_at <= self._forgotten_at:
            self._doubt([viewer])
        if position is None:
            return
        if self.position is None or len(self._checked) == 1:
            self.position = max(position, self.position or 0)
        elif self.position < position:
            self._is_rung = True  # the others have not heard of what lies between
        self._forget_announced()
        if self._has_news:
            self._read_soon()

    # Those who come back together

    def recall(self, group: Hashable, events: list[TopicEvent]) -> list[Frame] | None:
        """Frames of these events that somebody of this audience got a moment ago, if nothing has happened since."""
        told = self._told.get(group)
        if told is None or told.position != events[-1].topic_position or len(told.frames) < len(events):
            return None
        return told.frames[-len(events) :]

    def remember(self, group: Hashable, told: Told) -> None:
        if sum(frame.size for frame in told.frames) <= LONGEST_TOLD and len(self._told) < MOST_TOLD:
            self._told[group] = told
            self._loop.call_later(TOLD_SECONDS, self._forget_told, group, told)

    def _forget_told(self, group: Hashable, told: Told) -> None:
        if self._told.get(group) is told:
            del self._told[group]

    # Announcements

    def hear(self, message: dict[str, Any]) -> None:
        match message["k"]:
            case "d":
                self._hear_flush(message)
            case "r":
                self._hear_bell(message.get("e"))
            case "x":
                self.forget_rights()
            case "n":
                self.deliver_frame(frames.news(self.topic, message["about"], message["id"], message["change"]))
            case "s":
                turn = message["turn"]
                status = {name: value for name, value in message.items() if name not in ("k", "turn")}
                if status["state"] in FINAL_STATES:
                    self._gaps.pop(turn, None)
                frame = frames.status(self.topic, turn, status)
                self._hand_on(lambda: self._each(lambda follower: follower.on_status(turn, status, frame)))

    def _hear_bell(self, told: dict[str, Any] | None) -> None:
        if told is None or len(self._announced) >= MOST_HELD:
            self.ring()
            return
        (event,) = selectors.read_events([told])
        if self.position is None or event.topic_position > self.position:
            self._announced[event.topic_position] = event
            if self.position is not None:
                self._read_soon()

    def _hear_flush(self, message: dict[str, Any]) -> None:
        turn = message["turn"]
        if (waiting := self._gaps.get(turn)) is not None:
            waiting.append(message)
        elif entries := message.get("entries"):
            self.deliver(Flush(self.topic, turn, [opened_entry(turn, entry) for entry in entries]))
        else:
            self._gaps[turn] = []
            self.spawn(self._fetch(turn, message["from"] - 1))

    async def _fetch(self, turn: str, after: int) -> None:
        """A flush that was too long to be announced whole."""
        try:
            if entries := await streams.read_after(turn, after):
                self.deliver(Flush(self.topic, turn, entries))
                after = entries[-1]["seq"]
        except (RedisError, OSError):
            log.warning("live.flush_unread", topic=self.topic)
        for message in self._gaps.pop(turn, []):
            if message["seq"] > after:
                self._hear_flush(message)

    def deliver(self, flush: Flush) -> None:
        self._hand_on(lambda: self._each(lambda follower: follower.on_flush(flush)))

    def deliver_frame(self, frame: Frame) -> None:
        self._hand_on(lambda: self._each(lambda follower: follower.on_frame(frame)))

    def _each(self, tell: Callable[[Follower], None]) -> None:
        for follower in tuple(self.followers):
            tell(follower)

    # Rights

    def _hand_on(self, item: Callable[[], None]) -> None:
        if self._held is not None:
            if len(self._held) < MOST_HELD:
                self._held.append(item)
            return
        if not self._checked:  # those who are being let in keep it until they are
            item()
            return
        age = self._loop.time() - min(self._checked.values())
        limit = FRESH_SECONDS * settings.PARLANCE_TIME_SCALE
        if age > limit:
            self._held = [item]
            self._read_soon()
            return
        if age > limit - AHEAD_SECONDS * settings.PARLANCE_TIME_SCALE:
            self._read_soon()
        item()

    def forget_rights(self, who: UUID | None = None) -> None:
        """The rights of this person or key, or anybody's, may have changed: nothing more is handed on before they were looked at."""
        self._forgotten_at = self._loop.time()
        self._doubt([viewer for viewer in self._checked if is_meant(viewer, who)])

    def _doubt(self, viewers: list[Actor]) -> None:
        """The mark is another each time, so that a look that was under way does not count."""
        self._checked |= dict.fromkeys(viewers, -float(next(self._doubts)))
        if viewers:
            self._read_soon()

    # Reading

    def ring(self) -> None:
        self._is_rung = True
        if self.position is not None:
            self._read_soon()

    def spawn(self, work: Any) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _read_soon(self) -> None:
        if self._reading is None:
            self._reading = self._loop.create_task(self._read())
            self._reading.add_done_callback(self._read_done)

    def _read_done(self, task: asyncio.Task[None]) -> None:
        self._reading = None
        if task.cancelled():
            return
        if failure := task.exception():
            log.error("live.feed_failed", topic=self.topic, exc_info=failure)
            self._loop.call_later(RETRY_SECONDS, self._read_what_is_left)
        else:
            self._read_what_is_left()

    def _read_what_is_left(self) -> None:
        is_asked = any(checked_at < 0 for checked_at in self._checked.values())
        if self.followers and (is_asked or self._held is not None or self._has_news):
            self._read_soon()

    @property
    def _has_news(self) -> bool:
        return self.position is not None and (self._is_rung or bool(self._announced))

    def _next_announced(self) -> list[TopicEvent]:
        """What bells told, as far as it follows on what is known."""
        assert self.position is not None
        places = itertools.takewhile(self._announced.__contains__, itertools.count(self.position + 1))
        return [self._announced[place] for place in places]

    def _forget_announced(self) -> None:
        for place in [place for place in self._announced if place <= (self.position or 0)]:
            del self._announced[place]

    async def _read(self) -> None:
        """Rights, events and their words in one visit to a thread; again while bells ring."""
        while True:
            known: list[TopicEvent] = []
            after = None
            if self._has_news:
                known = [] if self._is_rung else self._next_announced()
                if not known:
                    after = self.position
                    self._is_rung = False
                    self._announced.clear()
            now = self._loop.time()
            fresh = now - (FRESH_SECONDS - AHEAD_SECONDS) * settings.PARLANCE_TIME_SCALE
            stale = {viewer: checked_at for viewer, checked_at in self._checked.items() if checked_at < fresh}
            try:
                denied, events, told = await in_thread(self._look, list(stale), list(self._checked), known, after)
            except DATABASE_AWAY as failure:
                self._is_rung = self._is_rung or after is not None
                log.warning("live.database_away", topic=self.topic, reason=type(failure).__name__)
                await asyncio.sleep(RETRY_SECONDS)
                if not self.followers:
                    return
                continue
            for viewer, checked_at in stale.items():
                if self._checked.get(viewer) == checked_at:
                    self._checked[viewer] = now
            self._drop(denied)
            self._tell(events, told)
            held, self._held = self._held, None
            for item in held or ():
                item()
            if after is not None and len(events) == selectors.PAGE:
                self._is_rung = True
            if not self._has_news:
                return

    def _look(
        self, stale: list[Actor], viewers: list[Actor], known: list[TopicEvent], after: int | None
    ) -> tuple[set[Actor], list[TopicEvent], dict[Hashable, list[Frame]]]:
        """In a thread. The log is read after ``after``, or not at all: then ``known`` is what is new."""
        counts.rights_checks += len(stale)
        read: list[TopicEvent] | None = known
        denied: set[Actor] = set()
        if after is not None:
            read = None
            if stale:
                first, *stale = stale
                read = resume(self.kind, first, self.topic, self.object_id, after)
                denied |= {first} if read is None else set()
            if read is None:
                counts.catch_up_reads += 1
                read = selectors.list_topic_events(self.topic, after)
        denied |= {viewer for viewer in stale if not self.kind.is_allowed(viewer, self.object_id)}
        events = read or []
        told: dict[Hashable, list[Frame]] = {}
        for viewer in viewers:
            group = audience(self.kind, viewer, self.object_id, events)
            if events and viewer not in denied and group not in told:
                try:
                    told[group] = render(self.kind, viewer, self.topic, self.object_id, events)
                except DomainError:  # gone, or taken away, since the last check
                    denied.add(viewer)
        return denied, events, told

    def _drop(self, denied: set[Actor]) -> None:
        if denied:
            for follower in [follower for follower in self.followers if follower.viewer in denied]:
                self.remove(follower)
                follower.on_denied()

    def _tell(self, events: list[TopicEvent], told: dict[Hashable, list[Frame]]) -> None:
        if not events:
            return
        self.position = events[-1].topic_position
        self._forget_announced()
        self._told.clear()
        for follower in tuple(self.followers):
            rendered = told.get(audience(self.kind, follower.viewer, self.object_id, events))
            if rendered is None:
                continue  # it came in while this was read, and reads on until it has caught up with us
            for event, frame in zip(events, rendered, strict=True):
                follower.on_event(event, frame)

    def close(self) -> None:
        for task in [*self._tasks, *([self._reading] if self._reading else [])]:
            task.cancel()
