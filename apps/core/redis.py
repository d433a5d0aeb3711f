"""Connections to Redis, which holds only what may be lost. Every wait is short; callers decide what its absence means."""

from __future__ import annotations

import asyncio
import functools
import weakref

import redis
import redis.asyncio
from django.conf import settings

Away = (redis.ConnectionError, redis.TimeoutError, OSError)


def key(*parts: object) -> str:
    """``key("turn", id)`` → ``parlance:turn:<id>``; each test worker and each installation has its own prefix."""
    return settings.REDIS_PREFIX + ":".join(str(part) for part in parts)


@functools.cache
def client() -> redis.Redis:
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=settings.REDIS_TIMEOUT_SECONDS,
        socket_connect_timeout=settings.REDIS_TIMEOUT_SECONDS,
        health_check_interval=15,
        decode_responses=False,
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
        )
    return _loops[loop]


async def close_async() -> None:
    """Close the running loop's connections, before the loop ends."""
    if opened := _loops.pop(asyncio.get_running_loop(), None):
        await opened.aclose()
