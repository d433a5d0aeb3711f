"""What the frames of all sockets cost, settled with the one limiter: by person, key, organization and address, like calls over HTTP.

A frame waits for nobody: it is counted, and a moment later all that a person has sent is taken from the buckets in one go. Who has
sent more than there is gets no frame through until it has come back. Beside it each socket has a small bucket of its own.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from uuid import UUID

from apps.accounts.call_limits import READ_COST, buckets_of
from apps.accounts.types import Actor
from apps.core import limits
from apps.core.errors import LimitReached
from apps.core.types import Priority

SETTLE_SECONDS = 0.25
FRAME_COST = READ_COST

Who = tuple[UUID | None, UUID | None, str | None]


@dataclass(slots=True)
class _Account:
    actor: Actor
    address: str | None
    frames: int = 0
    refused_until: float = 0.0
    refusal: LimitReached | None = None


class Meter:
    def __init__(self) -> None:
        self._accounts: dict[Who, _Account] = {}
        self._settling: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()

    def count(self, actor: Actor, address: str | None) -> LimitReached | None:
        """One frame more; the refusal when this person has sent too many."""
        if not limits.are_on():
            return None
        who = actor.user_id, actor.key_id, address
        account = self._accounts.get(who)
        if account is None:
            account = self._accounts[who] = _Account(actor, address)
        if account.refusal is not None and self._loop.time() < account.refused_until:
            return account.refusal
        account.frames += 1
        if self._settling is None:
            self._settling = self._loop.create_task(self._settle())
        return None

    async def _settle(self) -> None:
        try:
            await asyncio.sleep(SETTLE_SECONDS)
            accounts, self._accounts = self._accounts, {}
            for who, account in accounts.items():
                if account.frames:
                    await self._charge(account)
                if self._loop.time() < account.refused_until:
                    account.frames = 0
                    self._accounts[who] = account
        finally:
            self._settling = None

    async def _charge(self, account: _Account) -> None:
        actor = account.actor
        buckets = buckets_of(actor, account.address)
        if not buckets:
            return
        # More than fits into a bucket would never be let through.
        cost = min([account.frames * FRAME_COST, *(bucket.limit.burst for bucket in buckets)])
        try:
            await limits.take_on_loop(buckets, cost, priority=Priority.LOW if actor.key_id else Priority.NORMAL)
        except LimitReached as refusal:
            account.refusal = refusal
            account.refused_until = self._loop.time() + refusal.retry_after_seconds

    async def close(self) -> None:
        if self._settling is not None:
            self._settling.cancel()
            await asyncio.gather(self._settling, return_exceptions=True)
