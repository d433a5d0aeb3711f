"""How often one may call: by person, by key and its organization, by address for nobody. The same for every HTTP door."""

from __future__ import annotations

from django.http import HttpRequest

from apps.accounts import limits
from apps.accounts.addresses import client_address
from apps.accounts.policies import SAFE_METHODS
from apps.accounts.types import Actor

KEYS_OF_AN_ORGANIZATION = 10  # times what one key may


def limit_call(request: HttpRequest, actor: Actor | None) -> None:
    """Raises ``LimitReached``; what is left goes into the answer's headers (``request.limit_left``)."""
    kind = "reads" if request.method in SAFE_METHODS else "writes"
    limit = limits.limit_from_setting(kind if actor else "nobody")
    if limit is not None:
        request.limit_left = limits.take_from(_buckets(request, actor, kind, limit))  # type: ignore[attr-defined]


def _buckets(request: HttpRequest, actor: Actor | None, kind: str, limit: limits.Limit) -> list[limits.Bucket]:
    if actor is None:
        return [limits.Bucket("address", client_address(request), limit)]
    if actor.key_id is None:
        return [limits.Bucket(f"person.{kind}", actor.user_id, limit)]
    together = limits.Limit(limit.rate * KEYS_OF_AN_ORGANIZATION, limit.burst * KEYS_OF_AN_ORGANIZATION)
    return [
        limits.Bucket(f"key.{kind}", actor.key_id, limit),
        limits.Bucket(f"organization.{kind}", actor.organization_id, together),
    ]
