"""How large a request body may be and how long it may take, judged before anything reads it.

``BodyLimit`` holds under any ASGI server. Daphne keeps a whole body on disk before it calls the application, so there the
same limits stand at the socket (``guard_daphne``).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from django.conf import settings

from apps.core.errors import DomainError, Invalid, TooLarge
from apps.core.leases import scaled

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

UPLOADS = ("/api/v1/attachments/",)
IMPORTS = ("/api/v1/conversations/import/", "/conversations/import/")
ENVELOPE_BYTES = 1 << 20
BODY_SECONDS = 60.0
UPLOAD_SECONDS = 900.0


class _BodyTooLarge(Exception):
    pass


def is_upload(path: str) -> bool:
    return path in UPLOADS or path in IMPORTS


def limit_for(path: str) -> int:
    """Above what the views themselves refuse (each in its own shape): this is the wall behind them."""
    if path in IMPORTS:
        return int(settings.PARLANCE_MAX_IMPORT_BYTES) + ENVELOPE_BYTES
    if is_upload(path):
        return int(settings.PARLANCE_MAX_FILE_BYTES) + ENVELOPE_BYTES
    return 2 * int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)


def is_end_in_doubt(codings: Sequence[bytes], lengths: Sequence[bytes]) -> bool:
    """Whether a proxy in front may see the request end elsewhere than we do, and the rest as another one (RFC 9112 §6.1, §11.2)."""
    return bool(codings) and (bool(lengths) or [each.strip().lower() for each in codings] != [b"chunked"])


def wall_headers() -> dict[str, str]:
    """What every answer of ours says to browsers, for those that are given before Django's middleware."""
    headers = {
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    }
    if settings.SECURE_HSTS_SECONDS:
        rest = "; includeSubDomains" if settings.SECURE_HSTS_INCLUDE_SUBDOMAINS else ""
        headers["Strict-Transport-Security"] = f"max-age={settings.SECURE_HSTS_SECONDS}{rest}"
    return headers


def refusal() -> bytes:
    return json.dumps(TooLarge().problem()).encode()


class BodyLimit:
    """ASGI middleware: 413 as soon as a body is announced, or turns out, to be larger than its address takes; 400 where its end is in doubt."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        limit = limit_for(scope["path"])
        lengths = [value for name, value in scope["headers"] if name == b"content-length"]
        if is_end_in_doubt([value for name, value in scope["headers"] if name == b"transfer-encoding"], lengths):
            await refuse(send, Invalid())
            return
        announced = lengths[-1] if lengths else b"0"
        if announced.isdigit() and int(announced) > limit:
            await refuse(send, TooLarge())
            return
        taken = 0
        is_answered = False

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                raise _BodyTooLarge
            return message

        async def noted(message: Message) -> None:
            nonlocal is_answered
            is_answered = True
            await send(message)

        try:
            await self.application(scope, counted, noted)
        except _BodyTooLarge:
            if not is_answered:
                await refuse(send, TooLarge())


async def refuse(send: Send, error: DomainError) -> None:
    """Problem JSON before Django has the request. The connection ends: its body is not read."""
    body = json.dumps(error.problem()).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
        *[(name.lower().encode(), str(value).encode()) for name, value in (wall_headers() | error.headers).items()],
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def guard_daphne() -> None:
    """Make Daphne's requests count their bodies and give them up after a time. Called when Daphne runs us."""
    from daphne import http_protocol
    from twisted.internet import reactor
    from twisted.web import http

    class BoundedRequest(http_protocol.WebRequest):  # type: ignore[name-defined]
        taken = 0
        is_refused = False
        deadline: Any = None

        def gotLength(self, length: int | None) -> None:  # noqa: N802  (Twisted's name)
            raw = getattr(self.channel, "_path", b"")
            path = raw.partition(b"?")[0].decode("latin-1")
            self.limit = limit_for(path)
            seconds = scaled(UPLOAD_SECONDS if is_upload(path) else BODY_SECONDS)
            self.deadline = reactor.callLater(seconds, self._refuse, 408, b"Request Timeout", b"")  # type: ignore[attr-defined,arg-type]
            is_too_large = length is not None and length > self.limit
            super().gotLength(0 if is_too_large else length)
            found = self.requestHeaders.getRawHeaders
            if is_end_in_doubt(found(b"transfer-encoding") or (), found(b"content-length") or ()):
                self._refuse(400, b"Bad Request", b"")
            elif is_too_large:
                self._refuse(413, b"Content Too Large", refusal())

        def handleContentChunk(self, data: bytes) -> None:  # noqa: N802
            self.taken += len(data)
            if self.is_refused:
                return
            if self.taken > self.limit:
                self._refuse(413, b"Content Too Large", refusal())
                return
            super().handleContentChunk(data)

        def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:  # noqa: N802
            self._forget_deadline()
            if not self.is_refused:
                super().requestReceived(command, path, version)

        def connectionLost(self, reason: Any) -> None:  # noqa: N802
            self._forget_deadline()
            super().connectionLost(reason)

        def _forget_deadline(self) -> None:
            if self.deadline is not None and self.deadline.active():
                self.deadline.cancel()

        def _refuse(self, status: int, words: bytes, body: bytes) -> None:
            self.is_refused = True
            self._forget_deadline()
            head = b"HTTP/1.1 %d %s\r\nContent-Type: application/problem+json\r\nContent-Length: %d\r\nConnection: close\r\n"
            walls = "".join(f"{name}: {value}\r\n" for name, value in wall_headers().items()).encode()
            self.channel.transport.write(head % (status, words, len(body)) + walls + b"\r\n" + body)
            self.channel.loseConnection()

    assert issubclass(BoundedRequest, http.Request)
    http_protocol.WebRequest = BoundedRequest
