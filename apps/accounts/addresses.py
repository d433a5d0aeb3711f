"""Where a request came from."""

from __future__ import annotations

from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str | None:
    """The peer's address, or what our own proxy (``PARLANCE_BEHIND_PROXY``) appended last; never what a caller claims."""
    raw = request.META.get("REMOTE_ADDR") or ""
    if settings.PARLANCE_BEHIND_PROXY and (forwarded := request.headers.get("X-Forwarded-For", "")):
        raw = forwarded.rsplit(",", 1)[-1].strip()
    try:
        return str(ip_address(raw))
    except ValueError:
        return None
