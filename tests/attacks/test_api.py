"""A2-A9, A61, A65 and A67 through the API's real addresses: nothing is shown, nothing changes, nothing is called."""

import json
import os
import subprocess
import sys
import uuid

import psycopg
import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.urls import path, reverse

from apps.accounts import audit
from apps.accounts.models import AuditEntry
from apps.conversations.models import Turn
from apps.core.api import APIView
from apps.core.eventlog.consumers import logged
from apps.core.models import Event
from config import urls
from tests import services
from tests.accounts.factories import actor_of
from tests.attacks.caller import Client
from tests.attacks.world import World, content_of, rows
from tests.conversations.factories import start

pytestmark = pytest.mark.django_db

API = "/api/v1"
CANARY = "canary-7c1e5f"


@pytest.fixture
def world():
    return World()


@pytest.fixture
def shared():
    return World(is_shared=True)


def send(method, address, headers, body=None, **more):
    return Client(**more).generic(
        method,
        f"{API}{address}",
        data=json.dumps(body) if body is not None else "",
        content_type="application/json",
        headers=headers,
    )


def refusals():
    return Event.objects.filter(is_refusal=True).count()


def facts():
    return Event.objects.filter(is_refusal=False).count()


@pytest.mark.parametrize("who", ["A", "X"])
def test_a2_answer_in_a_foreign_conversation_is_hidden(who, world):
    conversation, message = world.ids["conversation_id"], world.ids["message_id"]
    before = rows()

    answers = [
        send("POST", f"/conversations/{conversation}/messages/", world.headers[who], {"content": "Go on"}),
        send("POST", f"/conversations/{conversation}/turns/", world.headers[who], {}),
        send("POST", f"/messages/{message}/regenerate/", world.headers[who], {}),
        send("POST", f"/messages/{message}/continue/", world.headers[who]),
    ]

    assert [answer.status_code for answer in answers] == [404] * 4
    assert rows() == before


def test_a2_foreign_parent_gives_no_context(world):
    mine = start(actor_of(world.people["A"]), world.project)
    before = rows()

    answer = send(
        "POST",
        f"/conversations/{mine.pk}/messages/",
        world.headers["A"],
        {"content": "And?", "parent": str(world.ids["message_id"])},
    )

    assert (answer.status_code, answer.json()["code"]) == (400, "parent_elsewhere")
    assert rows() == before


@pytest.mark.parametrize("who", ["A", "X", "N"])
def test_a3_foreign_turn_streams_and_tells_nothing(who, world):
    turn, message = world.ids["turn_id"], world.ids["message_id"]

    addresses = (f"/turns/{turn}/events/", f"/turns/{turn}/events/?after=0", f"/turns/{turn}/", f"/messages/{message}/")
    answers = [send("GET", address, world.headers[who]) for address in addresses]

    assert [answer.status_code for answer in answers] == [401 if who == "N" else 404] * 4
    assert not any(answer.streaming or b"Secret" in answer.content for answer in answers)


@pytest.mark.parametrize("field", ["data", "files", "meta", "folder", "owner", "parts", "head"])
def test_a5_free_form_fields_are_unknown(field, world):
    mine = start(actor_of(world.people["A"]), world.project)
    before = rows()
    smuggled = {"files": [{"id": str(world.ids["attachment_id"])}]}

    answer = send("PATCH", f"/conversations/{mine.pk}/", world.headers["A"], {field: smuggled})

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "unknown_field")
    assert rows() == before


@pytest.mark.parametrize("kind", ["pages", "api"])
def test_a7_stranger_gets_no_copy_in_any_form(kind, world):
    conversation, attachment = world.ids["conversation_id"], world.ids["attachment_id"]
    copies = {
        "api": [
            f"{API}/conversations/{conversation}/export/?format=json",
            f"{API}/conversations/{conversation}/export/?format=markdown",
            f"{API}/conversations/{conversation}/export/?format=zip",
            f"{API}/attachments/{attachment}/download/",
            f"{API}/attachments/{attachment}/preview/",
            f"{API}/attachments/{attachment}/",
        ],
        "pages": [reverse("conversations:page", kwargs={"conversation_id": conversation})],
    }[kind]
    client = Client()
    client.force_login(world.people["X"])

    answers = [client.get(address) for address in copies]

    assert [answer.status_code for answer in answers] == [404] * len(copies)
    assert not any(b"ecret" in content_of(answer) for answer in answers)


