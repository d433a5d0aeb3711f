"""The limiter before every API call: by person, by key and its organization, by address for nobody."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from apps.accounts import limits
from apps.accounts.addresses import client_address
from apps.accounts.policies import SAFE_METHODS
from apps.accounts.types import Actor

KEYS_OF_AN_ORGANIZATION = 10  # times what one key may


class ActorThrottle(BaseThrottle):
    """Raises ``LimitReached`` itself: its problem says which limit, and when to come back."""

    def allow_request(self, request: Request, view: Any) -> bool:
        actor = request.user if isinstance(request.user, Actor) else None
        kind = "reads" if request.method in SAFE_METHODS else "writes"
        limit = limits.limit_from_setting(kind if actor else "nobody")
        if limit is not None:
            left = limits.take_from(_buckets(request, actor, kind, limit))
            request._request.limit_left = left  # type: ignore[attr-defined]  # noqa: SLF001
        return True


def _buckets(request: Request, actor: Actor | None, kind: str, limit: limits.Limit) -> list[limits.Bucket]:
    if actor is None:
        return [limits.Bucket("address", client_address(request._request), limit)]  # noqa: SLF001
    if actor.key_id is None:
        return [limits.Bucket(f"person.{kind}", actor.user_id, limit)]
    together = limits.Limit(limit.rate * KEYS_OF_AN_ORGANIZATION, limit.burst * KEYS_OF_AN_ORGANIZATION)
    return [
        limits.Bucket(f"key.{kind}", actor.key_id, limit),
        limits.Bucket(f"organization.{kind}", actor.organization_id, together),
    ]
