"""The one place where an ``Actor`` is made, whatever the transport."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user
from django.http import HttpRequest

from apps.accounts.models import ApiKey, User
from apps.accounts.types import NOBODY, Actor, ActorKind
from apps.core.db import database_now

KEY_PREFIX = "pk_"


def actor_for(*, user: Any = None, authorization: str = "", api_key: str = "", session_id: UUID | None = None) -> Actor:
    """Credentials → actor. A credential that is present but not in force gives ``NOBODY``, never a weaker actor."""
    token = api_key or authorization.removeprefix("Bearer ").strip() if (api_key or authorization) else ""
    if token:
        return _actor_of_token(token)
    if user is not None and user.is_authenticated and user.is_active:
        return member(user, session_id=session_id)
    return NOBODY


def member(user: User, *, session_id: UUID | None = None, auth_level: int = 1) -> Actor:
    return Actor(
        kind=ActorKind.MEMBER,
        user_id=user.pk,
        session_id=session_id,
        auth_level=auth_level,
        is_operator=user.is_staff,
        language=user.language,
    )


def hash_token(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _actor_of_token(token: str) -> Actor:
    if not token.startswith(KEY_PREFIX) or len(token) > 200:  # noqa: PLR2004
        return NOBODY
    key = (
        ApiKey.objects.select_related("user")
        .filter(token_hash=hash_token(token), revoked_at=None, user__is_active=True)
        .first()
    )
    if key is None or (key.expires_at and key.expires_at <= database_now()):
        return NOBODY
    return Actor(
        kind=ActorKind.KEY,
        user_id=key.user_id,
        organization_id=key.organization_id,
        project_id=key.project_id,
        scopes=frozenset(key.scopes),
        key_id=key.pk,
        language=key.user.language,
    )


def actor_of_request(request: HttpRequest) -> Actor:
    """For HTTP: header first, then the session cookie. A cookie never rescues a header that is refused."""
    authorization = request.headers.get("Authorization", "")
    api_key = request.headers.get("X-API-Key", "")
    if authorization or api_key:
        return actor_for(authorization=authorization, api_key=api_key)
    return actor_for(user=get_user(request))
