"""Where the installation's address is ``https://`` and a proxy of ours says what came in, nothing else is answered over plain http.

Browsers that ask for a page are sent to the https address; programs, and whatever changes something, are refused: a redirect would
hide from them that they have just sent a key in clear (ASVS 4.1.2). Health of the process is asked by what runs it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from apps.core.bodies import refuse, wall_headers
from apps.core.errors import Forbidden

Application = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]

OPEN = ("/healthz", "/health", "/readyz", "/metrics")
FOR_PROGRAMS = ("/api/", "/v1/")


class HttpsRequired(Forbidden):
    code = "https_required"
    default_detail = _(
        "This installation answers over https only. Whatever was sent over http was readable on the way."
    )


class OnlyHttps:
    """ASGI middleware, for HTTP and for sockets (closed before they open)."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if not is_plain(scope):
            await self.application(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 4403})
        elif scope["method"] in {"GET", "HEAD"} and not scope["path"].startswith(FOR_PROGRAMS):
            await _redirect(scope, send)
        else:
            await refuse(send, HttpsRequired())


def is_plain(scope: MutableMapping[str, Any]) -> bool:
    """As our own proxy says it. Without one nothing tells how the caller came, and nothing is refused."""
    if not (settings.PARLANCE_BEHIND_PROXY and settings.PARLANCE_URL.startswith("https://")):
        return False
    if scope["path"] in OPEN:
        return False
    told = [value for name, value in scope["headers"] if name.lower() == b"x-forwarded-proto"]
    return not (len(told) == 1 and told[0].split(b",", 1)[0].strip() == b"https")


async def _redirect(scope: MutableMapping[str, Any], send: Any) -> None:
    """To the configured address, whatever host was named."""
    path = scope.get("raw_path") or scope["path"].encode()
    query = b"?" + scope["query_string"] if scope.get("query_string") else b""
    location = settings.PARLANCE_URL.rstrip("/").encode() + b"/" + path.lstrip(b"/") + query
    headers = [(name.lower().encode(), value.encode()) for name, value in wall_headers().items()]
    headers += [(b"location", location), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 301, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
