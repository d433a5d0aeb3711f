"""Answers that are made while they are read: archives, logs, whatever is too large to hold."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator, Mapping

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse

from apps.core.db import in_thread


def streamed(
    request: HttpRequest, pieces: Iterator[bytes], *, content_type: str, headers: Mapping[str, str]
) -> StreamingHttpResponse:
    """Each piece is made in a thread when the reader has taken the one before it: a slow reader holds one, and no thread."""
    body = _in_turn(pieces) if isinstance(request, ASGIRequest) else pieces
    return StreamingHttpResponse(body, content_type=content_type, headers=dict(headers))


async def _in_turn(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    try:
        while (piece := await in_thread(next, pieces, b"")) != b"":
            yield piece
    finally:
        if isinstance(pieces, Generator):
            pieces.close()
