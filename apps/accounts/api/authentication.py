"""REST framework gets its user from ``request.actor``; cookies need the CSRF token, headers do not."""

from __future__ import annotations

from rest_framework.authentication import BaseAuthentication, CSRFCheck
from rest_framework.request import Request

from apps.accounts.actors import actor_of_request
from apps.accounts.types import Actor
from apps.core.errors import Forbidden, NotAuthenticated


class CsrfRefused(Forbidden):
    code = "csrf"


class ActorAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[Actor, Actor] | None:
        http_request = request._request  # noqa: SLF001  (REST framework's own name for it)
        actor = actor_of_request(http_request)
        has_header = "Authorization" in request.headers or "X-API-Key" in request.headers
        if not actor.is_somebody:
            if has_header:
                raise NotAuthenticated
            return None
        if not has_header:
            check = CSRFCheck(lambda _request: None)  # type: ignore[arg-type,return-value]
            check.process_request(http_request)
            if reason := check.process_view(http_request, None, (), {}):  # type: ignore[arg-type]
                raise CsrfRefused(str(reason))
        http_request.actor = actor  # type: ignore[attr-defined]
        request.actor = actor  # type: ignore[attr-defined]
        return actor, actor

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="parlance"'
