"""Every exception has one meaning to the caller."""

import errno

import psycopg.errors
import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DatabaseError, DataError, InterfaceError, OperationalError
from django.http import Http404
from psycopg_pool import PoolTimeout
from rest_framework import exceptions

from apps.core import errors, handlers
from apps.core.api import as_domain_error


def caused(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("raised", "code", "status"),
    [
        (errors.Conflict(), "conflict", 409),
        (errors.Unprocessable(), "unprocessable", 422),
        (errors.VersionMismatch(current=3), "version_mismatch", 412),
        (exceptions.NotAuthenticated(), "not_authenticated", 401),
        (exceptions.AuthenticationFailed(), "not_authenticated", 401),
        (PermissionDenied(), "forbidden", 403),
        (Http404(), "not_found", 404),
        (exceptions.MethodNotAllowed("PUT"), "method_not_allowed", 405),
        (exceptions.UnsupportedMediaType("text/plain"), "unsupported_media_type", 415),
        (exceptions.ParseError(), "malformed", 400),
        (SuspiciousOperation(), "malformed", 400),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), "malformed", 400),
        (RequestDataTooBig(), "too_large", 413),
        (DataError("out of range"), "invalid", 400),
        (OperationalError("gone"), "unavailable", 503),
        (InterfaceError("closed"), "unavailable", 503),
        (PoolTimeout("no connection"), "unavailable", 503),
        (OSError(errno.ENOSPC, "full"), "storage_full", 507),
        (caused(OperationalError("full"), psycopg.errors.DiskFull()), "storage_full", 507),
        (caused(DatabaseError("full"), psycopg.errors.DiskFull()), "storage_full", 507),
        (caused(OperationalError("stopped"), psycopg.errors.QueryCanceled()), "took_too_long", 503),
        (RuntimeError("a secret"), "internal_error", 500),
        (DatabaseError("relation missing"), "internal_error", 500),
    ],
)
def test_exception_has_one_meaning(raised, code, status):
    found = as_domain_error(raised)

    assert (found.code, found.status) == (code, status)


def test_problem_names_what_is_wrong_where_and_tells_no_secret():
    problem = as_domain_error(exceptions.ValidationError({"a": {"b": ["wrong"]}, "c": ["x", "y"]})).problem(
        request_id="r"
    )

    assert problem["errors"] == [
        {"field": "a.b", "code": "invalid", "detail": "wrong"},
        {"field": "c", "code": "invalid", "detail": "x"},
        {"field": "c", "code": "invalid", "detail": "y"},
    ]
    assert (problem["status"], problem["request_id"]) == (400, "r")
    assert "secret" not in str(as_domain_error(RuntimeError("a secret")).problem())


def test_unavailable_and_limits_say_when_to_come_back():
    assert as_domain_error(OperationalError()).headers == {"Retry-After": "2"}
    assert errors.LimitReached(retry_after_seconds=7, most=3).headers == {
        "Retry-After": "7",
        "RateLimit-Limit": "3",
        "RateLimit-Remaining": "0",
        "RateLimit-Reset": "7",
    }
    assert errors.VersionMismatch(current=3).problem()["current"] == 3


@pytest.mark.parametrize(("raised", "status"), [(PoolTimeout("no connection"), 503), (RuntimeError("a secret"), 500)])
@pytest.mark.parametrize("path", ["/search/", "/api/v1/me/"])
def test_error_before_any_view_says_whether_to_try_again(raised, status, path, rf):
    """As Django calls it: while the exception is being handled, without a database."""
    request = rf.get(path)
    try:
        raise raised
    except Exception:  # noqa: BLE001
        answer = handlers.server_error(request)

    assert answer.status_code == status
    assert b"a secret" not in answer.content
    assert answer.has_header("Retry-After") == (status == 503)
