"""A person's page: one socket in a thread of its own, strict about order, that comes back as docs/live.md says."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from typing import Any, Self

import websockets

from tests.faults.drill import Talker, wait_until
from tests.live.client import Client, Reader

LOST = (OSError, websockets.WebSocketException, TimeoutError)


class Page(contextlib.AbstractContextManager):
    """``with Page(talker) as page:`` follows the talker's conversation. ``codes`` are the reasons for which it was closed."""

    def __init__(self, talker: Talker) -> None:
        self.topic = f"conversation:{talker.conversation}"
        self.codes: list[int | None] = []
        self.returned_at = 0.0
        self.reader = Reader(self.topic)
        self._client = Client(talker.stack.ws_url, talker.headers, open_timeout=10)
        self._client.readers[self.topic] = self.reader
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="page", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._client.connect(), self._loop).result(20)
        self._staying = asyncio.run_coroutine_threadsafe(self._stay(), self._loop)
        wait_until(lambda: self.reader.position is not None, 20, "the page has its snapshot")
        return self

    def __exit__(self, *_: object) -> None:
        self._staying.cancel()
        with contextlib.suppress(Exception):
            asyncio.run_coroutine_threadsafe(self._client.drop(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def text_of(self, posted: dict[str, Any]) -> str:
        """As shown: what was streamed, replaced by the final event's message."""
        turn = posted["turn"]["id"]
        for event in list(self.reader.events):
            if event["event"] in ("turn.completed", "turn.failed") and event["data"].get("turn_id") == turn:
                return event["data"]["message"]["content"]
        return self.reader.text_of(turn)

    def check(self) -> None:
        if self._client.failure is not None:
            raise self._client.failure

    async def _stay(self) -> None:
        while True:
            await asyncio.wait([self._client._task])
            if self._client.failure is not None:
                return
            self.codes.append(self._client.close_code)
            # 1012: within two seconds, at random. Else the network or the server went: from half a second, doubled.
            wait = 2.0 if self._client.close_code == 1012 else 0.5
            while True:
                await asyncio.sleep(random.random() * wait)
                try:
                    await self._client.connect()
                    break
                except LOST:
                    wait = min(wait * 2, 30.0)
            self.returned_at = time.monotonic()
