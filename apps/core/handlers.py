"""What no view answered: a page for people, a problem for programs."""

from __future__ import annotations

import sys

from django.http import HttpRequest, HttpResponse
from django.template import loader
from django.utils.translation import gettext as _
from django.views import defaults

from apps.core import errors
from apps.core.api import as_domain_error
from apps.core.middleware import is_write_without_slash, problem_json

PROGRAMS = ("/api/", "/v1/")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith(PROGRAMS):
        return problem_json(errors.Malformed())
    return defaults.bad_request(request, exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith(PROGRAMS):
        return problem_json(errors.Forbidden())
    return defaults.permission_denied(request, exception)


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
