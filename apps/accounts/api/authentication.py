"""REST framework gets its user from ``request.actor``; cookies need the CSRF token, headers do not."""

from __future__ import annotations

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, CSRFCheck
from rest_framework.request import Request

from apps.accounts import policies
from apps.accounts.actors import actor_of_request
from apps.accounts.call_limits import limit_call
from apps.accounts.types import Actor, ScopeMissing
from apps.core.errors import CsrfRefused, NotAuthenticated


class ActorAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[Actor, Actor] | None:
        http_request = request._request  # noqa: SLF001  (REST framework's own name for it)
        actor = actor_of_request(http_request)
        http_request.actor = actor  # type: ignore[attr-defined]
        request.actor = actor  # type: ignore[attr-defined]
        has_header = "Authorization" in request.headers or "X-API-Key" in request.headers
        limit_call(http_request, actor)  # before any refusal: those are written down, and guesses at keys are no gift
        if not actor.is_somebody:
            if has_header:
                raise NotAuthenticated
            return None
        if not has_header:
            check = CSRFCheck(lambda _request: None)  # type: ignore[arg-type,return-value]
            check.process_request(http_request)
            if check.process_view(http_request, None, (), {}):  # type: ignore[arg-type]
                raise CsrfRefused
        _require_scope(actor, http_request.path, http_request.method or "GET")
        return actor, actor

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="parlance"'


def _require_scope(actor: Actor, path: str, method: str) -> None:
    """Here and not in views: a new address is closed to limited keys until the table knows it."""
    if not actor.scopes:
        return
    scope = policies.scope_for_request(path, method)
    if scope == "":
        raise ScopeMissing
    if scope is not None:
        policies.require_scope(actor, scope)


class ActorAuthenticationScheme(OpenApiAuthenticationExtension):
    target_class = "apps.accounts.api.authentication.ActorAuthentication"
    name = ["bearer", "apiKey", "session"]

    def get_security_definition(self, auto_schema: object) -> list[dict[str, str]]:
        return [
            {"type": "http", "scheme": "bearer", "description": "An API key (`pk_…`) or an access token."},
            {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            {"type": "apiKey", "in": "cookie", "name": "parlance_session"},
        ]
