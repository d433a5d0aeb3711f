"""Behind a proxy, an installation whose address is https answers nothing over http; health aside."""

from __future__ import annotations

import asyncio
import json

import pytest

from apps.core.plain_http import OnlyHttps


async def inside(_scope, _receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"inside"})


def asked(path, *, method="GET", proto=(), kind="http", query=b""):
    sent = []

    async def send(message):
        sent.append(message)

    scope = {
        "type": kind,
        "path": path,
        "query_string": query,
        "headers": [(b"host", b"evil.example"), *[(b"x-forwarded-proto", each) for each in proto]],
    }
    if kind == "http":
        scope["method"] = method
    asyncio.run(OnlyHttps(inside)(scope, None, send))
    return sent


@pytest.fixture(autouse=True)
def _behind_https(settings):
    settings.PARLANCE_URL, settings.PARLANCE_BEHIND_PROXY = "https://chat.example.org", True
    settings.SECURE_HSTS_SECONDS = 60


@pytest.mark.parametrize("proto", [(), (b"http",), (b"http, https",), (b"https", b"http"), (b"HTTPS",)])
def test_page_over_http_goes_to_the_configured_address(proto):
    (start, _body) = asked("/c/one/", proto=proto, query=b"a=1")

    headers = dict(start["headers"])
    assert (start["status"], headers[b"location"]) == (301, b"https://chat.example.org/c/one/?a=1")


def test_redirect_leads_nowhere_else_whatever_the_path():
    (start, _body) = asked("//evil.example/x")

    assert dict(start["headers"])[b"location"] == b"https://chat.example.org/evil.example/x"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/v1/me/"), ("POST", "/v1/chat/completions"), ("POST", "/accounts/login/"), ("PUT", "/c/one/")],
)
def test_programs_and_changes_are_refused(method, path):
    (start, body) = asked(path, method=method)

    assert start["status"] == 403
    assert json.loads(body["body"])["code"] == "https_required"


def test_socket_is_closed_before_it_opens():
    assert asked("/ws/", kind="websocket") == [{"type": "websocket.close", "code": 4403}]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_health_is_told(path):
    assert asked(path)[0]["status"] == 200


def test_https_comes_in_and_so_does_everything_where_no_proxy_can_tell(settings):
    assert asked("/api/v1/me/", proto=(b"https",))[0]["status"] == 200
    settings.PARLANCE_BEHIND_PROXY = False
    assert asked("/api/v1/me/")[0]["status"] == 200
    settings.PARLANCE_BEHIND_PROXY, settings.PARLANCE_URL = True, "http://localhost:8000"
    assert asked("/api/v1/me/")[0]["status"] == 200
