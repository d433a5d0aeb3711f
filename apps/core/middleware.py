"""Headers every answer carries, and domain errors on pages."""

from __future__ import annotations

from collections.abc import Callable

from csp.constants import HEADER
from csp.middleware import CheckableLazyObject, CSPMiddleware
from csp.utils import build_policy
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.http.response import HttpResponseBase
from django.middleware.common import CommonMiddleware
from django.shortcuts import render
from django.urls import is_valid_path

from apps.core.api import as_domain_error, record_refusal
from apps.core.correlation import correlation_id
from apps.core.errors import DomainError

SIGN_OUT = "account_logout"
#: Pages of Django and of Swagger UI, whose own scripts write markup as text: everything else of the policy holds there too.
WITHOUT_TRUSTED_TYPES = ("/admin/", "/api/docs/")
SAFE_METHODS = ("GET", "HEAD")
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
_no_trusted_types = {"require-trusted-types-for": None, "trusted-types": None}


class ContentPolicyMiddleware(CSPMiddleware):
    """As its parent; but the policy of an answer that changes nothing about it, and used no nonce, is written once."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        super().__init__(get_response)
        self._usual = build_policy()

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if request.path_info.startswith(WITHOUT_TRUSTED_TYPES):
            response._csp_replace = _no_trusted_types  # type: ignore[attr-defined]  # noqa: SLF001  (what its decorator sets)
        if hasattr(request, "_csp_nonce") or any(name.startswith("_csp_") for name in vars(response)):
            return super().process_response(request, response)
        response.setdefault(HEADER, self._usual)
        request.csp_nonce = CheckableLazyObject(self._csp_nonce_post_response)  # type: ignore[attr-defined]
        return response


class CacheMiddleware:
    """What somebody was answered as themselves is kept by no cache and no browser (ASVS 14.3.2), unless the answer says itself how it
    may be kept. Signing out makes the browser forget what it kept of us; what is unsent there is the page's to seal
    (``static/web/leaving.js``).
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not response.has_header("Cache-Control") and _is_somebodys(request):
            response["Cache-Control"] = "no-store"
        if request.method == "POST" and request.resolver_match and request.resolver_match.view_name == SIGN_OUT:
            response["Clear-Site-Data"] = '"cache"'
        return response


def _is_somebodys(request: HttpRequest) -> bool:
    return (
        request.path_info.startswith(("/api/", "/v1/"))
        or settings.SESSION_COOKIE_NAME in request.COOKIES
        or "Authorization" in request.headers
    )


class SlashMiddleware(CommonMiddleware):
    """As its parent; but a program that writes to an address without its slash is told, where a redirect would lose what it wrote."""

    def should_redirect_with_slash(self, request: HttpRequest) -> bool:
        return not is_write_without_slash(request) and super().should_redirect_with_slash(request)


def is_write_without_slash(request: HttpRequest) -> bool:
    """Does a program write to an address of the API that there is only with a slash at its end?"""
    if request.method in SAFE_METHODS or not request.path_info.startswith("/api/") or request.path_info.endswith("/"):
        return False
    return not is_valid_path(request.path_info) and bool(is_valid_path(f"{request.path_info}/"))


def is_for_script(request: HttpRequest) -> bool:
    """Does a script of a page ask, for what it puts into the page: markup, or a few values?"""
    headers = request.headers
    return "X-Fragment" in headers or "HX-Request" in headers or not request.accepts("text/html")


class PolicyHeadersMiddleware:
    """What Django does not do by itself: say who may embed or fetch our answers and which device features pages use; refuse TRACE."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = HttpResponseNotAllowed(METHODS) if request.method == "TRACE" else self.get_response(request)
        response.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.setdefault("Permissions-Policy", "camera=(), geolocation=(), payment=(), usb=()")
        return response


def problem_json(error: DomainError) -> JsonResponse:
    return JsonResponse(
        error.problem(request_id=correlation_id()),
        status=error.status,
        headers=error.headers,
        content_type="application/problem+json",
    )


class DomainErrorMiddleware:
    """A domain error raised by a page view becomes a page (or a fragment) that says what happened and what to do."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        error = as_domain_error(exception)
        if error.code == "internal_error" and not isinstance(exception, DomainError):
            return None  # Django logs it and asks handler500
        record_refusal(request, error)
        return error_page(request, error)


def error_page(request: HttpRequest, error: DomainError) -> HttpResponse:
    if request.path.startswith(("/api/", "/v1/")):
        return problem_json(error)
    context = {"error": error, "request_id": correlation_id()}
    response = render(request, ["errors/%d.html" % error.status, "errors/400.html"], context, status=error.status)  # noqa: UP031
    for name, value in error.headers.items():
        response[name] = value
    return response
