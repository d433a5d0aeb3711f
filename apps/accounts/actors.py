"""The one place where an ``Actor`` is made, whatever the transport."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils import timezone

from apps.accounts import policies, tokens
from apps.accounts.addresses import address_of_scope, client_address, is_within
from apps.accounts.models import ApiKey, User, UserSession
from apps.accounts.types import NOBODY, Actor, ActorKind, TokenInAddress
from apps.core.compiled import Compiled

KEY_PREFIX = "pk_"
SECRET_BYTES = 8
MAX_CREDENTIAL_LENGTH = 2000
SEEN_EVERY = timedelta(minutes=1)
QUERY_NAMES = frozenset({"api_key", "apikey", "access_token", "token", "key", "bearer"})
SUBPROTOCOL = "bearer."
#: Where programs call. Everything else is a page: scopes are not asked there, so no key and no token opens one.
PROGRAM_PATHS = ("/api/", "/v1/")


def hash_token(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def member(user: User, *, session: UserSession | None = None) -> Actor:
    return Actor(
        kind=ActorKind.SERVICE if user.is_service else ActorKind.MEMBER,
        user_id=user.pk,
        session_id=session.pk if session else None,
        auth_level=session.auth_level if session else 1,
        is_operator=user.is_staff,
        language=user.language,
        time_zone=user.time_zone,
    )


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request came with, and from where; not yet looked at."""

    authorization: str = ""
    api_key: str = ""
    session_key: str | None = None
    address: str | None = None

    @property
    def token(self) -> str | None:
        """What the headers say; None when that is no credential, or two that differ."""
        sent = _bearer(self.authorization) if self.authorization else self.api_key.strip()
        if sent is None or (self.authorization and self.api_key and sent != self.api_key.strip()):
            return None
        return sent if len(sent) <= MAX_CREDENTIAL_LENGTH else None


def actor_for(
    *, authorization: str = "", api_key: str = "", session_key: str | None = None, address: str | None = None
) -> Actor:
    """Credentials → actor, in one query. One that is present but not in force gives ``NOBODY``, never a weaker actor.

    A cookie never rescues a header that is refused, and two headers that differ are refused. A key that is bound to
    networks opens nothing from an ``address`` outside them, or from none.
    """
    credential = Credential(authorization, api_key, session_key, address)
    return actors_for([credential])[credential]


def actors_for(credentials: Iterable[Credential]) -> dict[Credential, Actor]:
    """As ``actor_for`` for many at once: at most three queries however many they are."""
    keys: dict[Credential, bytes] = {}
    claims: dict[Credential, tokens.Claims] = {}
    cookies: dict[Credential, str] = {}
    actors = dict.fromkeys(credentials, NOBODY)
    for each in actors:
        token = each.token
        if each.authorization or each.api_key:
            if token and token.startswith(KEY_PREFIX):
                keys[each] = hash_token(token)
            elif token and (said := tokens.read_access(token)):
                claims[each] = said
        elif each.session_key:
            cookies[each] = each.session_key
    found_keys: dict[bytes, ApiKey] = {}
    for found in _keys_by_hash.fetch_each(set(keys.values())):
        found_keys[bytes(found.token_hash)] = found
        if found.previous_hash is not None and found.old_secret_until is not None:
            found_keys[bytes(found.previous_hash)] = found
    for each, token_hash in keys.items():
        key = found_keys.get(token_hash)
        if key and (not key.allowed_networks or is_within(each.address, key.allowed_networks)):
            actors[each] = _actor_of_key(key, secret=token_hash[:SECRET_BYTES], address=each.address)
    by_key = {row.session_key: row for row in _sessions_by_key.fetch_each(set(cookies.values()))}
    by_id = {row.pk: row for row in _sessions_by_id.fetch_each({each.session_id for each in claims.values()})}
    sessions = {each: by_key.get(session_key) for each, session_key in cookies.items()}
    for each, said in claims.items():
        row = by_id.get(said.session_id)
        sessions[each] = row if row and (row.user_id, row.epoch) == (said.user_id, said.epoch) else None
    for each, session in sessions.items():
        if session is not None:
            actors[each] = member(session.user, session=_seen(session))
    return actors


def _bearer(authorization: str) -> str | None:
    kind, _space, token = authorization.partition(" ")
    return token.strip() if kind.lower() == "bearer" and token.strip() else None