def test_a8_words_of_others_are_neither_edited_nor_deleted(shared):
    before, refused = rows(), refusals()

    answers = [
        send("POST", f"/messages/{shared.said}/edit/", shared.headers["A"], {"content": "Mine now"}),
        send("DELETE", f"/messages/{shared.said}/", shared.headers["A"]),
        send("DELETE", f"/messages/{shared.ids['message_id']}/", shared.headers["A"]),
        send("DELETE", f"/attachments/{shared.ids['attachment_id']}/", shared.headers["A"]),
    ]

    assert [answer.status_code for answer in answers] == [403] * 4
    assert rows() == before
    assert refusals() == refused + 4


def test_a9_reader_writes_nothing_and_nobody_is_told(shared):
    conversation, message = shared.ids["conversation_id"], shared.ids["message_id"]
    before, told = rows(), facts()

    answers = [
        send("POST", f"/conversations/{conversation}/messages/", shared.headers["R"], {"content": "Hello"}),
        send("PATCH", f"/conversations/{conversation}/", shared.headers["R"], {"title": "Mine"}),
        send("POST", f"/messages/{message}/regenerate/", shared.headers["R"], {}),
        send("POST", f"/conversations/{conversation}/turns/", shared.headers["R"], {}),
        send(
            "POST",
            f"/conversations/{conversation}/commands/",
            shared.headers["R"],
            {"name": "title", "arguments": "Mine"},
        ),
    ]

    assert [answer.status_code for answer in answers] == [403] * 5
    assert (rows(), facts()) == (before, told)


def test_a61_turns_that_wait_have_an_end(world):
    conversation = start(actor_of(world.owner), world.project)
    statuses = [
        send("POST", f"/conversations/{conversation.pk}/messages/", world.headers["B"], {"content": "Go"}).status_code
        for _number in range(24)
    ]

    assert (statuses[:20], set(statuses[21:])) == ([202] * 20, {429})
    assert Turn.objects.filter(conversation=conversation).count() == statuses.count(202)


@pytest.mark.parametrize("megabytes", [1, 10, 13])
def test_a61_huge_message_is_413(megabytes, world):
    before = rows()

    answer = send(
        "POST",
        f"/conversations/{world.ids['conversation_id']}/messages/",
        world.headers["B"],
        {"content": "a" * (megabytes << 20)},
    )

    assert answer.status_code == 413
    assert rows() == before


@pytest.mark.parametrize(
    "parameters", [{"max_tokens": 10**9}, {"max_output_tokens": 10**12}, {"n": 1000}, {"temperature": 1e9}]
)
def test_a61_agent_takes_no_boundless_parameters(parameters, shared):
    before = rows()

    answer = send("PATCH", f"/agents/{shared.ids['agent_id']}/", shared.headers["B"], {"parameters": parameters})

    assert answer.status_code == 400
    assert rows() == before


def record_audit():
    for position, row in enumerate(Event.objects.order_by("insertion"), start=1):
        row.position = position
        audit.record(logged(row))


def broken(request):
    raise RuntimeError(f"{CANARY} {django_settings.BASE_DIR}")


class BrokenView(APIView):
    def get(self, request):
        raise RuntimeError(f"{CANARY} {django_settings.BASE_DIR}")


urlpatterns = [
    path("broken/", broken),
    path("api/v1/broken/", BrokenView.as_view()),
    *urls.urlpatterns,
]

PAGES = ["/", "/accounts/login/", "/settings/profile/", "/no/such/page/", "/admin/", "/api/docs/", "/healthz"]
JSON = ["/api/v1/me/", "/api/v1/no/such/", f"/api/v1/conversations/{uuid.UUID(int=0)}/", "/api/schema/"]
TELLTALE = [b"Traceback", b"Django", b"Daphne", b"Python/", b"psycopg", str(django_settings.BASE_DIR).encode()]


BROKEN = pytest.mark.in_process("addresses that fail, which only tests have")


