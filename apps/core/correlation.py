"""One id follows a request through task, event, ledger, log and answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

from django.http import HttpRequest, HttpResponse

from apps.core.ids import uuid7

HEADER = "X-Request-ID"
ACCEPTED = re.compile(r"[A-Za-z0-9._-]{8,64}\Z")


@dataclass(frozen=True, slots=True)
class Cause:
    """What is being reacted to: the id that goes along, the event that caused this, and how deep the chain is."""

    correlation_id: str = ""
    causation_id: UUID | None = None
    depth: int = 0


_current: ContextVar[Cause] = ContextVar("parlance_cause")
NO_CAUSE = Cause()


def current() -> Cause:
    return _current.get(NO_CAUSE)


def correlation_id() -> str:
    return current().correlation_id


@contextmanager
def caused_by(correlation_id: str, *, causation_id: UUID | None = None, depth: int = 0) -> Iterator[Cause]:
    cause = Cause(correlation_id or uuid7().hex, causation_id, depth)
    token = _current.set(cause)
    try:
        yield cause
    finally:
        _current.reset(token)


class CorrelationMiddleware:
    """Takes a well-formed ``X-Request-ID`` or makes one; the answer always carries it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get(HEADER, "")
        with caused_by(given if ACCEPTED.match(given) else "") as cause:
            response = self.get_response(request)
        response[HEADER] = cause.correlation_id
        return response
