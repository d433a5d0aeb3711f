"""A13: share links that have ended, and what was said after the sharing."""

import re
import secrets
import statistics
import time
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accounts.models import Project, User
from apps.accounts.types import SYSTEM
from apps.conversations import services, visitors
from apps.conversations.models import Conversation, Message, ShareLink
from apps.conversations.types import TurnStatus
from apps.core import limits, preferences
from apps.core.doors.settings import Level
from tests.accounts.factories import ProjectFactory
from tests.attacks.caller import Client, own_folder
from tests.conversations.factories import answer, say, someone, start
from tests.files import samples
from tests.files.factories import upload

__all__ = ["own_folder"]

pytestmark = pytest.mark.django_db


class Shared:
    def __init__(self):
        self.project = ProjectFactory()
        self.owner = someone(self.project)
        self.conversation = start(self.owner, self.project, title="Secret talk", visibility="link")
        self.file = self.upload("shown.png")
        answer(say(self.owner, self.conversation, "shown words", attachments=[self.file.pk]), "shown answer")
        made = services.make_link(actor=self.owner, conversation_id=self.conversation.pk)
        self.link, self.token = made.link, made.token

    def upload(self, name):
        return upload(User.objects.get(pk=self.owner.user_id), self.project, samples.image(), name)


@pytest.fixture
def shared(db):
    return Shared()


def addresses(token, file_id):
    return [
        f"/s/{token}/",
        f"/api/v1/shared/{token}/",
        f"/s/{token}/files/{file_id}/",
        f"/s/{token}/files/{file_id}/preview/",
    ]


def told(response, token):
    """All that somebody could compare, without the token itself and what is drawn anew for each answer."""
    body = b"".join(response.streaming_content) if response.streaming else response.content
    text = re.sub(r'(csrf[^>]*value|nonce|content)="[A-Za-z0-9_+/=-]{16,}"', "", body.decode("utf-8", "replace"))
    text = re.sub(r"'nonce-[^']*'|[0-9a-f]{8}-?[0-9a-f-]{23,}", "", text).replace(token, "")
    headers = {
        name: value for name, value in response.headers.items() if name not in {"X-Request-ID", "Content-Length"}
    }
    headers["Content-Security-Policy"] = re.sub(r"'nonce-[^']*'", "", headers.get("Content-Security-Policy", ""))
    return response.status_code, text, headers


def revoke(shared):
    services.withdraw_link(actor=shared.owner, conversation_id=shared.conversation.pk, link_id=shared.link.pk)


def expire(shared):
    ShareLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))


def delete(shared):
    services.delete_conversation(actor=shared.owner, conversation_id=shared.conversation.pk)


def close(shared):
    services.change_conversation(
        actor=shared.owner, conversation_id=shared.conversation.pk, changes={"visibility": "project"}
    )


def switch_off(shared):
    preferences.change_setting(
        actor=SYSTEM,
        key="conversations.share_links",
        level=Level.ORGANIZATION,
        target_id=shared.project.organization_id,
        value=False,
    )
    preferences.forget_kept()


def delete_project(_shared):
    Project.objects.update(deleted_at=timezone.now())


KEPT = pytest.mark.in_process("a process keeps settings for some seconds")
ENDS = [revoke, expire, delete, close, pytest.param(switch_off, marks=KEPT), delete_project]


@pytest.mark.parametrize("end", ENDS)
def test_a13_link_that_has_ended_is_like_a_random_one(shared, end):
    for address in addresses(shared.token, shared.file.pk):
        assert Client().get(address).status_code == 200, address

    end(shared)

    random = secrets.token_urlsafe(32)
    for ended, unknown in zip(addresses(shared.token, shared.file.pk), addresses(random, shared.file.pk), strict=True):
        answered, expected = told(Client().get(ended), shared.token), told(Client().get(unknown), random)
        assert answered == expected, ended
        assert answered[0] == 404
        assert answered[2]["Cache-Control"] == "no-store", ended