@pytest.mark.parametrize(
    "address", [*PAGES, *JSON, *(pytest.param(each, marks=BROKEN) for each in ("/broken/", "/api/v1/broken/"))]
)
def test_a65_headers_and_silence(address, world, settings):
    settings.ROOT_URLCONF = __name__
    client = Client(raise_request_exception=False)
    client.force_login(world.owner)

    assert (client.get(address).status_code == 500) == ("broken" in address)
    for answer in (client.get(address), Client(raise_request_exception=False).get(address)):
        policy = {
            name: values
            for name, _space, values in (
                part.strip().partition(" ") for part in answer["Content-Security-Policy"].split(";")
            )
        }
        assert policy["default-src"] == policy["object-src"] == policy["base-uri"] == "'none'"
        assert policy["frame-ancestors"] == "'none'"
        assert "unsafe" not in answer["Content-Security-Policy"]
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["X-Frame-Options"] == "DENY"
        assert answer["Referrer-Policy"] == "same-origin"
        assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
        assert answer.headers.get("Server", "parlance") == "parlance"  # no library, no version
        assert not {"X-Powered-By", "Access-Control-Allow-Origin"} & set(answer.headers)
        assert CANARY.encode() not in answer.content
        if answer.status_code >= 400:
            assert [each for each in TELLTALE if each in answer.content] == []


@pytest.mark.parametrize("address", ["/accounts/login/", "/"])
def test_a65_script_runs_by_nonce_alone(address, world):
    client = Client()
    if address != "/accounts/login/":
        world.owner.is_staff = world.owner.is_superuser = True
        world.owner.save()
        client.force_login(world.owner)

    first, second = client.get(address, follow=True), client.get(address, follow=True)
    nonces = [answer["Content-Security-Policy"].partition("'nonce-")[2].partition("'")[0] for answer in (first, second)]

    assert all(nonces)
    assert nonces[0] != nonces[1]
    for answer, nonce in zip((first, second), nonces, strict=True):
        tags = [each.partition(">")[0] for each in answer.content.decode().split("<script")[1:]]
        runs = [each for each in tags if "application/json" not in each and 'src="/static/' not in each]
        assert [each for each in runs if f'nonce="{nonce}"' not in each] == []


HTTPS = """
import django, json
django.setup()
from django.conf import settings
from django.test import Client
answer = Client().get("/accounts/login/", secure=True, headers={"host": "chat.example.org"})
print(json.dumps({
    "status": answer.status_code,
    "hsts": answer.headers.get("Strict-Transport-Security"),
    "csrf": answer.cookies["__Host-csrf"].output(header=""),
    "session": [settings.SESSION_COOKIE_NAME, settings.SESSION_COOKIE_SECURE, settings.SESSION_COOKIE_HTTPONLY,
        settings.SESSION_COOKIE_DOMAIN, settings.SESSION_COOKIE_PATH, settings.SESSION_COOKIE_SAMESITE],
}))
"""


def test_a65_https_brings_hsts_and_host_cookies(db):
    env = os.environ | {
        "PARLANCE_URL": "https://chat.example.org",
        "DATABASE_URL": services.owner_url(connection.settings_dict["NAME"]),
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }

    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", HTTPS],
        env=env,
        cwd=services.CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    told = json.loads(run.stdout.strip().splitlines()[-1]) if run.returncode == 0 else run.stderr

    assert told["status"] == 200
    assert told["hsts"] == "max-age=31536000; includeSubDomains"
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= {part.strip() for part in told["csrf"].split(";")}
    assert "Domain" not in told["csrf"]
    assert told["session"] == ["__Host-session", True, True, None, "/", "Lax"]


@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH", "POST"])
def test_a67_audit_cannot_be_changed_over_the_api(method, world):
    record_audit()
    before = rows()

    answers = [
        send(method, address, world.headers["B"], {})
        for address in ("/audit/", f"/audit/{AuditEntry.objects.first().pk}/")
    ]

    assert [answer.status_code for answer in answers] == [405, 404]
    assert rows() == before


def test_a67_application_role_cannot_rewrite_audit_or_events(db):
    statements = [
        f"{verb} {table}{rest}"
        for table in ("accounts_auditentry", "core_event")
        for verb, rest in (("UPDATE", " SET id = id"), ("DELETE FROM", ""), ("TRUNCATE", ""), ("DROP TABLE", ""))
    ]

    for statement in statements:
        with (
            psycopg.connect(services.app_url(connection.settings_dict["NAME"])) as own,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            own.execute(statement)
