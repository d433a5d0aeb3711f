"""Detectors tell who is trying something; they change nothing and refuse nothing. A63: and no text holds them up."""

import json
import logging
import time
from pathlib import Path
from urllib.parse import urlencode

import pytest

from apps.accounts import actors
from apps.conversations.models import Conversation, Message
from apps.core import suspicions
from apps.core.models import Event, SuspicionCount
from apps.core.suspicions import Suspicion, look, look_into
from tests.accounts.factories import ProjectFactory, UserFactory
from tests.conversations.factories import start

HONEST = json.loads((Path(__file__).parent.parent / "corpus" / "honest" / "texts.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("' OR '1'='1", Suspicion.SQL),
        ('x" and 1=1', Suspicion.SQL),
        ("1 UNION  ALL SELECT password FROM users", Suspicion.SQL),
        ("1; DROP TABLE users", Suspicion.SQL),
        ("admin'--", Suspicion.SQL),
        ("1 and pg_sleep(10)", Suspicion.SQL),
        ("'; WAITFOR DELAY '0:0:5'", Suspicion.SQL),
        ("x; cat /etc/shadow", Suspicion.COMMAND),
        ("$(curl http://c/)", Suspicion.COMMAND),
        ("a `id` b", Suspicion.COMMAND),
        ("| bash -i", Suspicion.COMMAND),
        ("${jndi:ldap://c/a}", Suspicion.COMMAND),
        ("<script>alert(1)</script>", Suspicion.MARKUP),
        ("<img src=x onerror=alert(1)>", Suspicion.MARKUP),
        ("<svg/onload=alert(1)>", Suspicion.MARKUP),
        ("JaVaScRiPt:alert(1)", Suspicion.MARKUP),
        ("%3Cscript%3E", Suspicion.MARKUP),
        ("data:text/html;base64,AA", Suspicion.MARKUP),
        ("../../../etc/passwd", Suspicion.TRAVERSAL),
        ("..\\..\\boot.ini", Suspicion.TRAVERSAL),
        ("%2e%2e%2fsecret", Suspicion.TRAVERSAL),
        ("file:///etc/hosts", Suspicion.TRAVERSAL),
    ],
)
def test_what_is_noticed(text, kind):
    assert kind in look(text)
    assert kind in look(f"Before. {text} After.")
    assert kind in look_into({"a": [{"b": text}]})


@pytest.mark.parametrize(
    "text",
    [
        "Select a union for the pipe, and drop me a line.",
        "It's fine -- really; or isn't it?",
        "if a < b: print(a)",
        "cats; dogs | birds",
        "See chapter 2... then 3.",
        "Script for the play: form a circle around the object.",
        "",
    ],
)
def test_what_is_no_reason_to_look_up(text):
    assert look(text) == frozenset()


@pytest.mark.parametrize(
    "text",
    [
        "'" * 200_000,
        "<a " * 70_000,
        "<a" + " on" * 70_000,
        "../" * 70_000,
        "`" + "a" * 200_000,
        "; " * 100_000,
        "' or " * 40_000,
        "union " * 35_000,
        "rm  " * 50_000,
        "$(" * 100_000,
        "%2e" * 70_000,
        "\\" * 200_000,
        "select" + " " * 200_000 + "x",
    ],
)
def test_a63_no_text_holds_a_detector_up(text):
    begun = time.monotonic()
    look_into({"a": text, "b": [text] * 20})

    assert time.monotonic() - begun < 1.0


@pytest.mark.django_db
@pytest.mark.parametrize("text", HONEST)
def test_honest_text_is_taken_kept_and_shown_as_it_was_written(client, text):
    owner = UserFactory()
    project = ProjectFactory(owner=owner)
    conversation = start(actors.member(owner), project)
    client.force_login(owner)
    path = f"/api/v1/conversations/{conversation.pk}/"

    posted = client.post(f"{path}messages/", {"content": text}, content_type="application/json")
    title = " ".join(text.split())
    renamed = client.patch(path, {"title": title}, content_type="application/json")

    assert (posted.status_code, renamed.status_code) == (202, 200)
    assert Message.objects.get(role="user").content == text
    assert Conversation.objects.get().title == title
    assert client.get(path).json()["title"] == title


@pytest.mark.django_db
def test_what_looks_like_an_attack_is_counted_logged_and_told_once_without_its_words(client, caplog):
    owner = UserFactory()
    project = ProjectFactory(owner=owner)
    client.force_login(owner)
    secret = "' OR 'canary7f3a'='canary7f3a"

    with caplog.at_level(logging.WARNING, "apps.core.suspicions"):
        for _n in range(3):
            answer = client.patch(f"/api/v1/projects/{project.pk}/", {"name": secret}, content_type="application/json")

    project.refresh_from_db()
    assert (answer.status_code, project.name) == (200, secret)
    row = SuspicionCount.objects.get()
    assert (row.kind, row.door, row.actor_id, row.count) == (
        "sql",
        "PATCH /api/v1/projects/{uuid:project_id}/",
        owner.pk,
        3,
    )
    event = Event.objects.get(type="core.suspicion_noted")
    assert event.payload == {"kind": "sql", "door": row.door}
    records = [record for record in caplog.records if record.getMessage() == "suspicious_input"]
    assert [(record.kind, record.door, record.actor) for record in records] == [("sql", row.door, str(owner.pk))] * 3
    assert not any("canary" in str(vars(record)) for record in records)


@pytest.mark.django_db
def test_pages_and_their_addresses_are_looked_at_and_passwords_are_not(client):
    client.get("/accounts/login/", {"next": "javascript:alert(1)"})
    form = urlencode({"login": "' or 1=1", "password": "<script>"})
    client.post("/accounts/login/", form, content_type="application/x-www-form-urlencoded")

    counts = SuspicionCount.objects.order_by("kind").values_list("kind", "door", "actor_id", "count")
    assert list(counts) == [("markup", "GET /accounts/login/", None, 1), ("sql", "POST /accounts/login/", None, 1)]


@pytest.mark.django_db
def test_operators_see_the_counts(client):
    suspicions.note([Suspicion.MARKUP], door="GET /x/")
    client.force_login(UserFactory(is_staff=True, is_superuser=True))

    page = client.get("/admin/core/suspicioncount/")

    assert page.status_code == 200
    assert "GET /x/" in page.content.decode()
