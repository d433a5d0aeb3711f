"""One limiter for HTTP, sockets and tasks: token buckets in Redis, taken from by one script, so that parallel calls count exactly.

Without Redis it is open (reading goes on), unless the caller says that it must be closed: what costs money is then refused, or
counted from rows by its owner. While the installation is short of places or its loops are late (``core.pressure``) all buckets
that give way hold half, a quarter, an eighth; work of the priorities ``critical`` and ``high`` is not held back by that.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from django.conf import settings
from django.utils.translation import gettext as _
from redis.commands.core import AsyncScript, Script

from apps.core import redis
from apps.core.errors import LimitReached, Unavailable
from apps.core.types import Priority

logger = logging.getLogger(__name__)

# KEYS: the buckets, then how far the limits are halved. ARGV: cost, then rate, burst and "gives way" for each bucket.
# All buckets are looked at before any is taken from: a call that one of them refuses costs the others nothing.
_SCRIPT = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local cost = tonumber(ARGV[1])
local halvings = tonumber(redis.call('GET', KEYS[#KEYS]) or 0)
local tokens, wait, scarce, least, new = {}, 0, 1, nil, ''
local function limit_of(i)
  local rate, burst = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  if ARGV[3 * i + 1] == '1' and halvings > 0 then
    rate, burst = rate / 2 ^ halvings, math.max(burst / 2 ^ halvings, cost)
  end
  return rate, burst
end
for i = 1, #KEYS - 1 do
  local rate, burst = limit_of(i)
  local held = redis.call('HMGET', KEYS[i], 'tokens', 'at')
  local left = tonumber(held[1]) or burst
  local at = tonumber(held[2]) or now
  left = math.min(burst, left + math.max(0, now - at) * rate)
  tokens[i] = left
  new = new .. (held[1] and '0' or '1')
  if left < cost and (cost - left) / rate > wait then wait, scarce = (cost - left) / rate, i end
  if wait == 0 and (least == nil or left < least) then least, scarce = left, i end
end
if cost > 0 then
  for i = 1, #KEYS - 1 do
    local rate, burst = limit_of(i)
    if wait == 0 then tokens[i] = tokens[i] - cost end
    redis.call('HSET', KEYS[i], 'tokens', string.format('%.9f', tokens[i]), 'at', string.format('%.6f', now))
    redis.call('PEXPIRE', KEYS[i], math.ceil(burst / rate * 1000) + 1000)
  end
end
return {scarce, string.format('%.9f', tokens[scarce]), string.format('%.6f', wait), halvings, new}
"""
SKIP_AFTER_FAILURE_SECONDS = 2.0
_away_until = 0.0
# A burst of calls must not become a burst of new connections: a server that cannot accept them all looks away.
_at_once = threading.BoundedSemaphore(16)

refused = 0  # by this process, for its metrics


@dataclass(frozen=True, slots=True)
class Limit:
    """``rate`` tokens come back a second, ``burst`` fit in."""

    rate: float
    burst: float

    def times(self, factor: float) -> Limit:
        return Limit(self.rate * factor, self.burst * factor)

    def halved(self, times: int, *, at_least: float) -> Limit:
        return Limit(self.rate / 2**times, max(self.burst / 2**times, at_least)) if times else self


@dataclass(frozen=True, slots=True)
class Bucket:
    """``name`` says what is limited, ``subject`` who: an id or an address. ``gives_way``: holds less while everything is busy."""

    name: str
    subject: object
    limit: Limit
    gives_way: bool = True


@dataclass(frozen=True, slots=True)
class Left:
    """What remains in the scarcest bucket; ``is_known`` is false while Redis is away.

    ``is_new``: of the buckets that do not give way none was there: nothing was taken for long, or Redis has forgotten.
    """

    burst: int
    remaining: int
    reset_seconds: int
    is_known: bool = True
    is_new: bool = False

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
    priority: Priority = Priority.NORMAL,
    without_redis: Literal["open", "closed"] = "open",
) -> Left:
    """Take ``cost`` tokens or raise ``LimitReached`` (429 with ``Retry-After`` and ``RateLimit-*``)."""
    return take_from([Bucket(name, subject, Limit(rate, burst))], cost, priority=priority, without_redis=without_redis)


def take_from(
    buckets: Sequence[Bucket],
    cost: float = 1,
    *,
    priority: Priority = Priority.NORMAL,
    without_redis: Literal["open", "closed"] = "open",
) -> Left:
    """From all of them or from none."""
    try:
        answer = _run(buckets, cost, priority)
    except redis.Away:
        if without_redis == "closed":
            raise Unavailable from None
        return _unknown(buckets)
    return _judge(buckets, cost, priority, answer)


