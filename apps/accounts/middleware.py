"""``request.actor`` and ``request.user`` for every transport over HTTP, from one query."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.utils.functional import SimpleLazyObject

from apps.accounts import knocks
from apps.accounts.actors import actor_of_request, cookie_session, waiting_session
from apps.accounts.call_limits import limit_call
from apps.accounts.models import User
from apps.accounts.types import TokenInAddress
from apps.core import suspicions
from apps.core.db import in_thread
from apps.core.errors import DomainError, NotAuthenticated
from apps.core.middleware import error_page, is_for_script, problem_json


class PersonMiddleware(AuthenticationMiddleware):
    """``request.user`` comes from our session row, so that ending the row signs out; Django's own check is not asked."""

    def process_request(self, request: HttpRequest) -> None:
        request.user = SimpleLazyObject(lambda: _person(request))  # type: ignore[assignment]

        async def auser() -> User | AnonymousUser:
            return await in_thread(_person, request)

        request.auser = auser  # type: ignore[method-assign]


NOT_FOUND = 404
#: Where somebody may be whose organization asks for a second factor that they still have to set up.
SET_UP_PATHS = ("/accounts/2fa/", "/accounts/reauthenticate/", "/accounts/logout/")


def _person(request: HttpRequest) -> User | AnonymousUser:
    session = cookie_session(request)
    if session is None and request.path.startswith(SET_UP_PATHS):
        session = waiting_session(request)
    return session.user if session else AnonymousUser()


class ActorMiddleware:
    """Lazy: static files and health checks cost no query."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.actor = SimpleLazyObject(lambda: actor_of_request(request))  # type: ignore[attr-defined]
        response = self.get_response(request)
        if (left := getattr(request, "limit_left", None)) is not None:
            for name, value in left.headers().items():
                response.setdefault(name, value)
        knocks.set_device_cookie(request, response)
        return response


def _refusal(request: HttpRequest) -> HttpResponse | None:
    """What is raised out here reaches no handler of domain errors. A credential in the address is paid for by the address alone."""
    try:
        try:
            limit_call(request, request.actor)  # type: ignore[attr-defined]
        except TokenInAddress:
            limit_call(request, None)
            raise
    except DomainError as error:
        return error_page(request, error)
    return None


def _leads_to_sign_in(response: HttpResponse) -> bool:
    return isinstance(response, HttpResponseRedirect) and response.url.startswith(resolve_url(settings.LOGIN_URL))


class PageDoorMiddleware:
    """Before every page: the limiter, and a look at what came in. API and ``/v1`` ask it themselves, once they know who calls; who watches is never limited.

    An address that is none has no view that could ask: its 404 is paid for afterwards, so that whoever looks for doors runs dry.
    A part of a page is not led to the sign-in: its whole page would come in the place of the part, and with a new cookie against
    forged forms, which the form that is open in another tab knows nothing of.
    """

    OTHER_DOORS = ("/api/", "/v1", "/healthz", "/health", "/readyz", "/metrics")

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code == NOT_FOUND and request.resolver_match is None:
            return _refusal(request) or response
        if _leads_to_sign_in(response) and is_for_script(request):
            return problem_json(NotAuthenticated())
        return response

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        if request.path.startswith(self.OTHER_DOORS):
            return None
        if (refusal := _refusal(request)) is not None:
            return refusal
        self._look(request)
        return None

    def _look(self, request: HttpRequest) -> None:
        """At what came in the address or a plain form; an upload is for its view to read."""
        sent = [*request.GET.values()]
        if request.method == "POST" and request.content_type == "application/x-www-form-urlencoded":
            sent += [value for name, value in request.POST.items() if "password" not in name]
        if sent:
            suspicions.notice(request, sent)