def _keys_in_force() -> Any:
    return ApiKey.objects.select_related("user").filter(
        Q(expires_at=None) | Q(expires_at__gt=Now()), revoked_at=None, user__is_active=True
    )


_key_by_id: Compiled[ApiKey] = Compiled(lambda *, pk: _keys_in_force().filter(pk=pk)[:1])
_active_user: Compiled[User] = Compiled(lambda *, pk: User.objects.filter(pk=pk, is_active=True)[:1])
_keys_by_hash: Compiled[ApiKey] = Compiled(
    lambda _many, **hashes: _keys_in_force().filter(
        Q(token_hash__in=list(hashes.values())) | Q(previous_hash__in=list(hashes.values()), previous_until__gt=Now())
    )
)


def _actor_of_key(key: ApiKey, *, secret: bytes = b"", address: str | None = None) -> Actor:
    if key.last_used_at is None or timezone.now() - key.last_used_at > SEEN_EVERY:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=Now())
    return Actor(
        kind=ActorKind.SERVICE if key.user.is_service else ActorKind.KEY,
        user_id=key.user_id,
        organization_id=key.organization_id,
        project_id=key.project_id,
        scopes=frozenset(key.scopes),
        key_id=key.pk,
        language=key.user.language,
        time_zone=key.user.time_zone,
        secret=secret,
        address=address,
    )


def _renewed(key: ApiKey | None, actor: Actor) -> Actor:
    """A secret that was replaced, and a network that was taken away, open nothing any more, whatever they opened before.

    Workers act by the key's row and hold no secret.
    """
    if key is None:
        return NOBODY
    if actor.secret:
        hashes = [key.token_hash, key.previous_hash if key.old_secret_until else None]
        if actor.secret not in {bytes(each)[:SECRET_BYTES] for each in hashes if each is not None}:
            return NOBODY
        if key.allowed_networks and not is_within(actor.address, key.allowed_networks):
            return NOBODY
    return _actor_of_key(key, secret=actor.secret, address=actor.address)


def find_session(**which: Any) -> UserSession | None:
    """The session in force, with its person: one query. Ended, expired or of an earlier epoch is None."""
    session = _session_in_force.first(**which)
    return _seen(session) if session else None


def _seen(session: UserSession) -> UserSession:
    if session.last_seen_at is None or timezone.now() - session.last_seen_at > SEEN_EVERY:
        UserSession.objects.filter(pk=session.pk).update(last_seen_at=Now())
    return session


_session_in_force: Compiled[UserSession] = Compiled(
    lambda **which: UserSession.objects.in_force().select_related("user").filter(**which)[:1]
)
_sessions_by_key: Compiled[UserSession] = Compiled(
    lambda _many, **keys: (
        UserSession.objects.in_force().select_related("user").filter(session_key__in=list(keys.values()))
    )
)
_sessions_by_id: Compiled[UserSession] = Compiled(
    lambda _many, **ids: UserSession.objects.in_force().select_related("user").filter(pk__in=list(ids.values()))
)


# Transports


def actor_of_request(request: HttpRequest) -> Actor:
    """For HTTP: header first, then the session cookie. On pages the cookie alone: ``request.user`` and the actor are one person."""
    if is_token_in_query(request.META.get("QUERY_STRING", "")):
        raise TokenInAddress
    authorization = request.headers.get("Authorization", "")
    api_key = request.headers.get("X-API-Key", "")
    if (authorization or api_key) and f"{request.path_info}/".startswith(PROGRAM_PATHS):  # /v1 itself too
        return actor_for(authorization=authorization, api_key=api_key, address=client_address(request))
    session = cookie_session(request)
    return member(session.user, session=session) if session else NOBODY


def cookie_session(request: HttpRequest) -> UserSession | None:
    """Asked once a request, and again after a sign-in within it."""
    session_key = request.session.session_key
    held: tuple[str | None, UserSession | None] | None = getattr(request, "held_session", None)
    if held is None or held[0] != session_key:
        held = (session_key, find_session(session_key=session_key) if session_key else None)
        request.held_session = held  # type: ignore[attr-defined]
    return held[1]


