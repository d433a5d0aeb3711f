"""A socket for ``httpcore2`` on bare asyncio.

Its own backend goes through anyio, whose scopes and checkpoints around every read cost more than reading: half of the
transport's 57 µs for a token of a stream.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpcore2
from httpcore2._utils import is_socket_readable

CLOSE_SECONDS = 1.0


@contextlib.asynccontextmanager
async def _within(timeout: float | None, expired: type[Exception], failed: type[Exception]) -> AsyncIterator[None]:  # noqa: ASYNC109
    try:
        async with asyncio.timeout(timeout):
            yield
    except TimeoutError as error:
        raise expired from error
    except (OSError, ssl.SSLError) as error:
        raise failed(str(error)) from error


class PlainStream(httpcore2.AsyncNetworkStream):
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  (the protocol)
        if timeout is None:
            try:
                return await self._reader.read(max_bytes)
            except (OSError, ssl.SSLError) as error:
                raise httpcore2.ReadError(str(error)) from error
        async with _within(timeout, httpcore2.ReadTimeout, httpcore2.ReadError):
            return await self._reader.read(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        if not buffer:
            return
        async with _within(timeout, httpcore2.WriteTimeout, httpcore2.WriteError):
            self._writer.write(buffer)
            await self._writer.drain()

    async def aclose(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError, ssl.SSLError, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._writer.wait_closed()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore2.AsyncNetworkStream:
        async with _within(timeout, httpcore2.ConnectTimeout, httpcore2.ConnectError):
            try:
                await self._writer.start_tls(ssl_context, server_hostname=server_hostname)
            except BaseException:
                self._writer.transport.abort()
                raise
        return self

    def get_extra_info(self, info: str) -> Any:
        transport = self._writer.transport
        match info:
            case "is_readable":  # an idle connection on which something came is one that the other side has closed
                sock = transport.get_extra_info("socket")
                return self._reader.at_eof() or transport.is_closing() or is_socket_readable(sock)
            case "client_addr":
                return transport.get_extra_info("sockname")
            case "server_addr":
                return transport.get_extra_info("peername")
            case "ssl_object" | "socket":
                return transport.get_extra_info(info)
            case _:
                return None


async def connect(
    host: str,
    port: int,
    *,
    timeout: float | None,  # noqa: ASYNC109
    local_address: str | None = None,
    socket_options: Iterable[Any] | None = None,
) -> PlainStream:
    """``host`` is an address that has been judged. Raises ``ConnectTimeout`` and ``ConnectError`` of ``httpcore2``."""
    local = (local_address, 0) if local_address else None
    async with _within(timeout, httpcore2.ConnectTimeout, httpcore2.ConnectError):
        reader, writer = await asyncio.open_connection(host, port, local_addr=local)
    sock = writer.transport.get_extra_info("socket")
    for option in socket_options or ():
        sock.setsockopt(*option)
    return PlainStream(reader, writer)