@pytest.mark.in_process("queries are counted")
def test_a13_ended_and_random_links_take_the_same_work_and_time(shared):
    revoke(shared)
    tokens = {"ended": shared.token, "random": secrets.token_urlsafe(32)}
    queries, seconds = {}, {"ended": [], "random": []}
    Client().get(f"/api/v1/shared/{secrets.token_urlsafe(32)}/")

    for name, token in tokens.items():
        with CaptureQueriesContext(connection) as captured:
            Client().get(f"/api/v1/shared/{token}/")
        queries[name] = [re.sub(r"'[^']*'", "", row["sql"]) for row in captured]
    for _round in range(15):
        for name, token in tokens.items():
            begun = time.perf_counter()
            Client().get(f"/api/v1/shared/{token}/")
            seconds[name].append(time.perf_counter() - begun)

    assert queries["ended"] == queries["random"]
    assert abs(statistics.median(seconds["ended"]) - statistics.median(seconds["random"])) < 0.05


def test_a13_what_came_after_the_sharing_is_absent(shared):
    later_file = shared.upload("later.png")
    answer(say(shared.owner, shared.conversation, "later words", attachments=[later_file.pk]), "later answer")
    first = Message.objects.get(conversation=shared.conversation, number=1)
    services.edit_message(actor=shared.owner, message_id=first.pk, content="edited words")

    told_to_all = [Client().get(f"/s/{shared.token}/"), Client().get(f"/api/v1/shared/{shared.token}/")]

    for answered in told_to_all:
        text = answered.content.decode()
        assert "shown words" in text
        assert "later" not in text.replace("later is not here", "")
        assert "edited words" not in text
    for address in addresses(shared.token, later_file.pk)[2:]:
        assert Client().get(address).status_code == 404
    assert Client().get(f"/s/{shared.token}/?after=2").status_code == 200
    assert Client().get(f"/api/v1/shared/{shared.token}/?after=2").json()["messages"] == []


def test_a13_deleted_and_continued_messages_are_absent(shared):
    stopped = answer(say(shared.owner, shared.conversation, "go on"), "half an ans", status=TurnStatus.STOPPED)
    services.renew_link(actor=shared.owner, conversation_id=shared.conversation.pk, link_id=shared.link.pk)
    assert "half an ans" in Client().get(f"/s/{shared.token}/").content.decode()

    answer(services.continue_answer(actor=shared.owner, message_id=stopped.pk), "half an answer and secrets")
    first = Message.objects.get(conversation=shared.conversation, number=1)
    services.delete_message(actor=shared.owner, message_id=first.pk)

    text = Client().get(f"/s/{shared.token}/").content.decode()
    assert "secrets" not in text
    assert "shown words" not in text
    assert "shown answer" in text
    assert Client().get(f"/s/{shared.token}/files/{shared.file.pk}/").status_code == 404


def test_a13_token_opens_nothing_else(shared):
    other = start(shared.owner, shared.project, title="Other", visibility="link")
    file = shared.upload("other.png")
    answer(say(shared.owner, other, "other words", attachments=[file.pk]), "other answer")

    for headers in ({"Authorization": f"Bearer {shared.token}"}, {"X-API-Key": shared.token}):
        assert Client(headers=headers).get("/api/v1/conversations/").status_code == 401
        assert Client(headers=headers).get(f"/api/v1/conversations/{shared.conversation.pk}/").status_code == 401
    for address in addresses(shared.token, file.pk)[2:] + addresses(shared.token, uuid4())[2:]:
        assert Client().get(address).status_code == 404
    for method in ("post", "put", "patch", "delete"):
        for address in addresses(shared.token, shared.file.pk):
            assert getattr(Client(), method)(address).status_code in {403, 405}, (method, address)
    assert Conversation.objects.get(pk=shared.conversation.pk).version == shared.conversation.version


@pytest.mark.in_process("another limit")
def test_a13_readers_are_limited_by_address(shared, settings, monkeypatch):
    settings.PARLANCE_LIMITS = {"address": (50, 200)}
    monkeypatch.setattr(visitors, "READERS", limits.Limit(0.01, 3))

    reader = f"10.{secrets.randbelow(256)}.{secrets.randbelow(256)}.9"
    found = [Client(REMOTE_ADDR=reader).get(f"/s/{secrets.token_urlsafe(32)}/").status_code for _each in range(5)]

    assert found == [404, 404, 404, 429, 429]
