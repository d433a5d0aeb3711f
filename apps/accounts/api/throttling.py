"""The limiter before the API calls that ask nobody who they are; before all others it stands in ``ActorAuthentication``."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from apps.accounts.call_limits import limit_call
from apps.accounts.types import Actor


class ActorThrottle(BaseThrottle):
    """Raises ``LimitReached`` itself: its problem says which limit, and when to come back."""

    def allow_request(self, request: Request, view: Any) -> bool:
        if request.authenticators:
            return True
        limit_call(request._request, request.user if isinstance(request.user, Actor) else None)  # noqa: SLF001
        return True
