"""Pages in the viewer's language and time zone, wherever they sign in from."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation

from apps.accounts.zones import COOKIE, offered_zones, zone_named

# Programs say what they want with Accept-Language; static files and health checks must not ask the database who calls.
NO_PAGES = ("/api/", "/v1/", "/static/", "/healthz", "/health", "/readyz", "/metrics")


class ViewerLocaleMiddleware:
    """After the session: what a person chose in the profile wins over the browser's wish, which holds for who is nobody yet."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(NO_PAGES):
            return self.get_response(request)
        if not request.user.is_authenticated:
            told = request.COOKIES.get(COOKIE, "")
            with timezone.override(zone_named(told) if told in offered_zones() else None):
                return self.get_response(request)
        translation.activate(request.user.language)
        request.LANGUAGE_CODE = translation.get_language()
        with timezone.override(zone_named(request.user.time_zone)):
            return self.get_response(request)
