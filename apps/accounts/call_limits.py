"""How often one may call, the same for every HTTP door: by person, key, organization and address at once.

A write costs a token, a read a tenth of one, so that one bucket of 10 a second and 20 at once is enough for pages (what they cost is
in docs/limits.md) and holds off who writes without end. An organization, and people who share an address, have ten times as much:
an office behind one router is many people.
"""

from __future__ import annotations

from django.http import HttpRequest

from apps.accounts.addresses import client_address, counted_as
from apps.accounts.policies import SAFE_METHODS
from apps.accounts.types import Actor
from apps.core import limits
from apps.core.types import Priority

READ_COST = 0.1
PEOPLE_AT_AN_ADDRESS = 10
# What ends something: under load it is the last that may be held back.
URGENT = frozenset({"turns_stop", "me_session", "api_key", "auth_token_revoke", "account_logout"})

# Reading them is as dear as a write: each keeps a row and makes us ask another service.
DEAR = frozenset({"sso", "sso_callback", "sso_again"})


def limit_call(request: HttpRequest, actor: Actor | None) -> None:
    """Raises ``LimitReached``; what is left goes into the answer's headers (``request.limit_left``)."""
    if not limits.are_on():
        return
    match = request.resolver_match
    is_cheap = request.method in SAFE_METHODS and not (match and match.url_name in DEAR)
    cost = READ_COST if is_cheap else 1
    buckets = buckets_of(actor, client_address(request))
    request.limit_left = limits.take_from(buckets, cost, priority=priority_of(request, actor))  # type: ignore[attr-defined]


def buckets_of(actor: Actor | None, address: str | None) -> list[limits.Bucket]:
    """For sockets too. Without an address (a Unix socket) only the person counts."""
    own, address = limits.limit_from_setting("address"), counted_as(address)
    if own is None:
        return []
    if actor is None or not actor.is_somebody:
        return [limits.Bucket("address", address, own)]
    kinds: list[tuple[str, object, limits.Limit | None]] = [
        ("person", actor.user_id, limits.limit_from_setting("person")),
        ("key", actor.key_id, limits.limit_from_setting("key")),
        ("organization", actor.organization_id, limits.limit_from_setting("organization")),
        ("people_at_address", address, own.times(PEOPLE_AT_AN_ADDRESS)),
    ]
    return [limits.Bucket(name, subject, limit) for name, subject, limit in kinds if subject is not None and limit]


def priority_of(request: HttpRequest, actor: Actor | None) -> Priority:
    """Keys are programs nobody is looking at; operators must get in when everything is busy."""
    match = request.resolver_match
    if match is not None and (match.url_name in URGENT or "admin" in match.namespaces):
        return Priority.HIGH
    return Priority.LOW if actor is not None and actor.key_id else Priority.NORMAL
