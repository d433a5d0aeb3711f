import socket
import threading
import time
from concurrent.futures import Future

import pytest
from django.db import connection
from django.db.models.functions import Now

from apps.core import health, redis, vital_signs
from apps.core.doors.health import Health, HealthCheck, health_checks
from apps.core.doors.metrics import Gauge, metrics
from apps.core.models import ProcessHeartbeat

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def examiner(monkeypatch):
    monkeypatch.setattr(health, "_examiner", health.Examiner())
    monkeypatch.setattr(redis, "_rest_until", 0.0)


@pytest.fixture
def workers():
    for role in vital_signs.WORKER_ROLES:
        ProcessHeartbeat.objects.create(name=f"{role}@here:1", role=role, seen_at=Now())


def test_healthz_asks_nobody(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        answer = client.get("/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert client.get("/health").json() == {"status": "ok"}


def test_ready_when_everything_answers(client, workers):
    answer = client.get("/readyz")

    body = answer.json()
    assert (answer.status_code, body["status"]) == (200, "ready"), body
    assert {"database", "redis", "workers", "clock", "key_file", "loop_lag"} <= set(body["checks"])
    assert all(check["ok"] for check in body["checks"].values())


def test_not_ready_without_workers(client):
    ProcessHeartbeat.objects.create(name="jobs@here:1", role="jobs", seen_at=Now())
    with connection.cursor() as cursor:
        cursor.execute("UPDATE core_processheartbeat SET seen_at = clock_timestamp() - interval '16 s'")

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert answer.json()["checks"]["workers"]["detail"] == "missing: interactive, calls, jobs"


def test_redis_that_swallows_packets_is_noticed_in_time(client, workers, settings, monkeypatch):
    """A socket that accepts and never answers: what a black hole looks like to a client."""
    with socket.create_server(("127.0.0.1", 0)) as hole:
        settings.REDIS_URL = f"redis://127.0.0.1:{hole.getsockname()[1]}/0"
        started = time.monotonic()
        answer = client.get("/readyz")
        took = time.monotonic() - started
        redis.client().close()

    assert answer.status_code == 503
    redis_check = answer.json()["checks"]["redis"]
    assert (redis_check["ok"], redis_check["milliseconds"]) == (False, pytest.approx(2000, abs=500))
    assert redis_check["detail"] in {"no answer", "TimeoutError"}
    assert answer.json()["checks"]["database"]["ok"] is True
    assert took < 5


def test_hanging_check_is_not_started_twice():
    starts = []
    release = threading.Event()

    def hang():
        starts.append(1)
        release.wait(10)
        return Health(is_healthy=True)

    examiner = health.Examiner()
    check = HealthCheck("hangs", hang)
    try:
        assert not examiner.examine([check])[0].is_healthy
        time.sleep(health.FRESH_SECONDS)
        assert not examiner.examine([check])[0].is_healthy
    finally:
        release.set()

    assert starts == [1]
    assert isinstance(examiner._running["hangs"][1], Future)


def test_registered_check_that_is_not_critical_does_not_decide(client, workers, monkeypatch):
    check = HealthCheck("extra", lambda: Health(is_healthy=False, detail="cold"), is_critical=False)
    monkeypatch.setitem(health_checks._items, "extra", check)

    answer = client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json()["checks"]["extra"]["ok"] is False


def test_metrics_are_read_from_the_door(client, workers, monkeypatch):
    monkeypatch.setitem(metrics._items, "t_ok", Gauge("t_ok", "Help.", ("kind",), lambda: [(("a",), 3.0)]))
    monkeypatch.setitem(metrics._items, "t_broken", Gauge("t_broken", "Help.", (), lambda: 1 / 0))

    text = client.get("/metrics").content.decode()

    assert 't_ok{kind="a"} 3.0' in text
    assert 'parlance_workers{role="jobs"} 1.0' in text
    assert "parlance_events_unsequenced 0.0" in text
    assert 'parlance_gauges_failed{gauge="t_broken"} 1.0' in text
    assert "django_http_requests" in text


def test_metrics_are_for_this_machine_or_the_token(client, settings):
    assert client.get("/metrics", REMOTE_ADDR="10.1.2.3").status_code == 404
    assert client.get("/metrics", REMOTE_ADDR="127.0.0.1", headers={"X-Forwarded-For": "10.1.2.3"}).status_code == 404
    settings.PARLANCE_METRICS_TOKEN = "t0ken"
    wrong = client.get("/metrics", REMOTE_ADDR="10.1.2.3", headers={"Authorization": "Bearer nope"})
    right = client.get("/metrics", REMOTE_ADDR="10.1.2.3", headers={"Authorization": "Bearer t0ken"})
    assert (wrong.status_code, right.status_code) == (404, 200)
