"""Why another server was not reached, in words: which one, and what was the matter. Never what went along."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from apps.core import http

CODE = "not_reached"
_WORDS = {
    "address": gettext_noop("This is no address that can be called: %(host)s."),
    "certificate": gettext_noop("%(host)s was not reached: its certificate is not trusted."),
    "lost": gettext_noop("%(host)s was not reached, or the connection was lost."),
    "name": gettext_noop("%(host)s was not reached: no server of that name is known."),
    "protocol": gettext_noop("%(host)s does not answer as HTTP does."),
    "refused": gettext_noop("%(host)s was not reached: it refused the connection."),
    "time": gettext_noop("%(host)s did not answer in time."),
}
_CAUSES = (
    (socket.gaierror, "name"),
    (ssl.SSLCertVerificationError, "certificate"),
    (ConnectionRefusedError, "refused"),
)
_KINDS = ((http.TOO_LATE, "time"), (http.NO_ADDRESS, "address"), (http.NO_HTTP, "protocol"))


def told(error: Exception, uri: str) -> tuple[str, dict[str, str]]:
    """A sentence for programs, and what ``words`` makes the reader's own of. ``error`` is one of ``core.http.FAILURES``."""
    said = {"host": host_of(uri), "reason": reason_of(error)}
    return _WORDS[said["reason"]] % {"host": said["host"]}, said


def words(problem: Mapping[str, Any]) -> str:
    """What a page says of the error of a task."""
    if problem.get("code") == CODE and problem.get("reason") in _WORDS:
        return _(_WORDS[problem["reason"]]) % {"host": problem.get("host", "")}
    return str(problem.get("detail") or problem.get("title") or problem.get("type") or "")


def host_of(uri: str) -> str:
    """With its port where the address names one; nothing that stands before the host or behind it."""
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname or "?", parts.port
    except ValueError:
        return "?"
    return f"{host[:100]}:{port}" if port else host[:100]


def reason_of(error: Exception) -> str:
    for kinds, reason in _KINDS:
        if isinstance(error, kinds):
            return reason
    for cause in _behind(error):
        for kind, reason in _CAUSES:
            if isinstance(cause, kind):
                return reason
    return "lost"


def _behind(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