def waiting_session(request: HttpRequest) -> UserSession | None:
    """A sign-in that still has to set up a second factor: it is nobody's actor."""
    key = request.session.session_key
    rows = UserSession.objects.not_over().filter(is_waiting=True).select_related("user")
    return rows.filter(session_key=key).first() if key else None


def is_token_in_query(query: str) -> bool:
    """Only what looks like a credential: ``?key=`` and ``?token=`` may mean something else to a page."""
    if not any(name in query for name in QUERY_NAMES):
        return False
    found = parse_qs(query, max_num_fields=100) if query.count("&") < 100 else {}  # noqa: PLR2004
    return any(
        value.startswith(KEY_PREFIX) or value.count(".") == 2  # noqa: PLR2004  (a JWT has two dots)
        for name, values in found.items()
        if name.lower() in QUERY_NAMES
        for value in values
    )


def credential_from_scope(scope: Mapping[str, Any]) -> Credential:
    """For sockets: header, ``X-API-Key``, subprotocol ``bearer.<token>``, else the cookie.

    Raises ``TokenInAddress`` for a credential in the query.
    """
    if is_token_in_query(scope.get("query_string", b"").decode("latin-1")):
        raise TokenInAddress
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope.get("headers", [])}
    authorization = headers.get("authorization", "")
    offered = [name.removeprefix(SUBPROTOCOL) for name in scope.get("subprotocols", []) if name.startswith(SUBPROTOCOL)]
    if offered and not authorization:
        authorization = f"Bearer {offered[0]}"
    cookie = _session_key(headers.get("cookie", ""))
    return Credential(authorization, headers.get("x-api-key", ""), cookie, address_of_scope(scope))


def actors_for_sockets(credentials: Iterable[Credential]) -> dict[Credential, Actor | None]:
    """As ``actors_for``; None is a key that may not read conversations."""
    return {
        credential: actor if policies.has_scope(actor, "conversations:read") else None
        for credential, actor in actors_for(credentials).items()
    }


def _session_key(cookie: str) -> str | None:
    try:
        found = SimpleCookie(cookie).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        return None
    return found.value if found else None


# Later


def renew(actor: Actor) -> Actor:
    """The same credentials, asked again: ``NOBODY`` once the session ended, or the key was revoked, renewed or closed to where
    the caller is. One query.

    For sockets, which outlive the check at the handshake, and for workers.
    """
    if actor.key_id is not None:
        return _renewed(_keys_in_force().filter(pk=actor.key_id).first(), actor)
    if actor.session_id is not None:
        session = find_session(pk=actor.session_id)
        return member(session.user, session=session) if session else NOBODY
    if actor.user_id is not None:
        return actor_of_row(user_id=actor.user_id)
    return actor


def renew_all(held: Iterable[Actor]) -> dict[Actor, Actor]:
    """As ``renew`` for everybody at once: at most three queries however many they are."""
    everybody = set(held)
    key_ids = {actor.key_id for actor in everybody} - {None}
    keys = {key.pk: key for key in _keys_in_force().filter(pk__in=key_ids)} if key_ids else {}
    session_ids = {actor.session_id for actor in everybody} - {None}
    in_force = UserSession.objects.in_force().select_related("user").filter(pk__in=session_ids)
    sessions = {row.pk: row for row in in_force} if session_ids else {}
    bare = {actor.user_id for actor in everybody if actor.key_id is None and actor.session_id is None} - {None}
    users = {user.pk: user for user in User.objects.filter(pk__in=bare, is_active=True)} if bare else {}
    renewed = {}
    for actor in everybody:
        if actor.key_id is not None:
            renewed[actor] = _renewed(keys.get(actor.key_id), actor)
        elif actor.session_id is not None:
            session = sessions.get(actor.session_id)
            renewed[actor] = member(session.user, session=session) if session else NOBODY
        elif actor.user_id is not None:
            renewed[actor] = member(users[actor.user_id]) if actor.user_id in users else NOBODY
        else:
            renewed[actor] = actor
    return renewed


def actor_of_row(*, user_id: UUID | None, key_id: UUID | None = None) -> Actor:
    """For workers: who asked, from what the row kept, with the rights of now. ``NOBODY`` when they may act no more."""
    if key_id is not None:
        key = _key_by_id.first(pk=key_id)
        return _actor_of_key(key) if key else NOBODY
    user = _active_user.first(pk=user_id) if user_id else None
    return member(user) if user else NOBODY
