"""Who sends the attacks: in the short form Django's test client, in the long form the same face over HTTP to a running process.

``Client`` is Django's own: cookies, redirects, forms, uploads. Over HTTP only what stands below it is another: the request goes
over TCP through the server, its limits on bodies and headers, the turnstile and the request threads, and the answer is what came
back on the wire. The process works on the test's own database, so that tests make what they attack as they always do; it is
connected as the application's role, behind a proxy that names the caller's address.
"""

from __future__ import annotations

import contextlib
import http.client
import shutil
from http import HTTPStatus
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpResponse
from django.middleware.csrf import CSRF_SECRET_LENGTH
from django.test import Client as DjangoClient
from django.test.client import BOUNDARY
from django.utils.crypto import get_random_string

from tests import services
from tests.stack import Stack

NO_FIELDS = f"--{BOUNDARY}--\r\n".encode()
SAFE = {"GET", "HEAD", "OPTIONS", "TRACE"}
#: Of the connection, not of the answer; the clock of the server.
OF_THE_WIRE = {"connection", "keep-alive", "transfer-encoding", "date"}
#: Servers write names of headers as they like.
SPELLED = {"x-request-id": "X-Request-ID", "etag": "ETag", "www-authenticate": "WWW-Authenticate"}
#: Larger than any answer takes.
PATIENCE_SECONDS = 60


class Processes(Stack):
    """A web process on the database of the tests; what they make there has to be committed."""

    def __init__(self, database: str) -> None:
        super().__init__(
            interactives=0,
            jobs=0,
            env={
                "PARLANCE_LIMITS": "0",  # as in the tests' own process: attacks that are about limits set them
                "PARLANCE_BEHIND_PROXY": "1",
                "PARLANCE_URL": settings.PARLANCE_URL,
                "PARLANCE_DATA_DIR": str(settings.DATA_DIR),
                "PARLANCE_TESTING": "1",  # passwords of tests are hashed quickly
                "DATABASE_URL": services.app_url(database),
                "DATABASE_OWNER_URL": services.app_url(database),
            },
        )
        self.name = database

    def _create_database(self) -> None:
        """It is there."""

    def _drop_database(self) -> None:
        """It stays."""


class _Running:
    """The processes that the test of now is sent to, if any, and how often that was."""

    processes: Processes | None = None
    sent = 0


def send_to(processes: Processes | None) -> None:
    _Running.processes, _Running.sent = processes, 0


def is_over_http() -> bool:
    return _Running.processes is not None


def count_sent() -> int:
    return _Running.sent


class Client(DjangoClient):
    def __init__(self, enforce_csrf_checks: bool = False, **kwargs: Any) -> None:
        super().__init__(enforce_csrf_checks, **kwargs)
        if _Running.processes is not None:
            self.handler = OverHttp(_Running.processes, has_csrf_token=not enforce_csrf_checks)


class OverHttp:
    """What Django's test client calls with an environment of WSGI, sent as bytes.

    ``has_csrf_token``: the token that a page of ours would have carried goes along; without it the server would refuse what
    the test client lets pass.
    """

    def __init__(self, processes: Processes, *, has_csrf_token: bool) -> None:
        self.port, self.has_csrf_token = processes.ports["web"], has_csrf_token

    def __call__(self, environ: dict[str, Any]) -> HttpResponse:
        _Running.sent += 1
        body = environ["wsgi.input"].read()
        if body == NO_FIELDS:  # a form without any, which browsers send so
            body, environ = b"", environ | {"CONTENT_TYPE": "application/x-www-form-urlencoded"}
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        try:
            line.putrequest(environ["REQUEST_METHOD"], _target(environ), skip_host=True, skip_accept_encoding=True)
            for name, value in self._headers(environ, len(body)).items():
                # As sent: names and values that http.client would refuse are what some attacks consist of.
                line._output(f"{name}: {value}".encode("latin-1"))  # type: ignore[attr-defined]
            with contextlib.suppress(
                BrokenPipeError, ConnectionResetError
            ):  # a server may answer before it has heard all
                line.endheaders(body or None)
            response = _response(line.getresponse())
        except http.client.RemoteDisconnected:  # refused without a word, as a header that is too long is
            response = HttpResponse(status=HTTPStatus.BAD_REQUEST)
        finally:
            line.close()
        response.wsgi_request = WSGIRequest(environ)  # type: ignore[attr-defined]
        return response

    def _headers(self, environ: dict[str, Any], length: int) -> dict[str, str]:
        headers = {
            name.removeprefix("HTTP_").replace("_", "-").title(): value
            for name, value in environ.items()
            if name.startswith("HTTP_") and value
        }
        headers.setdefault("Host", urlsplit(settings.PARLANCE_URL).netloc)
        # What a proxy does: it adds whom it heard to what that one claims.
        claimed = headers.get("X-Forwarded-For")
        headers["X-Forwarded-For"] = ", ".join(filter(None, (claimed, environ["REMOTE_ADDR"] or "unknown")))
        headers["X-Forwarded-Proto"] = environ["wsgi.url_scheme"]  # set, whatever was claimed
        if environ.get("CONTENT_TYPE"):
            headers["Content-Type"] = environ["CONTENT_TYPE"]
        if length or environ["REQUEST_METHOD"] not in SAFE:
            headers["Content-Length"] = str(length)
        if self.has_csrf_token and environ["REQUEST_METHOD"] not in SAFE:
            token = get_random_string(CSRF_SECRET_LENGTH)
            others = [
                each
                for each in headers.get("Cookie", "").split("; ")
                if each and not each.startswith(f"{settings.CSRF_COOKIE_NAME}=")
            ]
            headers["Cookie"] = "; ".join([*others, f"{settings.CSRF_COOKIE_NAME}={token}"])
            headers.setdefault("X-Csrftoken", token)
        return headers


def _target(environ: dict[str, Any]) -> str:
    path = quote(environ["PATH_INFO"].encode("latin-1"), safe="/:@!$&'()*+,;=~-._")
    query = quote(environ.get("QUERY_STRING", "").encode("latin-1"), safe="%=&+/:@?!$'()*,;~[]-._")
    return f"{path}?{query}" if query else path


def _response(answer: http.client.HTTPResponse) -> HttpResponse:
    response = HttpResponse(answer.read(), status=answer.status)
    del response.headers["Content-Type"]
    for name, value in answer.getheaders():
        if name.lower() == "set-cookie":
            response.cookies.update(SimpleCookie(value))
        elif name.lower() not in OF_THE_WIRE:
            response.headers[SPELLED.get(name.lower(), name)] = value
    if "Location" in response.headers:
        response.url = response.headers["Location"]  # type: ignore[attr-defined]  # as Django's own redirects have it
    return response


@pytest.fixture(autouse=True)
def own_folder(settings: Any, tmp_path: Path) -> None:
    """Files of one test are not those of another: a folder of its own, or, where a process serves them, an empty one."""
    if is_over_http():
        shutil.rmtree(settings.MEDIA_ROOT, ignore_errors=True)
        Path(settings.MEDIA_ROOT).mkdir(parents=True)
    else:
        settings.MEDIA_ROOT = tmp_path / "files"
