"""What no view answered: a page for people, a problem for programs."""

from __future__ import annotations

import sys

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import REASON_BAD_ORIGIN
from django.shortcuts import render
from django.template import loader
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views import defaults

from apps.core import errors
from apps.core.api import as_domain_error
from apps.core.middleware import is_for_script, is_write_without_slash, problem_json

PROGRAMS = ("/api/", "/v1/")
#: How the reason ends where a form names another origin. Browsers that name none ("null", no Referer) came from nowhere else.
OTHER_ORIGIN = REASON_BAD_ORIGIN.rpartition("%s")[2]


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith(PROGRAMS):
        return problem_json(errors.Malformed())
    return defaults.bad_request(request, exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith(PROGRAMS):
        return problem_json(errors.Forbidden())
    return defaults.permission_denied(request, exception)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form of a page that is older than its person's newest sign-in, as a rule. Scripts take a new token and ask again (``core/http``).

    Nothing is written down: this comes before the limiter, and anybody can make it by the thousand.
    """
    error = errors.CsrfRefused()
    if request.path.startswith(PROGRAMS) or is_for_script(request):
        return problem_json(error)
    came_from = request.headers.get("Referer", "")
    is_ours = url_has_allowed_host_and_scheme(came_from, {request.get_host()}, require_https=request.is_secure())
    context = {
        "is_foreign": reason.endswith(OTHER_ORIGIN) and request.headers.get("Origin") != "null",
        "back": came_from if is_ours else "/",
    }
    return render(request, "errors/csrf.html", context, status=error.status)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith(PROGRAMS):
        named = _("This address ends in a slash: %(path)s/") % {"path": request.path}
        return problem_json(errors.NotFound(named if is_write_without_slash(request) else None))
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """A middleware that found the database away or busy gets here too: that is 503, and worth trying again."""
    cause = sys.exc_info()[1]
    error = as_domain_error(cause) if isinstance(cause, Exception) else errors.InternalError()
    if not isinstance(error, errors.Unavailable):
        error = errors.InternalError()
    if request.path.startswith(PROGRAMS):
        return problem_json(error)
    if error.status == errors.InternalError.status:
        return defaults.server_error(request)
    page = loader.get_template("errors/503.html").render({"error": error, "request": request})  # asks nobody who looks
    return HttpResponse(page, status=error.status, headers=error.headers)
