"""Announcements. ``ring`` says that a topic has news in the database; ``publish_status`` what a turn is doing.

A bell may be lost: positions find what was missed, at the latest at the hub's next look. Redis away is therefore no error here.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeout

from apps.core import redis
from apps.core.events import Emitted
from apps.live.types import FINAL_STATES

KEPT_SECONDS = 15 * 60
RUNNING_SECONDS = 2 * 60 * 60
SILENT_SECONDS = 5.0
RING = '{"k":"r"}'
RIGHTS = '{"k":"x"}'
#: Not a topic: what every hub hears.
EVERYWHERE = "everywhere"

log = structlog.get_logger(__name__)
_tasks: set[asyncio.Task[None]] = set()
_silent_until = 0.0


def channel(topic: str) -> str:
    return redis.key("topic", topic)


def _tell(topic: str, send: Callable[[Any], object]) -> None:
    """From a thread. A Redis that fell silent costs one caller the time-out, not all of them: the next ones do not ask."""
    global _silent_until  # noqa: PLW0603  (one a process)
    if time.monotonic() < _silent_until:
        return
    try:
        send(redis.client())
    except (RedisError, OSError) as failure:
        if isinstance(failure, TimeoutError | RedisTimeout):
            _silent_until = time.monotonic() + SILENT_SECONDS
        log.warning("live.bell_lost", topic=topic, reason=type(failure).__name__)


def ring(topic: str, news: Emitted | None = None) -> None:
    """After commit, from a thread. With the event itself a follower that has the one before need not read the log."""
    message = json.dumps({"k": "r", "e": asdict(news)}, default=str) if news else RING
    _tell(topic, lambda client: client.publish(channel(topic), message))


def ring_after_commit(topic: str, news: Emitted | None = None) -> None:
    """Inside a transaction. A bell that fails changes nothing else."""
    transaction.on_commit(lambda: ring(topic, news), robust=True)


class _Ring:
    """Named by its topic, so that one transaction rings it once."""

    def __init__(self, topic: str) -> None:
        self.topic = topic

    def __call__(self) -> None:
        ring(self.topic)


def ring_once_after_commit(topic: str) -> None:
    """As ``ring_after_commit``, for a transaction that may write many events to the topic: followers read the log once."""
    waiting = (function for _savepoints, function, _robust in transaction.get_connection().run_on_commit)
    if not any(isinstance(each, _Ring) and each.topic == topic for each in waiting):
        transaction.on_commit(_Ring(topic), robust=True)


def rights_changed(topic: str) -> None:
    """After commit: who follows this topic is asked for their rights before they hear more; without it within five seconds."""
    _tell(topic, lambda client: client.publish(channel(topic), RIGHTS))


def rights_of(who: UUID | None) -> None:
    """After commit: the same for all that this person or key follows anywhere, and for their credentials. None: for everybody."""
    message = json.dumps({"k": "x", "who": str(who) if who else None})
    _tell(EVERYWHERE, lambda client: client.publish(channel(EVERYWHERE), message))


def tell_news(topics: Iterable[str], *, about: str, object_id: UUID, change: str) -> None:
    """After commit: something that followers of these topics may have in a list has changed. Kept nowhere: a hint to look."""
    named = list(topics)
    if not named:
        return
    news = json.dumps({"k": "n", "about": about, "id": str(object_id), "change": change})

    def send(client: Any) -> None:
        pipeline = client.pipeline(transaction=False)
        for topic in named:
            pipeline.publish(channel(topic), news)
        pipeline.execute()

    _tell(named[0], send)


def publish_soon(topic: str, message: str) -> None:
    """From a loop, without waiting for it."""
    task = asyncio.get_running_loop().create_task(_publish(topic, message))
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


async def _publish(topic: str, message: str) -> None:
    try:
        await redis.async_client().publish(channel(topic), message)
    except (RedisError, OSError) as failure:
        log.warning("live.bell_lost", topic=topic, reason=type(failure).__name__)


def _status_commands(pipeline: Any, topic: str, turn_id: UUID, state: str, extra: dict[str, Any]) -> Any:
    status = {
        "state": state,
        **{name: str(value) if isinstance(value, UUID) else value for name, value in extra.items()},
    }
    running = redis.key("running", topic)
    if state in FINAL_STATES:
        pipeline.hdel(running, str(turn_id))
        pipeline.expire(redis.key("turn", turn_id), KEPT_SECONDS)
    else:
        pipeline.hset(running, str(turn_id), json.dumps(status))
        pipeline.expire(running, RUNNING_SECONDS)
    pipeline.publish(channel(topic), json.dumps({"k": "s", "turn": str(turn_id), **status}))
    return pipeline


def publish_status(topic: str, turn_id: UUID, state: str, **extra: Any) -> None:
    """Tell what a turn does now, from a thread. ``extra``: ``message`` (id), ``place``, ``reason``.

    A late joiner gets the last status of every turn that is not final. A final state lets the stream expire after 15 minutes;
    the final event of the log is what readers rely on, so ring the topic as well.
    """
    _tell(
        topic,
        lambda client: _status_commands(client.pipeline(transaction=False), topic, turn_id, state, extra).execute(),
    )


async def publish_status_async(topic: str, turn_id: UUID, state: str, **extra: Any) -> None:
    """The same from a loop."""
    try:
        await _status_commands(redis.async_client().pipeline(transaction=False), topic, turn_id, state, extra).execute()
    except (RedisError, OSError) as failure:
        log.warning("live.status_lost", topic=topic, state=state, reason=type(failure).__name__)
