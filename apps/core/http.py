"""The only way out: HTTP clients that resolve a name once, judge every address and connect to the judged one.

``transport(policy)`` and ``async_transport(policy)`` are for SDKs that take a client of their own; ``client`` and
``async_client`` for everything else. Each hop of a redirect passes the same checks. The host name stays in ``Host`` and
in TLS (SNI and certificate), only the socket goes to the pinned address.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import ssl
import time
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpcore2
import httpx2
from django.utils.translation import gettext_lazy as _

from apps.core import plain_stream
from apps.core.addresses import PUBLIC, TRUSTED, AddressRefused, Policy, check_url, checked_addresses
from apps.core.errors import DomainError

__all__ = [
    "FAILURES",
    "NO_ADDRESS",
    "NO_HTTP",
    "PUBLIC",
    "STREAMING",
    "TOO_LATE",
    "TRUSTED",
    "AddressRefused",
    "BodyTooLarge",
    "Limits",
    "Policy",
    "async_client",
    "async_transport",
    "check_url",
    "client",
    "tls_context",
    "transport",
]

MAX_REDIRECTS = 3
CONNECT_SECONDS = 5.0
_PIECE = 64 * 1024


class BodyTooLarge(DomainError):
    code = "answer_too_large"
    status = 502
    title = _("The other side sent too much")
    default_detail = _("The other side sent more than is taken.")


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one answer, unpacked, and of the whole exchange. ``None``: the caller keeps limits of its own."""

    max_bytes: int | None = 10 * 1024 * 1024
    total_seconds: float | None = 20.0


DEFAULT = Limits()
#: For answers that a caller reads as a stream with its own caps (models, downloads to disk).
STREAMING = Limits(max_bytes=None, total_seconds=None)

#: What a call raises when the other side cannot be reached or does not keep to HTTP.
FAILURES = (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError)
#: Kinds of them; the others are of the connection.
TOO_LATE = (httpx2.TimeoutException,)
NO_ADDRESS = (httpx2.InvalidURL, httpx2.UnsupportedProtocol)
NO_HTTP = (httpx2.ProtocolError, httpx2.DecodingError, httpx2.StreamError)

_resolvers = ThreadPoolExecutor(max_workers=8, thread_name_prefix="resolve")
_deadline: contextvars.ContextVar[float | None] = contextvars.ContextVar("parlance_http_deadline", default=None)


def _left(timeout: float | None) -> float | None:
    """``timeout``, shortened to what the whole exchange has left."""
    deadline = _deadline.get()
    if deadline is None:
        return timeout
    left = deadline - time.monotonic()
    if left <= 0:
        message = "The exchange took too long."
        raise httpcore2.ReadTimeout(message)
    return left if timeout is None else min(timeout, left)


