"""A TCP proxy in front of Redis that can swallow everything, as a firewall that drops packets does."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Self


class Proxy(contextlib.AbstractContextManager):
    """``with Proxy("/run/…/redis.sock") as proxy:`` listens on ``proxy.port``.

    In a *hole* nothing is read, written or closed on connections that are open; new ones are opened (the kernel does that)
    and hear nothing. ``end_hole`` cuts all of them: after a minute of lost packets a firewall has forgotten them too.
    """

    def __init__(self, socket_path: str) -> None:
        self._path = socket_path
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="proxy", daemon=True)
        self._writers: set[asyncio.StreamWriter] = set()
        self._flows: asyncio.Event
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(5)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(5)

    def begin_hole(self) -> None:
        self._loop.call_soon_threadsafe(self._flows.clear)

    def end_hole(self) -> None:
        def cut() -> None:
            for writer in list(self._writers):
                writer.transport.abort()
            self._flows.set()

        self._loop.call_soon_threadsafe(cut)

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:  # cancels what is left, and closes the loop
            runner.run(self._run())

    async def _run(self) -> None:
        self._flows, self._end = asyncio.Event(), asyncio.Event()
        self._flows.set()
        server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._end.wait()
        server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        await self._flows.wait()
        with contextlib.suppress(OSError):
            there, back = await asyncio.open_unix_connection(self._path)
            self._writers.add(back)
            await asyncio.gather(self._carry(reader, back), self._carry(there, writer))
            self._writers.discard(back)
        writer.transport.abort()
        self._writers.discard(writer)

    async def _carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65_536):
                await self._flows.wait()
                target.write(data)
                await target.drain()
        target.transport.abort()
