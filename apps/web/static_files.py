"""Static files under addresses that change with their content, without a collect step.

``static()`` adds ``?v=<hash>``; what is asked for with the right hash may be kept for ever, so a page that was seen before
loads nothing but itself.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import MutableMapping
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import StaticFilesStorage
from whitenoise.middleware import WhiteNoiseMiddleware

from apps.core.bodies import Application, wall_headers

FOREVER = f"max-age={60 * 60 * 24 * 365}, public, immutable"


class HashedStorage(StaticFilesStorage):
    def url(self, name: str | None) -> str:
        address = super().url(name)
        digest = digest_of(name) if name else ""
        return f"{address}?v={digest}" if digest else address


def digest_of(name: str) -> str:
    """Empty for what does not exist."""
    return _read(name) if settings.DEBUG else _remembered(name)


def _read(name: str) -> str:
    path = finders.find(name)
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:10] if isinstance(path, str) else ""


_remembered = cache(_read)


class StaticFiles:
    """ASGI middleware: answers for ``/static/`` on the loop, where Django would take a thread and every other middleware.

    A first visit fetches a hundred small files. Measured: 8 ms of processor time for each through Django, 1 ms here. An old page
    that asks for an old hash gets the file of now, but may not keep it.
    """

    def __init__(self, application: Application) -> None:
        self.application = application
        self._files = _Files(None)
        self._headers = wall_headers() | {
            "Content-Security-Policy": "frame-ancestors 'none'",  # no more: a worker runs under its file's policy
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": settings.SECURE_REFERRER_POLICY,
        }

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        file = self._files.find(scope["path"]) if scope["path"].startswith(settings.STATIC_URL) else None
        if file is None:
            await self.application(scope, receive, send)
            return
        asked = {
            f"HTTP_{name.decode('latin-1').upper().replace('-', '_')}": value.decode("latin-1")
            for name, value in scope["headers"]
        }
        answer = file.get_response(scope["method"], asked)
        headers = self._headers | dict(answer.headers)
        digest = digest_of(scope["path"].removeprefix(settings.STATIC_URL))
        if digest and scope.get("query_string") == f"v={digest}".encode():
            headers["Cache-Control"] = FOREVER
        body = b""
        if answer.file is not None:
            with contextlib.closing(answer.file) as opened:
                body = opened.read()
        sent = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": int(answer.status), "headers": sent})
        await send({"type": "http.response.body", "body": body})


class _Files(WhiteNoiseMiddleware):
    """What there is, by address."""

    def find(self, path: str) -> Any:
        return self.find_file(path) if self.autorefresh else self.files.get(path)
