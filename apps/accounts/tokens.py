"""JWT pairs, bound to a ``UserSession``: ``sid`` names the row, ``epoch`` must still be the person's."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from apps.accounts.models import UserSession
from apps.core.ids import uuid7

MAX_TOKEN_LENGTH = 2000


@dataclass(frozen=True, slots=True)
class Pair:
    access: str
    refresh: str


@dataclass(frozen=True, slots=True)
class Claims:
    session_id: UUID
    user_id: UUID
    epoch: int
    token_id: str


def pair_for(session: UserSession) -> Pair:
    """The refresh token's ``jti`` is the session's ``refresh_id``: only the newest one is taken."""
    access, refresh = AccessToken(), RefreshToken()
    for token in (access, refresh):
        token["sid"] = str(session.pk)
        token["sub"] = str(session.user_id)
        token["epoch"] = session.epoch
        token["nbf"] = token["iat"]
    access["jti"] = uuid7().hex
    refresh["jti"] = session.refresh_id.hex if session.refresh_id else ""
    return Pair(str(access), str(refresh))


def read_access(token: str) -> Claims | None:
    return _read(AccessToken, token)


def read_refresh(token: str) -> Claims | None:
    return _read(RefreshToken, token)


def _read(kind: type[AccessToken | RefreshToken], token: str) -> Claims | None:
    """None for whatever is not a token of this kind, of ours, in force: there is one answer to all of them."""
    if len(token) > MAX_TOKEN_LENGTH or not token.isascii():
        return None
    try:
        claims = kind(token).payload  # type: ignore[arg-type]
        return Claims(UUID(claims["sid"]), UUID(claims["sub"]), int(claims["epoch"]), str(claims["jti"]))
    except (TokenError, KeyError, ValueError, TypeError, AttributeError):
        return None