class _TimedStream(httpcore2.NetworkStream):
    """A blocking socket has no clock of its own: each wait is cut to what is left of the exchange."""

    def __init__(self, inner: httpcore2.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return _TimedStream(self._inner.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _PinnedBackend(httpcore2.NetworkBackend):
    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._inner = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        timeout = _left(timeout if timeout is not None else CONNECT_SECONDS)
        asked = _resolvers.submit(checked_addresses, host, port, self._policy)
        try:
            addresses = asked.result(timeout)
        except FutureTimeout:
            raise httpcore2.ConnectTimeout from None
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from error
        for last, address in _with_last(addresses):
            try:
                return _TimedStream(
                    self._inner.connect_tcp(address, port, _left(timeout), local_address, socket_options)
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                if last:
                    raise
        raise httpcore2.ConnectError

    def connect_unix_socket(self, *args: Any, **kwargs: Any) -> httpcore2.NetworkStream:
        raise AddressRefused


class _AsyncPinnedBackend(httpcore2.AsyncNetworkBackend):
    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  (the protocol of httpcore2)
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        timeout = timeout if timeout is not None else CONNECT_SECONDS
        loop = asyncio.get_running_loop()
        asked = loop.run_in_executor(_resolvers, checked_addresses, host, port, self._policy)
        try:
            addresses = await asyncio.wait_for(asked, timeout)
        except TimeoutError:
            raise httpcore2.ConnectTimeout from None
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from error
        for last, address in _with_last(addresses):
            try:
                return await plain_stream.connect(
                    address, port, timeout=timeout, local_address=local_address, socket_options=socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                if last:
                    raise
        raise httpcore2.ConnectError

    async def connect_unix_socket(self, *args: Any, **kwargs: Any) -> httpcore2.AsyncNetworkStream:
        raise AddressRefused

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _with_last(addresses: list[str]) -> Iterator[tuple[bool, str]]:
    for position, address in enumerate(addresses):
        yield position == len(addresses) - 1, address


def _unpack(packed: bytes, unpacker: Any) -> Iterator[bytes]:
    """Piece by piece, so that a bomb is noticed after 64 kB and not after it went off."""
    while packed:
        try:
            piece = unpacker.decompress(packed, _PIECE)
        except zlib.error as error:
            message = "The answer is not packed as it says."
            raise httpx2.DecodingError(message) from error
        packed = unpacker.unconsumed_tail
        if piece:
            yield piece
        elif not packed or unpacker.eof:
            return


def _unpacker_of(response: httpx2.Response) -> Any:
    """Unpacking happens here, below the client, because only here it can be bounded."""
    packing = response.headers.get("content-encoding", "identity").strip().lower()
    if packing in {"", "identity"}:
        return None
    if packing not in {"gzip", "x-gzip", "deflate"}:
        message = "The answer is packed in a way that was not asked for."
        raise httpx2.DecodingError(message)
    del response.headers["content-encoding"]
    response.headers.pop("content-length", None)
    # 32 + 15: zlib finds out by itself whether it is gzip or deflate.
    return zlib.decompressobj(wbits=47)


class _Count:
    def __init__(self, limit: int | None) -> None:
        self.limit, self.seen = limit, 0

    def add(self, piece: bytes) -> bytes:
        self.seen += len(piece)
        if self.limit is not None and self.seen > self.limit:
            raise BodyTooLarge
        return piece


class _BoundedStream(httpx2.SyncByteStream):
    def __init__(self, inner: Any, unpacker: Any, limits: Limits, deadline: float | None) -> None:
        self._inner, self._unpacker, self._limits, self._until = inner, unpacker, limits, deadline

    def __iter__(self) -> Iterator[bytes]:
        count = _Count(self._limits.max_bytes)
        source = iter(self._inner)
        while True:
            with _until(self._until):
                packed = next(source, None)
            if packed is None:
                return
            for piece in _unpack(packed, self._unpacker) if self._unpacker else (packed,):
                yield count.add(piece)

    def close(self) -> None:
        self._inner.close()


class _AsyncBoundedStream(httpx2.AsyncByteStream):
    def __init__(self, inner: Any, unpacker: Any, limits: Limits, deadline: float | None) -> None:
        self._inner, self._unpacker, self._limits, self._until = inner, unpacker, limits, deadline

    async def __aiter__(self) -> AsyncIterator[bytes]:
        count = _Count(self._limits.max_bytes)
        source = aiter(self._inner)
        while True:
            if self._until is None:
                packed = await anext(source, None)
            else:
                try:
                    async with asyncio.timeout_at(self._until):
                        packed = await anext(source, None)
                except TimeoutError:
                    message = "The exchange took too long."
                    raise httpx2.ReadTimeout(message) from None
            if packed is None:
                return
            for piece in _unpack(packed, self._unpacker) if self._unpacker else (packed,):
                yield count.add(piece)

    async def aclose(self) -> None:
        await self._inner.aclose()


@contextmanager
def _until(deadline: float | None) -> Iterator[None]:
    token = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(token)


def _check_request(request: httpx2.Request) -> None:
    if request.url.scheme not in {"http", "https"} or request.url.userinfo or not request.url.host:
        raise AddressRefused
    request.headers["Accept-Encoding"] = "gzip, deflate"


def _pin(pool: Any, backend: Any) -> None:
    # Not a parameter of httpx2's transports. A release that renames it must stop us, not quietly undo the pinning.
    if not hasattr(pool, "_network_backend"):
        message = "This httpx2 keeps its network backend elsewhere: core.http cannot pin addresses."
        raise RuntimeError(message)
    pool._network_backend = backend  # noqa: SLF001


class PinnedTransport(httpx2.HTTPTransport):
    def __init__(self, policy: Policy, limits: Limits = DEFAULT, **options: Any) -> None:
        super().__init__(trust_env=False, **{"verify": tls_context(), **options})
        self._limits = limits
        _pin(self._pool, _PinnedBackend(policy))

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        _check_request(request)
        deadline = time.monotonic() + self._limits.total_seconds if self._limits.total_seconds else None
        with _until(deadline):
            response = super().handle_request(request)
        unpacker = _unpacker_of(response)
        if unpacker or self._limits != STREAMING:
            response.stream = _BoundedStream(response.stream, unpacker, self._limits, deadline)
        return response


class AsyncPinnedTransport(httpx2.AsyncHTTPTransport):
    """``connections`` at a time, of which ``kept_connections`` stay open when they are idle."""

    def __init__(
        self,
        policy: Policy,
        limits: Limits = DEFAULT,
        *,
        connections: int = 100,
        kept_connections: int = 20,
        **options: Any,
    ) -> None:
        pool = httpx2.Limits(max_connections=connections, max_keepalive_connections=kept_connections)
        super().__init__(trust_env=False, limits=pool, **{"verify": tls_context(), **options})
        self._limits = limits
        _pin(self._pool, _AsyncPinnedBackend(policy))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        _check_request(request)
        if self._limits.total_seconds is None:
            deadline = None
            response = await super().handle_async_request(request)
        else:
            deadline = asyncio.get_running_loop().time() + self._limits.total_seconds
            try:
                async with asyncio.timeout_at(deadline):
                    response = await super().handle_async_request(request)
            except TimeoutError:
                message = "The exchange took too long."
                raise httpx2.ReadTimeout(message) from None
        unpacker = _unpacker_of(response)
        if unpacker or self._limits != STREAMING:
            response.stream = _AsyncBoundedStream(response.stream, unpacker, self._limits, deadline)
        return response


@functools.cache
def tls_context() -> ssl.SSLContext:
    """With the certificates that are trusted. Reading them takes 20 ms and 3 MB: once a process, or before it is forked."""
    return httpx2.create_ssl_context(trust_env=False)


def transport(policy: Policy = PUBLIC, *, limits: Limits = DEFAULT, **options: Any) -> PinnedTransport:
    return PinnedTransport(policy, limits, **options)


def async_transport(policy: Policy = PUBLIC, *, limits: Limits = DEFAULT, **options: Any) -> AsyncPinnedTransport:
    return AsyncPinnedTransport(policy, limits, **options)


def _client_options(policy: Policy, options: dict[str, Any]) -> dict[str, Any]:
    return {
        "follow_redirects": policy.follows_redirects,
        "max_redirects": MAX_REDIRECTS,
        "timeout": httpx2.Timeout(15.0, connect=CONNECT_SECONDS),
        "trust_env": False,
        **options,
    }


def client(policy: Policy = PUBLIC, *, limits: Limits = DEFAULT, **options: Any) -> httpx2.Client:
    return httpx2.Client(transport=transport(policy, limits=limits), **_client_options(policy, options))


def async_client(policy: Policy = PUBLIC, *, limits: Limits = DEFAULT, **options: Any) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=async_transport(policy, limits=limits), **_client_options(policy, options))
