"""How many sockets a person has open, over all web processes: one seat in Redis for each, which lapses unless it is renewed.

A process that is killed leaves its seats for ``LEASE_SECONDS``. Without Redis everybody is let in: a process counts its own as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import structlog
from redis.exceptions import TimeoutError as RedisTimeout

from apps.core import redis
from apps.core.leases import LEASE_SECONDS, RENEW_SECONDS, scaled

SEATS_EACH = 20
SILENT_SECONDS = 5.0
FREE_SECONDS = 0.05
AT_ONCE = 500

# KEYS: for each seat the person's. ARGV: most (0: it is theirs already), lease (ms), the seats' names. Answers who has one.
_TAKE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local most, lease = tonumber(ARGV[1]), tonumber(ARGV[2])
local out = {}
for i, key in ipairs(KEYS) do
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  if most > 0 and redis.call('ZCARD', key) >= most then
    out[i] = 0
  else
    redis.call('ZADD', key, now + lease, ARGV[i + 2])
    redis.call('PEXPIRE', key, lease)
    out[i] = 1
  end
end
return out
"""

log = structlog.get_logger(__name__)
_silent_until = 0.0


def _key(user_id: UUID) -> str:
    return redis.key("sockets", user_id)


def _arguments(seats: Mapping[str, UUID], most: int) -> list[Any]:
    keys = [_key(user_id) for user_id in seats.values()]
    return [_TAKE, len(keys), *keys, most, int(scaled(LEASE_SECONDS) * 1000), *seats]


def take(wanted: Mapping[str, UUID]) -> set[str]:
    """In a thread: name of a seat → person; gives those that were free. A Redis that fell silent costs one call the time-out."""
    global _silent_until  # noqa: PLW0603  (one a process)
    if not wanted or time.monotonic() < _silent_until:
        return set(wanted)
    try:
        answers: Any = redis.client().eval(*_arguments(wanted, SEATS_EACH))
    except redis.Away as failure:
        if isinstance(failure, TimeoutError | RedisTimeout):
            _silent_until = time.monotonic() + SILENT_SECONDS
        log.warning("live.seats_without_redis", reason=type(failure).__name__)
        return set(wanted)
    return {name for name, is_free in zip(wanted, answers, strict=True) if is_free}


class Seats:
    """What this process holds, on its loop: renewed while it is held, given back in one call when many leave at once."""

    def __init__(self) -> None:
        self._held: dict[str, UUID] = {}
        self._freed: dict[str, UUID] = {}
        self._leave = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._keep())

    def hold(self, name: str, user_id: UUID) -> None:
        self._held[name] = user_id

    def free(self, name: str) -> None:
        if user_id := self._held.pop(name, None):
            self._freed[name] = user_id
            self._leave.set()

    async def _keep(self) -> None:
        """What could not be given back lapses; what is held is renewed when Redis is back, also when it was wiped."""
        loop = asyncio.get_running_loop()
        renew_at = loop.time() + scaled(RENEW_SECONDS)
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(renew_at):
                    await self._leave.wait()
                    await asyncio.sleep(FREE_SECONDS)
            with contextlib.suppress(*redis.Away):
                await self._give_back()
                if loop.time() >= renew_at:
                    await self._renew()
            if loop.time() >= renew_at:
                renew_at = loop.time() + scaled(RENEW_SECONDS)

    async def _give_back(self) -> None:
        self._leave.clear()
        freed, self._freed = self._freed, {}
        for some in _portions(freed.items()):
            pipeline = redis.async_client().pipeline(transaction=False)
            for name, user_id in some:
                pipeline.zrem(_key(user_id), name)
            await pipeline.execute()

    async def _renew(self) -> None:
        for some in _portions(tuple(self._held.items())):
            await redis.async_client().eval(*_arguments(dict(some), 0))

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._freed |= self._held
        with contextlib.suppress(*redis.Away):
            await self._give_back()


def _portions(seats: Iterable[tuple[str, UUID]]) -> Iterable[tuple[tuple[str, UUID], ...]]:
    remaining = iter(seats)
    while some := tuple(itertools.islice(remaining, AT_ONCE)):
        yield some
