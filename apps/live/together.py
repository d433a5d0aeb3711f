"""Questions that come within a moment of each other are asked of the database as one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from apps.core.db import in_thread

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

GATHER_SECONDS = 0.02


class Together(Generic[K, V]):
    """``ask`` is called in a thread with all keys of a moment; a thousand pages that come back cost a few dozen queries.

    One that comes alone does not wait.
    """

    def __init__(self, ask: Callable[[list[K]], dict[K, V]]) -> None:
        self._ask = ask
        self._waiting: dict[K, asyncio.Future[V | None]] = {}
        self._task: asyncio.Task[None] | None = None
        self._asked_at = float("-inf")

    async def get(self, key: K) -> V | None:
        """None for what the answer does not hold; raises what ``ask`` raises."""
        loop = asyncio.get_running_loop()
        if key not in self._waiting:
            if not self._waiting:
                loop.call_at(max(loop.time(), self._asked_at + GATHER_SECONDS), self._start)
            self._waiting[key] = loop.create_future()
        return await asyncio.shield(self._waiting[key])

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        self._asked_at = loop.time()
        self._task = loop.create_task(self._run())

    async def _run(self) -> None:
        waiting, self._waiting = self._waiting, {}
        try:
            found = await in_thread(self._ask, list(waiting))
        except Exception as failure:  # noqa: BLE001  (it is theirs who asked)
            for future in waiting.values():
                if not future.done():
                    future.set_exception(failure)
                    future.exception()
            return
        for key, future in waiting.items():
            if not future.done():
                future.set_result(found.get(key))
