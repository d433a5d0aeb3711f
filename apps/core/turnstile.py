"""How many requests a process works on at once. The others wait in line; who waits too long, or finds it full, gets 503.

Django answers every request in a thread of its own. A crowd of them shares one interpreter and one pool of connections: all
become slow together, the streams on the event loop too, and the pool's time-out strikes whom it likes. Through a turnstile
the first are done early, and everybody waits less (burst of a hundred posts: docs/results/speed.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.core.bodies import Application, Message, Receive, Send, refuse
from apps.core.errors import Unavailable

PLACES = 4
MOST_WAITING = 1_000
WAIT_SECONDS = 20.0
SLOW_SECONDS = 1.0
WIDER = 4
ALWAYS = ("/healthz", "/readyz", "/metrics")  # who watches a busy process must not wait for it


class Turnstile:
    """ASGI middleware for HTTP.

    A place is held until the response begins, at most ``SLOW_SECONDS``: an answer that streams for minutes, or a request that
    waits for another machine, keeps nobody out. Who takes longer waits rather than works, and so will those behind (for a
    database that is away): each lets ``WIDER`` in, so that a whole line is told within seconds. With those that leave it
    becomes as narrow as it was.
    """

    def __init__(self, application: Application) -> None:
        self.application = application
        self._places = asyncio.Semaphore(PLACES)
        self._waiting = 0
        self._beyond = 0  # inside, over the number of places

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["path"] in ALWAYS:
            await self.application(scope, receive, send)
            return
        if not await self._enter():
            await refuse(send, Unavailable(_("Too many requests are waiting. Nothing was changed; try again shortly.")))
            return
        is_inside = True

        def leave() -> None:
            nonlocal is_inside
            if not is_inside:
                return
            is_inside = False
            if self._beyond:
                self._beyond -= 1
            else:
                self._places.release()

        def widen() -> None:
            nonlocal is_inside
            if not is_inside:  # its answer has begun
                return
            is_inside = False
            self._beyond += WIDER - 1
            for _each in range(WIDER):
                self._places.release()

        async def leaving(message: Message) -> None:
            leave()
            await send(message)

        slow = asyncio.get_running_loop().call_later(SLOW_SECONDS, widen)
        try:
            await self.application(scope, receive, leaving)
        finally:
            slow.cancel()
            leave()

    async def _enter(self) -> bool:
        if self._waiting >= MOST_WAITING:
            return False
        self._waiting += 1
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._places.acquire()
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1
        return True
