"""One open socket: its bounded queue, its subscriptions, what it may still send."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Coroutine
from typing import Any
from uuid import uuid4

from django.conf import settings

from apps.accounts.types import Actor
from apps.core.limits import Limit, Tokens
from apps.live.frames import Frame
from apps.live.metrics import counts
from apps.live.outlet import Outlet

LONGEST_QUEUE = 256 * 1024
LOOK_AGAIN_SECONDS = 0.05
PATIENCE_SECONDS = 20.0
REFUSED_FRAMES = Limit(rate=1, burst=60)
TOLD_REFUSALS = Limit(rate=1, burst=1)

TOO_BIG = 1009
RESTARTED = 1012
OVERLOADED = 1013
NOT_A_FRAME = 4400
SIGNED_OUT = 4401
TOO_MANY = 4429


class Socket:
    __slots__ = (
        "_outlet",
        "_pump",
        "_queue",
        "_queued",
        "_room",
        "actor",
        "address",
        "allowance",
        "id",
        "is_closed",
        "name",
        "patience",
        "state",
        "stated_at",
        "subscriptions",
        "tasks",
        "told",
    )

    def __init__(self, actor: Actor, name: str, outlet: Outlet, allowance: Tokens) -> None:
        self.id = uuid4().hex
        self.actor, self.name, self.allowance = actor, name, allowance
        self.address: str | None = None
        self.patience, self.told = Tokens(REFUSED_FRAMES), Tokens(TOLD_REFUSALS)
        self.state, self.stated_at = "here", 0.0
        self.subscriptions: dict[str, Any] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.is_closed = False
        self._outlet = outlet
        self._queue: deque[Frame] = deque()
        self._queued = 0
        self._pump: asyncio.Task[None] | None = None
        self._room: asyncio.Event | None = None

    def push(self, frame: Frame) -> None:
        """Queue a frame. A client that lets more than ``LONGEST_QUEUE`` wait is closed with 1013 and resumes later."""
        if self.is_closed:
            return
        if self._pump is None and not self._queue and self._outlet.write(frame):
            counts.frames_sent += 1
            return
        self._queue.append(frame)
        self._queued += frame.size
        if self._queued > LONGEST_QUEUE:
            counts.slow_consumers += 1
            self.close(OVERLOADED)
        elif self._pump is None:
            self._pump = asyncio.get_running_loop().create_task(self._run())

    async def room(self) -> None:
        """Wait until the queue is half empty: for replays and long flushes, which come faster than any network."""
        while self._queued > LONGEST_QUEUE // 2 and not self.is_closed:
            self._room = self._room or asyncio.Event()
            self._room.clear()
            try:
                async with asyncio.timeout(PATIENCE_SECONDS * settings.PARLANCE_TIME_SCALE):
                    await self._room.wait()
            except TimeoutError:
                counts.slow_consumers += 1
                self.close(OVERLOADED)

    async def _run(self) -> None:
        try:
            while self._queue and not self.is_closed:
                if self._outlet.is_full:
                    await asyncio.sleep(LOOK_AGAIN_SECONDS)
                    continue
                frame = self._queue.popleft()
                await self._outlet.text(frame)
                self._queued -= frame.size
                counts.frames_sent += 1
                if self._room is not None and self._queued <= LONGEST_QUEUE // 2:
                    self._room.set()
        except (OSError, RuntimeError):  # servers differ in how they say that the client has gone
            self.is_closed = True
            self._queue.clear()
        finally:
            self._pump = None

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def close(self, code: int) -> None:
        """What waits is forgotten: the client finds it by its positions."""
        if self.is_closed:
            return
        self.is_closed = True
        self._queue.clear()
        if self._room is not None:
            self._room.set()
        self.spawn(self._close(code))

    async def _close(self, code: int) -> None:
        with contextlib.suppress(OSError, RuntimeError):
            await self._outlet.close(code)

    def end(self) -> None:
        """The connection is gone."""
        self.is_closed = True
        self._queue.clear()
        for subscription in list(self.subscriptions.values()):
            subscription.leave()
        for task in [*self.tasks, *([self._pump] if self._pump else [])]:
            task.cancel()
