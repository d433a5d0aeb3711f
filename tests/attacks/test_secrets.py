"""A64: secrets of every kind are given to the real addresses; afterwards they are in no answer, page, log, event or table."""

import logging
import re

import pytest
from allauth.account.models import EmailAddress
from django.apps import apps
from django.conf import settings as django_settings
from django.contrib import admin
from django.core import mail
from django.db import connection
from django.test import Client
from django.urls import path, reverse

from apps.accounts.models import AuditEntry, Organization, Project
from apps.accounts.services import operators
from apps.accounts.types import SYSTEM
from apps.conversations.models import Conversation
from apps.conversations.types import Visibility
from apps.core.api import APIView
from apps.core.doors.exporters import ExportScope, exporters
from apps.core.doors.topics import topics
from apps.core.models import Event
from config import urls
from tests.accounts.factories import PASSWORD, actor_of
from tests.accounts.test_second_factors import with_app
from tests.attacks.test_api import API, record_audit, send
from tests.attacks.world import World, call, content_of, operations
from tests.conversations.factories import say

pytestmark = [pytest.mark.attacks, pytest.mark.django_db]

CANARY = "canary-7c1e5f"
PAGES = ["/", "/accounts/login/", "/no/such/page/", "/metrics", "/readyz", "/healthz", "/api/schema/"]


class BrokenView(APIView):
    """Fails with secrets in its hands, as a bug would."""

    def get(self, request):
        key, header = f"sk-{CANARY}", dict(request.headers)
        raise RuntimeError(f"{len(key)} {len(header)}")


def broken(request):
    key = f"sk-{CANARY}"
    raise RuntimeError(str(len(key)))


urlpatterns = [path("broken/", broken), path("api/v1/broken/", BrokenView.as_view()), *urls.urlpatterns]


@pytest.fixture
def world():
    return World()


@pytest.fixture
def planted(world, django_capture_on_commit_callbacks, caplog, settings):
    """Name → secret, each given or made through the real addresses; ``caplog`` has all that was logged since."""
    caplog.set_level(logging.DEBUG)
    settings.ROOT_URLCONF = __name__
    settings.EMAIL_HOST_PASSWORD = f"mail-{CANARY}"
    organization = str(world.organization.pk)
    EmailAddress.objects.create(user=world.owner, email=world.owner.email, primary=True, verified=True)
    provider = {
        "organization": organization,
        "kind": "openai-compatible",
        "name": "planted",
        "base_url": "https://93.184.216.34/v1",
        "api_key": f"sk-{CANARY}",
        "headers": {"X-Gateway-Token": f"head-{CANARY}"},
    }
    assert send("POST", "/providers/", world.headers["B"], provider).status_code == 201
    made = send("POST", "/api-keys/", world.headers["B"], {"organization": organization, "name": "planted"})
    pair = send("POST", "/auth/token/", {}, {"email": world.owner.email, "password": PASSWORD})
    wrong = send("POST", "/auth/token/", {}, {"email": world.owner.email, "password": f"word-{CANARY}"})
    with django_capture_on_commit_callbacks(execute=True):
        send("POST", "/auth/password/reset/", {}, {"email": world.owner.email})
    reset = re.search(r"key/([^/\s]+)/", queued_mail())
    assert (made.status_code, pair.status_code, wrong.status_code) == (201, 200, 401)
    assert reset
    assert call(next(each for each in operations() if each.id == "me_read"), {}, bearer_of(pair)).status_code == 200
    Organization.objects.filter(pk=world.organization.pk).update(is_home=True)
    browser = Client()
    browser.force_login(world.owner)
    issuer = {"form": "add", "kind": "oidc", "name": "Sand", "slug": "sand", "issuer": "https://id.sand.example"}
    more = {"client_id": "parlance", "client_secret": f"oidc-{CANARY}", "domains": "sand.example"}
    assert browser.post("/settings/sign-in/", issuer | more).status_code == 302
    seed = with_app(world.people["A"])
    invited = send(
        "POST", "/invitations/", world.headers["B"], {"organization": organization, "email": "i@example.org"}
    )
    Conversation.objects.filter(pk=world.conversation.pk).update(visibility=Visibility.LINK)
    shared = send("POST", f"/conversations/{world.conversation.pk}/share/", world.headers["B"], {})
    with django_capture_on_commit_callbacks(execute=True):
        operators.send_sign_in_link(actor=SYSTEM, user_id=world.people["A"].pk)
    signing_in = re.search(r"/accounts/link/([^/\s]+)/", queued_mail())
    assert (invited.status_code, shared.status_code, bool(signing_in)) == (201, 201, True), (
        invited.content + shared.content
    )
    links = {
        "a link of an invitation": token_of(invited.json()["link"]),
        "a share link": token_of(shared.json()["url"]),
        "a sign-in link": signing_in[1],
        "a device": pair.json()["device"],
    }
    return links | {
        "a canary": CANARY,
        "the seed of a second factor": seed,
        "an API key": made.json()["key"],
        "a token": pair.json()["access"].rpartition(".")[2],
        "a token to refresh": pair.json()["refresh"].rpartition(".")[2],
        "a link for a new password": reset[1],
        "a password": PASSWORD,
        "the secret of the installation": django_settings.SECRET_KEY,
        "the database's password": connection.settings_dict["PASSWORD"],
    }