async def take_on_loop(buckets: Sequence[Bucket], cost: float = 1, *, priority: Priority = Priority.NORMAL) -> Left:
    """As ``take_from``, on an event loop; open without Redis."""
    if time.monotonic() < _away_until or redis.is_resting():
        return _unknown(buckets)
    client = redis.async_client()
    keys, numbers = _arguments(buckets, cost, priority)
    try:
        answer: Any = await AsyncScript(client, _SCRIPT)(keys=keys, args=numbers, client=client)
    except redis.Away as error:
        _note_away(error)
        return _unknown(buckets)
    return _judge(buckets, cost, priority, answer)


def look_at(bucket: Bucket) -> Left:
    """What is left in one, without taking anything; never raises ``LimitReached``."""
    return take_from([bucket], 0)


def take_up_to(bucket: Bucket, cost: float) -> None:
    """As much of ``cost`` as there is; never raises ``LimitReached``."""
    with contextlib.suppress(LimitReached):
        take_from([bucket], min(cost, look_at(bucket).remaining))


def _judge(buckets: Sequence[Bucket], cost: float, priority: Priority, answer: Any) -> Left:
    global refused  # noqa: PLW0603  (counted for the metrics of this process)
    bucket, left, wait = buckets[int(answer[0]) - 1], float(answer[1]), float(answer[2])
    halvings = int(answer[3]) if _gives_way(bucket, priority) else 0
    limit = bucket.limit.halved(halvings, at_least=cost)
    kept = [was_new for each, was_new in zip(buckets, answer[4].decode(), strict=True) if not each.gives_way]
    found = Left(
        int(limit.burst),
        max(0, int(left)),
        math.ceil((limit.burst - left) / limit.rate),
        is_new=bool(kept) and set(kept) == {"1"},
    )
    if wait <= 0:
        return found
    refused += 1
    sentence = (
        _("Much is going on here at the moment, so everybody may do less at once. Try again shortly.")
        if halvings
        else _("That was too much at once. Try again in a moment.")
    )
    raise LimitReached(
        sentence,
        retry_after_seconds=math.ceil(wait),
        limit=bucket.name,
        most=found.burst,
        remaining=found.remaining,
        reset_seconds=found.reset_seconds,
        reason="load" if halvings else "rate",
    )


def _unknown(buckets: Sequence[Bucket]) -> Left:
    return Left(int(buckets[0].limit.burst), int(buckets[0].limit.burst), 0, is_known=False)


def _gives_way(bucket: Bucket, priority: Priority) -> bool:
    return bucket.gives_way and priority >= Priority.NORMAL


def halvings_key() -> str:
    return redis.key("limit", "halvings")


def _arguments(buckets: Sequence[Bucket], cost: float, priority: Priority) -> tuple[list[str], list[float]]:
    keys = [*(redis.key("limit", bucket.name, bucket.subject) for bucket in buckets), halvings_key()]
    numbers: list[float] = [cost]
    for bucket in buckets:
        numbers += [bucket.limit.rate, bucket.limit.burst, int(_gives_way(bucket, priority))]
    return keys, numbers


def _run(buckets: Sequence[Bucket], cost: float, priority: Priority) -> Any:
    if time.monotonic() < _away_until:
        raise ConnectionError
    keys, numbers = _arguments(buckets, cost, priority)
    with _at_once:
        try:
            return _eval(keys, numbers)
        except redis.Away as error:
            _note_away(error)
            raise


def _note_away(error: BaseException) -> None:
    """A server that does not answer is not asked by every request."""
    global _away_until  # noqa: PLW0603  (one a process)
    _away_until = time.monotonic() + SKIP_AFTER_FAILURE_SECONDS
    logger.warning("limits_without_redis", extra={"reason": type(error).__name__})


def _eval(keys: list[str], numbers: list[float]) -> Any:
    client = redis.client()
    script = Script(client, _SCRIPT)  # sends the digest; the text only to a server that does not know it yet
    try:
        return script(keys=keys, args=numbers, client=client)
    except redis.Away:  # a connection that broke while it lay in the pool says nothing about the server
        return script(keys=keys, args=numbers, client=client)


def are_on() -> bool:
    return bool(settings.PARLANCE_LIMITS)


def limit_from_setting(name: str) -> Limit | None:
    """``PARLANCE_LIMITS["person"]`` and the like; None when limits are off."""
    found = settings.PARLANCE_LIMITS.get(name)
    return Limit(*found) if found else None


class Tokens:
    """A bucket in this process alone: for what comes too often to ask Redis each time."""

    __slots__ = ("_at", "_left", "limit")

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._left, self._at = limit.burst, time.monotonic()

    def take(self, cost: float = 1) -> bool:
        now = time.monotonic()
        self._left = min(self.limit.burst, self._left + (now - self._at) * self.limit.rate)
        self._at = now
        if self._left < cost:
            return False
        self._left -= cost
        return True
