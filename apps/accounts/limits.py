"""One limiter for HTTP, sockets and tasks: token buckets in Redis, taken from by one script, so that parallel calls count exactly.

Without Redis it is open (reading goes on, and what costs money is bounded by rows: running turns, budgets), unless the
caller says that it must be closed.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from redis.commands.core import Script

from apps.core import redis
from apps.core.errors import LimitReached, Unavailable

logger = logging.getLogger(__name__)

# All buckets are looked at before any is taken from: a call that one of them refuses costs the others nothing.
_SCRIPT = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local cost = tonumber(ARGV[1])
local tokens, wait, scarce, least = {}, 0, 1, nil
for i, key in ipairs(KEYS) do
  local rate, burst = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local held = redis.call('HMGET', key, 'tokens', 'at')
  local left = tonumber(held[1]) or burst
  local at = tonumber(held[2]) or now
  left = math.min(burst, left + math.max(0, now - at) * rate)
  tokens[i] = left
  if left < cost then wait = math.max(wait, (cost - left) / rate) end
  if least == nil or left < least then least, scarce = left, i end
end
for i, key in ipairs(KEYS) do
  local rate, burst = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  if wait == 0 then tokens[i] = tokens[i] - cost end
  redis.call('HSET', key, 'tokens', string.format('%.9f', tokens[i]), 'at', string.format('%.6f', now))
  redis.call('PEXPIRE', key, math.ceil(burst / rate * 1000) + 1000)
end
return {scarce, string.format('%.9f', tokens[scarce]), string.format('%.6f', wait)}
"""
SKIP_AFTER_FAILURE_SECONDS = 2.0
_away_until = 0.0
# A burst of calls must not become a burst of new connections: a server that cannot accept them all looks away.
_at_once = threading.BoundedSemaphore(16)


@dataclass(frozen=True, slots=True)
class Limit:
    """``rate`` tokens come back a second, ``burst`` fit in."""

    rate: float
    burst: float


@dataclass(frozen=True, slots=True)
class Bucket:
    """``name`` says what is limited, ``subject`` who: an id or an address."""

    name: str
    subject: object
    limit: Limit


@dataclass(frozen=True, slots=True)
class Left:
    """What remains in the scarcest bucket; ``is_known`` is false while Redis is away."""

    burst: int
    remaining: int
    reset_seconds: int
    is_known: bool = True

    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Limit": str(self.burst),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_seconds),
        }


def take(
    name: str,
    subject: object,
    rate: float,
    burst: float,
    cost: float = 1,
    *,
    without_redis: Literal["open", "closed"] = "open",
) -> Left:
    """Take ``cost`` tokens or raise ``LimitReached`` (429 with ``Retry-After`` and ``RateLimit-*``)."""
    return take_from([Bucket(name, subject, Limit(rate, burst))], cost, without_redis=without_redis)


def take_from(buckets: Sequence[Bucket], cost: float = 1, *, without_redis: Literal["open", "closed"] = "open") -> Left:
    """From all of them or from none."""
    try:
        scarce, left, wait = _run(buckets, cost)
    except redis.Away:
        if without_redis == "closed":
            raise Unavailable from None
        return Left(int(buckets[0].limit.burst), int(buckets[0].limit.burst), 0, is_known=False)
    limit = buckets[scarce].limit
    found = Left(int(limit.burst), max(0, int(left)), math.ceil((limit.burst - left) / limit.rate))
    if wait > 0:
        raise LimitReached(
            _("That was too much at once. Try again in a moment."),
            retry_after_seconds=math.ceil(wait),
            headers=found.headers(),
            limit=buckets[scarce].name,
        )
    return found


def _run(buckets: Sequence[Bucket], cost: float) -> tuple[int, float, float]:
    global _away_until  # noqa: PLW0603  (one a process: a server that does not answer is not asked by every request)
    if time.monotonic() < _away_until:
        raise ConnectionError
    keys = [redis.key("limit", bucket.name, bucket.subject) for bucket in buckets]
    numbers = [number for bucket in buckets for number in (bucket.limit.rate, bucket.limit.burst)]
    with _at_once:
        try:
            scarce, left, wait = _eval(keys, [cost, *numbers])
        except redis.Away:
            _away_until = time.monotonic() + SKIP_AFTER_FAILURE_SECONDS
            logger.warning("limits_without_redis")
            raise
    return int(scarce) - 1, float(left), float(wait)


def _eval(keys: list[str], numbers: list[float]) -> Any:
    client = redis.client()
    script = Script(client, _SCRIPT)  # sends the digest; the text only to a server that does not know it yet
    try:
        return script(keys=keys, args=numbers, client=client)
    except redis.Away:  # a connection that broke while it lay in the pool says nothing about the server
        return script(keys=keys, args=numbers, client=client)


def limit_from_setting(name: str) -> Limit | None:
    """``PARLANCE_LIMITS["writes"]`` and the like; None when limits are off."""
    found = settings.PARLANCE_LIMITS.get(name)
    return Limit(*found) if found else None
