"""Static files under addresses that change with their content, without a collect step.

``static()`` adds ``?v=<hash>``; what is asked for with the right hash may be kept for ever, so a page that was seen before
loads nothing but itself.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import StaticFilesStorage
from django.http import HttpRequest, HttpResponseBase
from whitenoise.middleware import WhiteNoiseMiddleware

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


class StaticFilesMiddleware(WhiteNoiseMiddleware):
    """An old page that asks for an old hash gets the file of now, but may not keep it."""

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponseBase:
        response = WhiteNoiseMiddleware.serve(static_file, request)
        asked = request.GET.get("v")
        if asked and asked == digest_of(request.path_info.removeprefix(settings.STATIC_URL)):
            response["Cache-Control"] = FOREVER
        response["Content-Security-Policy"] = "frame-ancestors 'none'"  # no more: a worker runs under its file's policy
        return response
