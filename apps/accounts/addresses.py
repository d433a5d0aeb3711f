"""Where a request came from."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str | None:
    """The peer's address, or what our own proxy (``PARLANCE_BEHIND_PROXY``) appended last; never what a caller claims."""
    return _believed(request.META.get("REMOTE_ADDR") or "", request.headers.get("X-Forwarded-For", ""))


def address_of_scope(scope: Mapping[str, Any]) -> str | None:
    """The same for a socket's ASGI scope."""
    forwarded = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return _believed((scope.get("client") or [""])[0] or "", ",".join(forwarded))


def _believed(raw: str, forwarded: str) -> str | None:
    if settings.PARLANCE_BEHIND_PROXY and forwarded:
        raw = forwarded.rsplit(",", 1)[-1].strip()
    try:
        return str(ip_address(raw))
    except ValueError:
        return None
