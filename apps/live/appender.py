"""One call to Redis carries the flushes of all turns of a process that are due: as load grows, calls grow, not their number."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from redis.exceptions import NoScriptError, RedisError

from apps.core import failpoints, redis
from apps.live.scripts import APPEND

INLINE_BYTES = 16 * 1024
EXPIRY_SECONDS = 2 * 60 * 60  # of a stream whose owner is gone; a finished one gets 15 minutes
BATCH = 64  # turns a call: Redis is never held longer than a few milliseconds


@dataclass(slots=True, eq=False)
class Append:
    """``done`` is called on the loop with the script's answer or with what went wrong."""

    turn_id: str
    topic: str
    fence: int
    first: int
    entries: list[str]
    is_reset: bool
    done: Callable[[tuple[int, int, int] | Exception], None]

    @property
    def last(self) -> int:
        return self.first + len(self.entries) - 1


class Appender:
    """Group commit: while one call is under way, what comes waits and goes together with the next."""

    def __init__(self) -> None:
        self._waiting: list[Append] = []
        self._task: asyncio.Task[None] | None = None
        self._client = redis.async_client()
        self._digest = ""
        self._fixed = [str(EXPIRY_SECONDS * 1000), str(INLINE_BYTES)]
        self._turn_prefix, self._running_prefix = redis.key("turn", ""), redis.key("running", "")
        self._channel_prefix = redis.key("topic", "")

    def submit(self, append: Append) -> None:
        self._waiting.append(append)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                try:
                    answers = await self._call(batch)
                except (RedisError, OSError) as failure:
                    for append in batch:
                        append.done(failure)
                else:
                    for append, answer in zip(batch, answers, strict=True):
                        append.done(tuple(answer))
        finally:
            self._task = None

    async def _call(self, batch: list[Append]) -> list[Any]:
        keys: list[str] = []
        arguments = list(self._fixed)
        for append in batch:
            keys += (self._turn_prefix + append.turn_id, self._running_prefix + append.topic)
            arguments += (
                append.turn_id,
                self._channel_prefix + append.topic,
                str(append.fence),
                str(append.first),
                "r" if append.is_reset else "a",
                str(len(append.entries)),
                *append.entries,
            )
        failpoints.hit("mid_flush")
        # Black hole: the client's own time-out is for a command; this one is for everything around it too.
        async with asyncio.timeout(settings.REDIS_TIMEOUT_SECONDS):
            if not self._digest:
                self._digest = await self._client.script_load(APPEND)
            try:
                return await self._client.evalsha(self._digest, len(keys), *keys, *arguments)
            except NoScriptError:
                return await self._client.eval(APPEND, len(keys), *keys, *arguments)


_appenders: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Appender] = weakref.WeakKeyDictionary()


def appender() -> Appender:
    """The appender of the running loop."""
    loop = asyncio.get_running_loop()
    found = _appenders.get(loop)
    if found is None:
        found = _appenders[loop] = Appender()
    return found
