"""A65 further: what stands around every answer, whoever gives it."""

import json
import os
import re
import subprocess
import sys

import pytest
from django.db import connection
from django.test import RequestFactory

from apps.accounts.addresses import client_address
from tests import services
from tests.addresses import all_addresses
from tests.attacks.caller import Client
from tests.attacks.world import World

COOKIES = """
import django, json
django.setup()
from django.contrib.messages import constants
from django.contrib.messages.storage import default_storage
from django.http import HttpResponse
from django.test import Client, RequestFactory
said = Client().post("/language/", {"language": "de"}, secure=True, headers={"host": "chat.example.org"})
answer = HttpResponse()
request = RequestFactory().get("/")
request.session = {}
notices = default_storage(request)
notices.add(constants.INFO, "Saved.")
notices.update(answer)
print(json.dumps([each.OutputString() for one in (said, answer) for each in one.cookies.values()]))
"""


def test_a65_every_cookie_is_bound_to_the_host(db):
    env = os.environ | {
        "PARLANCE_URL": "https://chat.example.org",
        "DATABASE_URL": services.owner_url(connection.settings_dict["NAME"]),
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }

    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COOKIES],
        env=env,
        cwd=services.CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    cookies = json.loads(run.stdout.strip().splitlines()[-1]) if run.returncode == 0 else [run.stderr]

    assert [each.partition("=")[0] for each in cookies] == ["__Host-language", "__Host-notices"]
    for each in cookies:
        parts = {part.strip() for part in each.split(";")}
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= parts
        assert "Domain" not in each


def test_a65_no_address_answers_trace(db):
    client = Client(raise_request_exception=False)
    answered = {}
    for address in sorted(set(all_addresses())):
        path = (
            re.sub(r"<[^>]*>|\(\?P<[^)]*\)", "00000000-0000-0000-0000-000000000000", address)
            .replace("^", "")
            .replace("$", "")
        )
        answer = client.generic("TRACE", path.replace("\\", ""), headers={"X-Canary": "canary-of-trace"})
        body = b"".join(answer) if answer.streaming else answer.content
        if b"canary-of-trace" in body or answer.status_code != 405:
            answered[path] = answer.status_code

    assert answered == {}


@pytest.mark.parametrize(
    ("is_behind_proxy", "forwarded", "expected"),
    [
        (False, "203.0.113.9", "198.51.100.7"),
        (True, "203.0.113.9", "203.0.113.9"),
        (True, "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        (True, "", "198.51.100.7"),
    ],
)
def test_caller_does_not_choose_their_address(is_behind_proxy, forwarded, expected, settings):
    settings.PARLANCE_BEHIND_PROXY = is_behind_proxy
    request = RequestFactory().get("/", REMOTE_ADDR="198.51.100.7", headers={"X-Forwarded-For": forwarded})

    assert client_address(request) == expected


@pytest.mark.parametrize("address", ["/", "/settings/", "/api/v1/me/", "/api/v1/conversations/", "/no/such/page/"])
def test_a65_what_somebody_is_answered_is_kept_nowhere(db, address):
    world = World()
    client = Client()
    client.force_login(world.owner)

    for answer in (client.get(address, follow=True), Client().get(address, headers=world.headers["B"])):
        assert "no-store" in answer["Cache-Control"]


def test_a65_signing_out_makes_the_browser_forget(db):
    world = World()
    client = Client()
    client.force_login(world.owner)

    assert client.post("/accounts/logout/")["Clear-Site-Data"] == '"cache"'
