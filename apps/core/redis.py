"""Connections to Redis, which holds only what may be lost. Every wait is short; callers decide what its absence means."""

from __future__ import annotations

import asyncio
import functools
import time
import weakref
from collections.abc import Callable
from typing import Any

import redis
import redis.asyncio
from django.conf import settings
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

#: Gone, silent, or refusing because its memory or its disk is full: to who asks it is all the same.
Away = (redis.RedisError, OSError)

REST_SECONDS = 1.0
_rest_until = 0.0


class OnceMore(Retry):
    """One more try at once, for a connection from before a restart; none after a time-out.

    The library's own default tries three times more with pauses of seconds: a Redis that swallows packets would hold every
    thread for half a minute. After a time-out the whole process asks nothing for a second, so that a request that needs
    Redis three times waits once.
    """

    def __init__(self) -> None:
        super().__init__(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))

    def call_with_retry(self, do: Callable[[], Any], *args: Any, **kwargs: Any) -> Any:
        if is_resting():
            message = "Redis did not answer a moment ago."
            raise redis.ConnectionError(message)
        try:
            return super().call_with_retry(do, *args, **kwargs)
        except redis.TimeoutError:
            rest()
            raise


def rest() -> None:
    """Redis did not answer in time: for a second nobody in this process asks."""
    global _rest_until  # noqa: PLW0603  (one a process)
    _rest_until = time.monotonic() + REST_SECONDS


def is_resting() -> bool:
    return time.monotonic() < _rest_until


def key(*parts: object) -> str:
    """``key("turn", id)`` → ``parlance:turn:<id>``; each test worker and each installation has its own prefix."""
    return settings.REDIS_PREFIX + ":".join(str(part) for part in parts)


def client() -> redis.Redis:
    return _client(settings.REDIS_URL)


@functools.cache
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url,
        socket_timeout=settings.REDIS_TIMEOUT_SECONDS,
        socket_connect_timeout=settings.REDIS_TIMEOUT_SECONDS,
        health_check_interval=15,
        decode_responses=False,
        retry=OnceMore(),
    )


_loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, redis.asyncio.Redis] = weakref.WeakKeyDictionary()


def async_client() -> redis.asyncio.Redis:
    """The client of the running loop."""
    loop = asyncio.get_running_loop()
    if loop not in _loops:
        _loops[loop] = redis.asyncio.Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=settings.REDIS_TIMEOUT_SECONDS,
            socket_connect_timeout=settings.REDIS_TIMEOUT_SECONDS,
            health_check_interval=15,
            decode_responses=False,
            retry=AsyncRetry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
        )
    return _loops[loop]


async def close_async() -> None:
    """Close the running loop's connections, before the loop ends."""
    if opened := _loops.pop(asyncio.get_running_loop(), None):
        await opened.aclose()