def token_of(link):
    return link.rstrip("/").rpartition("/")[2]


def bearer_of(pair):
    return {"Authorization": f"Bearer {pair.json()['access']}"}


def queued_mail():
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(text, ' ') FROM core_mailmessage")
        return "".join([cursor.fetchone()[0] or "", *(each.body for each in mail.outbox)])


def found_in(places, planted):
    return [(place, name) for place, text in places.items() for name, secret in planted.items() if secret in text]


def operator_of(world):
    world.owner.is_staff = world.owner.is_superuser = True
    world.owner.save()
    client = Client(raise_request_exception=False)
    client.force_login(world.owner)
    return client


def admin_pages():
    for model, registered in admin.site._registry.items():
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        yield reverse(f"admin:{name}_changelist")
        if (first := registered.model._default_manager.first()) is not None:
            yield reverse(f"admin:{name}_change", args=[first.pk])


def settings_pages():
    prefix = "settings/"
    for pattern in urls.urlpatterns:
        for each in getattr(pattern, "url_patterns", ()):
            route = f"{pattern.pattern}{each.pattern}"
            if route.startswith(prefix) and "<" not in route:
                yield f"/{route}"


def test_a64_no_answer_of_the_api_holds_a_secret(world, planted, record_property):
    say(actor_of(world.owner), world.conversation, "Where is it?")
    record_audit()
    places = {
        each.path: content_of(call(each, world.ids, world.headers["B"])).decode(errors="replace")
        for each in operations()
        if each.method == "GET" and each.id != "turns_events"
    }
    places["search"] = send("GET", f"/search/?q={CANARY}", world.headers["B"]).content.decode()

    record_property("got", f"{len(places)} answers")
    assert "planted" in places[f"{API}/providers/"]
    assert found_in(places, planted) == []


def test_a64_no_page_and_no_error_holds_a_secret(world, planted, record_property):
    record_audit()
    client = operator_of(world)
    addresses = [*PAGES, *settings_pages(), *admin_pages(), "/broken/", f"{API}/broken/"]
    places = {address: content_of(client.get(address)).decode(errors="replace") for address in addresses}

    record_property("got", f"{len(places)} pages")
    assert client.get("/broken/").status_code == client.get(f"{API}/broken/").status_code == 500
    assert found_in(places, planted) == []


def test_a64_no_log_line_holds_a_secret(world, planted, caplog):
    client = operator_of(world)
    for address in ("/broken/", f"{API}/broken/", "/", "/admin/"):
        client.get(address, headers=world.headers["B"])
    for operation in operations():
        if operation.method == "GET" and operation.id != "turns_events":
            call(operation, world.ids, world.headers["B"])

    said = [record for record in caplog.records if record.name.startswith(("apps.", "django."))]

    assert said
    assert found_in({"log": caplog.text + repr([record.__dict__ for record in said])}, planted) == []


def test_a64_no_event_audit_entry_export_or_snapshot_holds_a_secret(world, planted):
    record_audit()
    viewer = actor_of(world.owner)
    places = {
        "events": repr(list(Event.objects.values())),
        "audit": repr(list(AuditEntry.objects.values())),
        "exports": repr(
            [
                row
                for project in Project.objects.filter(organization=world.organization)
                for each in exporters
                for row in each.rows(ExportScope(viewer, world.organization.pk, project.pk))
            ]
        ),
    }
    ids = {
        "conversation": world.conversation.pk,
        "user": world.owner.pk,
        "project": world.project.pk,
        "organization": world.organization.pk,
    }
    shown = [name for name in topics.names() if name in ids and topics.get(name).is_allowed(viewer, ids[name])]
    places |= {f"topic {name}": repr(topics.get(name).snapshot(viewer, ids[name])) for name in shown}

    assert AuditEntry.objects.filter(action="llm.provider_created").exists()
    assert "topic conversation" in places
    assert "Secret words" in places["exports"]
    assert found_in(places, planted) == []


def test_a64_tables_hold_no_secret_in_clear(planted):
    found = []
    for model in apps.get_models():
        table = model._meta.db_table
        if table == "core_mailmessage":  # holds a mail until it is sent, then it is emptied
            continue
        with connection.cursor() as cursor:
            for name, secret in planted.items():
                cursor.execute(f'SELECT count(*) FROM "{table}" t WHERE strpos(t::text, %s) > 0', [secret])
                if cursor.fetchone()[0]:
                    found.append((table, name))

    assert found == []
