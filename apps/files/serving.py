"""Answers that carry a file: never under our own origin's rights, resumable by ranges, unchanged by proxies."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotModified, StreamingHttpResponse
from django.utils.translation import gettext as _

from apps.files import storage
from apps.files.models import File
from apps.files.names import content_disposition
from apps.files.types import Content, FileKind, FileState, RangeNotSatisfiable

# The answer is its own, powerless origin: nothing in it runs, frames, submits or loads.
SANDBOX = "sandbox; default-src 'none'; style-src 'none'; script-src 'none'; object-src 'none'; frame-ancestors 'none'"
# Media players are documents of the browser itself: they need their own source.
SANDBOX_MEDIA = f"{SANDBOX}; img-src 'self'; media-src 'self'"
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})\Z")


def serve_file(request: HttpRequest, file: File, content: Content, *, as_download: bool = False) -> HttpResponseBase:
    """The content of ``file``: shown only when its type is harmless, else a download."""
    is_inline = file.is_inline_safe and file.state == FileState.READY and not as_download
    media_type = content.media_type
    if file.kind == FileKind.TEXT and is_inline:
        media_type = "text/plain; charset=utf-8"
    elif not is_inline and file.kind in {FileKind.TEXT, FileKind.OTHER}:
        media_type = "application/octet-stream"
    return _serve(request, content, media_type=media_type, name=file.name, is_inline=is_inline)


def serve_preview(request: HttpRequest, file: File, content: Content) -> HttpResponseBase:
    """Made by us (or the harmless picture itself), so always shown."""
    return _serve(request, content, media_type=content.media_type, name=file.name, is_inline=True)


def _serve(request: HttpRequest, content: Content, *, media_type: str, name: str, is_inline: bool) -> HttpResponseBase:
    etag = f'"{content.etag}"'
    headers = {
        "ETag": etag,
        # Rights may end at any time: browsers keep a copy and ask each time whether it still is theirs.
        "Cache-Control": "private, no-cache",
        "Content-Security-Policy": SANDBOX_MEDIA if is_inline else SANDBOX,
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    if etag in request.headers.get("If-None-Match", ""):
        return HttpResponseNotModified(headers=headers)
    start, length, status = _range(request, content, etag)
    headers |= {
        "Accept-Ranges": "bytes",
        "Content-Disposition": content_disposition(name, is_inline=is_inline),
        "Content-Length": str(length),
    }
    if status == 206:  # noqa: PLR2004
        headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{content.size}"
    if request.method == "HEAD":
        return HttpResponse(status=status, content_type=media_type, headers=headers)
    body = (
        _chunks(content.path, start, length)
        if isinstance(request, ASGIRequest)
        else storage.chunks(content.path, start, length)
    )
    return StreamingHttpResponse(body, status=status, content_type=media_type, headers=headers)


def _range(request: HttpRequest, content: Content, etag: str) -> tuple[int, int, int]:
    """Start, length, status (RFC 9110 §14). Several ranges at once, or a stale ``If-Range``, get the whole."""
    whole = (0, content.size, 200)
    if request.headers.get("If-Range", etag) != etag:
        return whole
    found = _RANGE.match(request.headers.get("Range", "").replace(" ", ""))
    if found is None or not any(found.groups()):
        return whole
    first, last = found.groups()
    if first:
        start, end = int(first), min(int(last) if last else content.size - 1, content.size - 1)
        if last and int(last) < int(first):
            return whole
    else:
        start, end = max(content.size - int(last), 0), content.size - 1
    if start > end:
        raise RangeNotSatisfiable(
            _("The file has %(size)s bytes.") % {"size": content.size},
            headers={"Content-Range": f"bytes */{content.size}"},
        )
    return start, end - start + 1, 206


async def _chunks(path: str, start: int, length: int) -> AsyncIterator[bytes]:
    """The disk is read in a thread, one chunk at a time: a slow reader holds 256 kB, not the file."""
    chunks = storage.chunks(path, start, length)
    while (chunk := await asyncio.to_thread(next, chunks, b"")) != b"":
        yield chunk
