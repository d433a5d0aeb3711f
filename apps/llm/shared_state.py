"""What all processes share about calls, in Redis: the version of an organization's routes, and the breakers.

Without Redis calls go on: routes are then read again every two seconds and no breaker is open.
"""

from __future__ import annotations

import asyncio
import logging
import time
import weakref
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.core import redis
from apps.core.leases import scaled

logger = logging.getLogger(__name__)

FAILURES = 5
WINDOW_SECONDS = 30.0
OPEN_SECONDS = 30.0
PROBE_SECONDS = 60.0
REMEMBER_SECONDS = 600.0
LONGEST_WAIT_SECONDS = 0.25
AWAY_SECONDS = 2.0

# KEYS: failures, open, tripped, probe. ARGV: now, window, open time, memory (ms), threshold. Returns 1 when it opens.
_FAIL = """
local tripped = redis.call('EXISTS', KEYS[3])
redis.call('LPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], 0, ARGV[5] - 1)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local oldest = redis.call('LINDEX', KEYS[1], ARGV[5] - 1)
local many = oldest and (ARGV[1] - oldest) <= tonumber(ARGV[2])
if tripped == 1 or many then
  redis.call('SET', KEYS[2], 1, 'PX', ARGV[3])
  redis.call('SET', KEYS[3], 1, 'PX', ARGV[4])
  redis.call('DEL', KEYS[4], KEYS[1])
  return 1
end
return 0
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """``version`` None: Redis is away."""

    version: bytes | None
    resting: frozenset[str] = frozenset()
    tripped: frozenset[str] = frozenset()


_away_until = 0.0


def _keys(breaker: str) -> list[str]:
    return [redis.key("llm", "breaker", breaker, part) for part in ("failures", "open", "tripped", "probe")]


def _version_key(organization_id: UUID) -> str:
    return redis.key("llm", "routes", organization_id)


def announce_change(organization_id: UUID) -> None:
    """After commit: every process reads the organization's routes again before its next call."""
    try:
        redis.client().incr(_version_key(organization_id))
    except redis.Away as error:
        logger.warning("route_change_not_announced", extra={"reason": type(error).__name__})


def close_breaker(breaker: str) -> None:
    """For operators: forget the failures. Raises nothing when Redis is away: then no breaker is open."""
    try:
        redis.client().delete(*_keys(breaker))
    except redis.Away as error:
        logger.warning("breaker_not_reset", extra={"reason": type(error).__name__})


def list_resting(breakers: list[str]) -> set[str]:
    if not breakers:
        return set()
    try:
        found = redis.client().mget([_keys(breaker)[2] for breaker in breakers])
    except redis.Away:
        return set()
    return {breaker for breaker, value in zip(breakers, found, strict=True) if value}


async def look(organization_id: UUID, breakers: list[str]) -> Seen:
    """One round trip before a call."""
    names = [_version_key(organization_id)]
    for breaker in breakers:
        names += _keys(breaker)[1:3]
    found = await _values(names)
    if found is None:
        return Seen(None)
    values = [found[name] for name in names]
    pairs = list(zip(breakers, values[1::2], values[2::2], strict=True))
    return Seen(
        values[0] or b"0",
        frozenset(breaker for breaker, is_open, _tripped in pairs if is_open),
        frozenset(breaker for breaker, is_open, tripped in pairs if tripped and not is_open),
    )


@dataclass(eq=False, slots=True)
class _Batch:
    names: set[str]
    task: asyncio.Task[dict[str, bytes | None] | None] | None = None


_open: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Batch] = weakref.WeakKeyDictionary()


async def _values(names: list[str]) -> dict[str, bytes | None] | None:
    """One MGET for all calls that start in the same turn of the loop: a burst would open a connection for each."""
    loop = asyncio.get_running_loop()
    batch = _open.get(loop)
    if batch is None:
        batch = _open[loop] = _Batch(set())
        batch.task = loop.create_task(_read_batch(loop, batch))
    batch.names.update(names)
    assert batch.task is not None
    return await asyncio.shield(batch.task)


async def _read_batch(loop: asyncio.AbstractEventLoop, batch: _Batch) -> dict[str, bytes | None] | None:
    del _open[loop]  # who comes from now on asks anew
    names = sorted(batch.names)
    values = await _ask("mget", names)
    return None if values is None else dict(zip(names, values, strict=True))


async def may_probe(breaker: str) -> bool:
    """After the rest one call goes through; the others wait for its outcome."""
    milliseconds = int(scaled(PROBE_SECONDS) * 1000)
    return bool(await _ask("set", _keys(breaker)[3], 1, nx=True, px=milliseconds))


async def note_success(breaker: str) -> None:
    await _ask("delete", *_keys(breaker))


async def end_probe(breaker: str) -> None:
    """The probe ended without saying anything about the provider (stopped, refused for its content): the next may try."""
    await _ask("delete", _keys(breaker)[3])


async def note_failure(breaker: str) -> bool:
    """True when the breaker is open now."""
    window, rest, memory = (int(scaled(s) * 1000) for s in (WINDOW_SECONDS, OPEN_SECONDS, REMEMBER_SECONDS))
    keys = _keys(breaker)
    return bool(await _ask("eval", _FAIL, len(keys), *keys, int(time.time() * 1000), window, rest, memory, FAILURES))


async def _ask(command: str, *args: object, **options: object) -> Any:
    """None when Redis is away; then it is not asked again for a moment, so that a black hole costs one short wait.

    What takes too long is left to end by itself: a command that is cancelled while it connects leaks its socket.
    """
    global _away_until  # noqa: PLW0603  (one view a process)
    if time.monotonic() < _away_until:
        return None
    asked = asyncio.ensure_future(getattr(redis.async_client(), command)(*args, **options))
    asked.add_done_callback(_forget)
    await asyncio.wait({asked}, timeout=LONGEST_WAIT_SECONDS)
    if asked.done() and not asked.cancelled():
        error = asked.exception()
        if error is None:
            return asked.result()
        if not isinstance(error, (*redis.Away, TimeoutError)):
            raise error
        reason = type(error).__name__
    else:
        reason = "slow"
    _away_until = time.monotonic() + scaled(AWAY_SECONDS)
    logger.warning("breakers_unknown", extra={"reason": reason})
    return None


def _forget(asked: asyncio.Future[Any]) -> None:
    if not asked.cancelled():
        asked.exception()


async def leave_loop() -> None:
    """Before a loop that served one call ends."""
    await redis.async_client().aclose()
