"""What the absence of Redis costs a caller."""

import socket
import time

import pytest
import redis as library
from django.core.cache import caches

from apps.core import jobs, mail, redis
from apps.core.ids import uuid7


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(redis, "_rest_until", 0.0)
    monkeypatch.setattr(jobs, "_away_until", 0.0)
    yield
    redis.client().close()


@pytest.fixture
def hole(settings):
    """Accepts connections and never answers: what dropped packets look like."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.REDIS_URL = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        yield server


def test_three_calls_into_a_black_hole_wait_once(hole):
    started = time.monotonic()

    for _number in range(3):
        with pytest.raises(redis.Away):
            redis.client().get("x")

    assert time.monotonic() - started < 3.5


def test_after_a_rest_redis_is_asked_again(hole, settings, monkeypatch):
    monkeypatch.setattr(redis, "REST_SECONDS", 0.1)
    with pytest.raises(redis.Away):
        redis.client().get("x")

    with pytest.raises(redis.Away):
        redis.client().get("x")
    assert redis.is_resting()
    time.sleep(0.15)
    assert not redis.is_resting()
    with pytest.raises(library.TimeoutError):
        redis.client().get("x")


def test_hint_is_not_tried_while_redis_rests():
    redis.rest()
    started = time.monotonic()

    assert jobs.hint(mail.SEND, mail_id=uuid7()) is False
    assert time.monotonic() - started < 0.1


def test_refused_connection_fails_at_once(settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    started = time.monotonic()

    with pytest.raises(library.ConnectionError):
        redis.client().get("x")

    assert time.monotonic() - started < 0.5
    assert not redis.is_resting()


async def test_async_client_waits_once_too(hole):
    started = time.monotonic()

    with pytest.raises(redis.Away):
        await redis.async_client().get("x")

    assert time.monotonic() - started < 3.5
    await redis.close_async()


def test_connection_from_before_a_restart_is_replaced():
    client = redis.client()
    client.set(redis.key("t"), "1", ex=5)
    client.client_kill_filter(_id=client.client_id(), skipme=False)

    assert client.get(redis.key("t")) == b"1"


def test_cache_keeps_its_retry():
    caches["default"].set("t", 1, 5)

    assert caches["default"].get("t") == 1
