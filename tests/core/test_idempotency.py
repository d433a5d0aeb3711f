"""``Idempotency-Key`` through a real view (drill D26)."""

import threading
import time

import pytest
from django.db import connection
from django.test import Client
from django.urls import path
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.response import Response

from apps.core import errors, idempotency, key_rotation
from apps.core.api import APIView
from apps.core.ids import uuid7
from apps.core.models import IdempotencyKey, KeyCheck, Topic
from apps.core.types import SystemActor

pytestmark = pytest.mark.django_db(transaction=True)

ONE, TWO = uuid7(), uuid7()


class AsHeaderSays(BaseAuthentication):
    def authenticate(self, request):
        who = {"one": ONE, "two": TWO}.get(request.headers.get("X-Who"))
        request._request.actor = request.actor = SystemActor(kind="member", user_id=who)
        return request.actor, None


class ThingsView(APIView):
    authentication_classes = [AsHeaderSays]
    permission_classes = [AllowAny]
    effects: list = []

    def post(self, request):
        if request.data.get("fail"):
            raise errors.Invalid
        time.sleep(request.data.get("seconds", 0.1))
        self.effects.append(request.data)
        return Response({"number": len(self.effects)}, status=201, headers={"Location": "/things/1"})


urlpatterns = [path("things/", ThingsView.as_view()), path("others/", ThingsView.as_view())]


@pytest.fixture(autouse=True)
def routes(settings):
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = []
    ThingsView.effects = []


def post(key, body, *, who="one", where="/things/"):
    headers = {"Idempotency-Key": key, "X-Who": who} if key else {"X-Who": who}
    return Client().post(where, body, content_type="application/json", headers=headers)


def test_work_that_outlasts_the_lease_is_not_done_twice(monkeypatch):
    monkeypatch.setattr(idempotency, "LEASE_SECONDS", 0.6)
    monkeypatch.setattr(idempotency, "RENEW_SECONDS", 0.1)
    long = {"seconds": 2}
    answers = []
    first = threading.Thread(target=lambda: (answers.append(post("long", long)), connection.close()))
    first.start()
    while not IdempotencyKey.objects.exists():
        time.sleep(0.01)
    time.sleep(1)

    again = post("long", long)
    first.join()

    assert len(ThingsView.effects) == 1
    assert (again.status_code, again.headers.get("Idempotent-Replayed")) == (201, "true")
    assert again.content == answers[0].content


def test_twenty_parallel_equal_requests_have_one_effect_and_twenty_equal_answers():
    answers = []
    start = threading.Barrier(20)

    def send():
        start.wait()
        answers.append(post("k1", {"name": "a"}))
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert ThingsView.effects == [{"name": "a"}]
    assert {(a.status_code, a.content, a["Location"], a["Content-Type"]) for a in answers} == {
        (201, b'{"number":1}', "/things/1", "application/json")
    }
    assert sum("Idempotent-Replayed" in a for a in answers) == 19


def test_same_key_with_another_body_is_refused():
    post("k1", {"name": "a"})

    answer = post("k1", {"name": "b"})

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert len(ThingsView.effects) == 1


def test_keys_of_two_people_and_of_two_routes_never_meet():
    post("k1", {"name": "a"})
    post("k1", {"name": "b"}, who="two")
    post("k1", {"name": "c"}, where="/others/")

    assert [effect["name"] for effect in ThingsView.effects] == ["a", "b", "c"]


def test_failed_request_frees_its_key():
    assert post("k1", {"fail": True}).status_code == 400
    assert post("k1", {"name": "a"}).status_code == 201


def test_request_of_nobody_keeps_no_answer():
    post("k1", {"name": "a"}, who="nobody")

    assert not IdempotencyKey.objects.exists()


def test_without_a_key_each_request_has_its_effect():
    post(None, {"name": "a"})
    post(None, {"name": "a"})

    assert len(ThingsView.effects) == 2


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\tbed"])
def test_malformed_key_is_refused(key):
    answer = Client().post(
        "/things/", {}, content_type="application/json", headers={"Idempotency-Key": key, "X-Who": "one"}
    )

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "Idempotency-Key")
    assert ThingsView.effects == []


def hold(key):
    post(key, {"name": "a"})
    ThingsView.effects.clear()
    IdempotencyKey.objects.update(status=None, body="", lease_until=idempotency.until(60))


def test_request_in_progress_is_told_to_come_back(settings):
    hold("k1")
    settings.PARLANCE_TIME_SCALE = 0.01

    answer = post("k1", {"name": "a"})

    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (409, "idempotency_in_progress", "1")
    assert ThingsView.effects == []


def test_key_of_a_process_that_died_is_taken_over():
    hold("k1")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE core_idempotencykey SET lease_until = clock_timestamp() - interval '1 s'")

    assert post("k1", {"name": "a"}).status_code == 201
    assert len(ThingsView.effects) == 1


def test_kept_answer_is_sealed_and_forgotten_after_a_day():
    post("k1", {"name": "a"})

    assert "number" not in IdempotencyKey.objects.get().body
    idempotency.forget_expired()
    assert IdempotencyKey.objects.count() == 1
    with connection.cursor() as cursor:
        cursor.execute("UPDATE core_idempotencykey SET expires_at = clock_timestamp() - interval '1 s'")
    idempotency.forget_expired()
    assert not IdempotencyKey.objects.exists()
    assert not Topic.objects.exists()


def test_kept_answer_is_given_again_after_its_key_is_gone(settings, tmp_path):
    KeyCheck.objects.all().delete()
    settings.PARLANCE_KEYS_FILE = str(tmp_path / "keys.json")
    first = post("k1", {"name": "a"})

    key_rotation.rotate()
    assert key_rotation.retire() == {"k1"}

    again = post("k1", {"name": "a"})
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert IdempotencyKey.objects.get().body.startswith("v1:k2:")
