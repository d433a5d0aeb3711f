"""Who is here, and who is typing. Kept in Redis with an end, told through the topic's channel, forgotten without harm."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any

import structlog
from redis.exceptions import RedisError

from apps.core import redis
from apps.live import bells, frames
from apps.live.feed import Feed
from apps.live.hub import Hub
from apps.live.subscription import Subscription

TYPING_SECONDS = 6.0
TYPING_EVERY_SECONDS = 2.0
PRESENT_SECONDS = 75
RENEW_SECONDS = 30.0
GATHER_SECONDS = 0.3
MOST_PEOPLE = 100

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Room:
    people: list[dict[str, str]] = field(default_factory=list)
    is_gathering: bool = False
    typing: dict[str, asyncio.TimerHandle] = field(default_factory=dict)


class People:
    """Presence and typing of one hub. Only people have a presence: keys and services come and go unseen."""

    def __init__(self, owner: Hub) -> None:
        self._rooms: dict[str, _Room] = {}
        self._present: dict[Subscription, float] = {}
        self._typed_at: dict[Subscription, float] = {}
        self._hub = owner
        self._loop = asyncio.get_running_loop()
        owner.on_message["p"] = lambda feed, _message: self._gather_soon(feed)
        owner.on_message["t"] = self._hear_typing

    def _room(self, topic: str) -> _Room:
        return self._rooms.setdefault(topic, _Room())

    # Presence

    async def enter(self, subscription: Subscription) -> None:
        """Also when the state changed, and to be kept: an entry ends after ``PRESENT_SECONDS``."""
        socket = subscription.socket
        entry = {
            "id": str(socket.actor.user_id),
            "name": socket.name,
            "state": socket.state,
            "until": time.time() + PRESENT_SECONDS,
        }
        is_new = subscription not in self._present
        self._present[subscription] = self._loop.time()
        key = redis.key("presence", subscription.topic)
        try:
            pipeline = redis.async_client().pipeline(transaction=False)
            pipeline.hset(key, socket.id, json.dumps(entry))
            pipeline.expire(key, PRESENT_SECONDS)
            pipeline.publish(bells.channel(subscription.topic), '{"k":"p"}')
            await pipeline.execute()
        except (RedisError, OSError):
            return
        if is_new and (room := self._rooms.get(subscription.topic)) and room.people:
            subscription.on_frame(frames.presence(subscription.topic, room.people))

    async def renew(self, subscription: Subscription) -> None:
        if self._loop.time() - self._present.get(subscription, 0.0) > RENEW_SECONDS:
            await self.enter(subscription)

    def leave(self, subscription: Subscription) -> None:
        self._typed_at.pop(subscription, None)
        if self._present.pop(subscription, None) is not None:
            task = self._loop.create_task(self._leave(subscription.topic, subscription.socket.id))
            task.add_done_callback(lambda _task: None)
        if subscription.topic not in self._hub.feeds and (room := self._rooms.pop(subscription.topic, None)):
            for timer in room.typing.values():
                timer.cancel()

    async def _leave(self, topic: str, socket_id: str) -> None:
        try:
            pipeline = redis.async_client().pipeline(transaction=False)
            pipeline.hdel(redis.key("presence", topic), socket_id)
            pipeline.publish(bells.channel(topic), '{"k":"p"}')
            await pipeline.execute()
        except (RedisError, OSError):
            log.info("live.presence_lost", topic=topic)

    def _gather_soon(self, feed: Feed) -> None:
        room = self._room(feed.topic)
        if not room.is_gathering:
            room.is_gathering = True
            self._loop.call_later(GATHER_SECONDS, lambda: feed.spawn(self._gather(feed, room)))

    async def _gather(self, feed: Feed, room: _Room) -> None:
        room.is_gathering = False
        try:
            entries = await redis.async_client().hvals(redis.key("presence", feed.topic))
        except (RedisError, OSError):
            return
        now = time.time()
        people: dict[str, dict[str, str]] = {}
        for raw in entries:
            entry = json.loads(raw)
            if entry["until"] < now:
                continue
            known = people.get(entry["id"])
            if known is None or known["state"] == "away":
                people[entry["id"]] = {"id": entry["id"], "name": entry["name"], "state": entry["state"]}
        found = sorted(people.values(), key=lambda person: (person["name"].casefold(), person["id"]))[:MOST_PEOPLE]
        if found != room.people:
            room.people = found
            feed.deliver_frame(frames.presence(feed.topic, found))

    # Typing

    def type(self, subscription: Subscription, *, on: bool) -> None:
        """Announce, at most every two seconds; the end comes by itself after six."""
        now = self._loop.time()
        if on and now - self._typed_at.get(subscription, float("-inf")) < TYPING_EVERY_SECONDS:
            return
        if on:
            self._typed_at[subscription] = now
        elif self._typed_at.pop(subscription, None) is None:
            return
        socket = subscription.socket
        message = {"k": "t", "user": str(socket.actor.user_id), "name": socket.name, "on": on}
        bells.publish_soon(subscription.topic, json.dumps(message))

    def _hear_typing(self, feed: Feed, message: dict[str, Any]) -> None:
        room, user = self._room(feed.topic), message["user"]
        earlier = room.typing.pop(user, None)
        if earlier is not None:
            earlier.cancel()
        if message["on"]:
            room.typing[user] = self._loop.call_later(TYPING_SECONDS, self._stop_typing, feed, room, message)
            if earlier is None:
                feed.deliver_frame(frames.typing(feed.topic, user, message["name"], on=True))
        elif earlier is not None:
            feed.deliver_frame(frames.typing(feed.topic, user, message["name"], on=False))

    def _stop_typing(self, feed: Feed, room: _Room, message: dict[str, Any]) -> None:
        room.typing.pop(message["user"], None)
        feed.deliver_frame(frames.typing(feed.topic, message["user"], message["name"], on=False))
