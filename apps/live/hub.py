"""The hub of a process: one connection to Redis, one feed for each topic that somebody here follows.

It survives Redis: while it is away events still come by a look at the topics' counters every five seconds, and when it is
back every socket is closed with 1012, because nobody knows what was announced in between; clients resume from positions.
"""

from __future__ import annotations

import asyncio
import json
import random
import weakref
from collections.abc import Callable
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings

from apps.core import redis
from apps.core.db import in_thread
from apps.core.doors.topics import TopicKind, topics
from apps.live import selectors
from apps.live.bells import EVERYWHERE
from apps.live.feed import DATABASE_AWAY, Feed, Follower
from apps.live.metrics import counts, watch_lag
from apps.live.wire import Wire

POLL_SECONDS = 5.0
CONFIRM_SECONDS = 2.0
RECONNECT_SECONDS = (0.1, 0.3, 1.0, 2.0)

log = structlog.get_logger(__name__)


def find_kind(topic: str) -> tuple[TopicKind, UUID] | None:
    """The kind behind a topic's name, or None for a name that nobody answers to."""
    prefix, _colon, name = topic.partition(":")
    kind = topics.get(prefix)
    try:
        object_id = UUID(name)
    except ValueError:
        return None
    return (kind, object_id) if kind and topic == f"{prefix}:{object_id}" else None


class Hub:
    def __init__(self) -> None:
        self.feeds: dict[str, Feed] = {}
        self.on_message: dict[str, Callable[[Feed, dict[str, Any]], None]] = {}
        self.on_rights: Callable[[UUID | None], None] | None = None
        self._prefix = redis.key("topic", "").encode()
        self._wire: Wire | None = None
        self._was_connected = False
        self._is_connected = asyncio.Event()
        self._lost = asyncio.Event()
        self._tasks = [
            asyncio.get_running_loop().create_task(work) for work in (self._connect(), self._poll(), watch_lag())
        ]

    def channel(self, topic: str) -> bytes:
        return self._prefix + topic.encode()

    async def follow(self, topic: str, kind: TopicKind, object_id: UUID, follower: Follower) -> Feed:
        """Register first, then let the follower read: what is announced from now on reaches it.

        Without Redis it is registered all the same, and hears from the regular look at the counters.
        """
        feed = self.feeds.get(topic)
        if feed is None:
            feed = self.feeds[topic] = Feed(topic, kind, object_id)
        feed.add(follower)
        counts.subscriptions += 1
        try:
            async with asyncio.timeout(CONFIRM_SECONDS):
                await self._is_connected.wait()
                if self._wire is not None:
                    await self._wire.subscribe(self.channel(topic))
        except (OSError, TimeoutError):
            log.warning("live.followed_without_redis", topic=topic)
        return feed

    def leave(self, feed: Feed, follower: Follower) -> None:
        counts.subscriptions -= 1
        feed.remove(follower)
        if not feed.followers and self.feeds.get(feed.topic) is feed:
            del self.feeds[feed.topic]
            feed.close()
            if self._wire is not None:
                self._wire.unsubscribe(self.channel(feed.topic))

    def _hear(self, channel: bytes, data: bytes) -> None:
        name = channel[len(self._prefix) :].decode()
        if name == EVERYWHERE:
            self._hear_rights(json.loads(data)["who"])
            return
        feed = self.feeds.get(name)
        if feed is None:  # left while Redis was away
            if self._wire is not None:
                self._wire.unsubscribe(channel)
            return
        message = json.loads(data)
        kind = message["k"]
        if kind == "d":
            counts.flushes_heard += 1
        if extra := self.on_message.get(kind):
            extra(feed, message)
        else:
            feed.hear(message)

    def _hear_rights(self, named: str | None) -> None:
        who = UUID(named) if named else None
        for feed in self.feeds.values():
            feed.forget_rights(who)
        if self.on_rights is not None:
            self.on_rights(who)

    def _on_lost(self) -> None:
        self._wire = None
        counts.hub_connected = False
        self._is_connected.clear()
        self._lost.set()
        log.warning("live.redis_lost")

    async def _connect(self) -> None:
        """Keep one connection. Finding Redis again ends every socket: clients come back with their positions."""
        attempt = 0
        while True:
            try:
                wire = await Wire.connect(settings.REDIS_URL, self._hear, self._on_lost)
                self._lost.clear()
                if self._was_connected or attempt:
                    counts.hub_reconnects += 1
                    log.info("live.redis_found_again")
                    for feed in list(self.feeds.values()):
                        for follower in tuple(feed.followers):
                            follower.on_reconnect()
                for topic in [EVERYWHERE, *self.feeds]:
                    await wire.subscribe(self.channel(topic))
            except (OSError, TimeoutError) as failure:
                wait = RECONNECT_SECONDS[min(attempt, len(RECONNECT_SECONDS) - 1)]
                if attempt == 0:
                    log.warning("live.redis_away", reason=type(failure).__name__)
                attempt += 1
                counts.hub_connected = False
                await asyncio.sleep(wait * random.uniform(0.7, 1.3))  # noqa: S311  (spreads processes, keeps no secret)
                continue
            attempt = 0
            self._wire, self._was_connected = wire, True
            self._is_connected.set()
            counts.hub_connected = True
            await self._lost.wait()

    async def _poll(self) -> None:
        """Bells may be lost: one query for all topics of the process tells which of them have news."""
        while True:
            await asyncio.sleep(POLL_SECONDS * settings.PARLANCE_TIME_SCALE)
            if not self.feeds:
                continue
            try:
                positions = await in_thread(selectors.topic_positions, list(self.feeds))
            except DATABASE_AWAY:
                continue
            for topic, position in positions.items():
                feed = self.feeds.get(topic)
                if feed is not None and feed.position is not None and feed.position < position:
                    feed.ring()

    async def close(self) -> None:
        if self._wire is not None:
            self._wire.abort()
        for feed in self.feeds.values():
            feed.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        counts.hub_connected = None


_hubs: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = weakref.WeakKeyDictionary()


def hub() -> Hub:
    """The hub of the running loop, made when the first follower comes."""
    loop = asyncio.get_running_loop()
    found = _hubs.get(loop)
    if found is None:
        found = _hubs[loop] = Hub()
    return found


async def close_hub() -> None:
    if found := _hubs.pop(asyncio.get_running_loop(), None):
        await found.close()
