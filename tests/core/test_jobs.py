"""Hints: what travels, and what their absence costs."""

import json
import time

import pytest
import redis as redis_library
from django.conf import settings as django_settings
from django.db import transaction

from apps.core import jobs, limits, mail, redis
from apps.core.correlation import caused_by
from apps.core.ids import uuid7


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(jobs, "_away_until", 0.0)
    redis.client().delete(redis.key("jobs"), redis.key("calls"))


def waiting(queue="jobs"):
    return [json.loads(raw) for raw in redis.client().lrange(redis.key(queue), 0, -1)]


def test_hint_carries_ids_and_the_correlation_id():
    pk = uuid7()

    with caused_by("cause-1234"):
        assert jobs.hint(mail.SEND, mail_id=pk) is True

    (message,) = waiting()
    assert message["headers"]["task"] == "core.send_mail"
    assert f'{{"mail_id": "{pk}", "_correlation_id": "cause-1234"}}' in message["headers"]["kwargsrepr"].replace(
        "'", '"'
    )


@pytest.mark.django_db(transaction=True)
def test_hint_is_sent_after_the_commit_and_never_after_a_rollback():
    with transaction.atomic():
        jobs.after_commit(mail.SEND, mail_id=uuid7())
        assert waiting() == []
    assert len(waiting()) == 1

    with transaction.atomic():
        jobs.after_commit(mail.SEND, mail_id=uuid7())
        transaction.set_rollback(True)
    assert len(waiting()) == 1


@pytest.mark.django_db
def test_unknown_job_fails_in_the_test_of_the_service():
    with pytest.raises(LookupError):
        jobs.after_commit("core.unknown", thing_id=uuid7())


def test_hint_without_redis_is_false_at_once_and_the_next_is_not_even_tried(monkeypatch):
    from config.celery import app

    away = app.conf.broker_url, app.pool
    app.conf.broker_url = "redis://127.0.0.1:1/0"
    app.set_current()
    app._pool = None
    app.amqp._producer_pool = None
    try:
        started = time.monotonic()
        assert jobs.hint(mail.SEND, mail_id=uuid7()) is False
        first = time.monotonic() - started
        assert jobs.hint(mail.SEND, mail_id=uuid7()) is False
        second = time.monotonic() - started - first
    finally:
        app.conf.broker_url = away[0]
        app._pool = None
        app.amqp._producer_pool = None

    assert first < 2
    assert second < 0.01


def test_stale_connection_is_replaced_within_one_hint():
    assert jobs.hint(mail.SEND, mail_id=uuid7())
    admin = redis_library.Redis.from_url(django_settings.REDIS_URL)
    for client in admin.client_list():
        if client["id"] != str(admin.client_id()):
            admin.client_kill_filter(_id=client["id"])
    admin.close()
    redis.client().connection_pool.disconnect()

    assert jobs.hint(mail.SEND, mail_id=uuid7()) is True
    assert len(waiting()) == 2


def test_task_beyond_its_limit_is_put_off_and_does_nothing_now(settings, caplog):
    settings.PARLANCE_LIMITS = {"person": (10, 20)}
    conversation, bucket = uuid7(), limits.Bucket("task", "conversations.write_title", limits.Limit(10, 20))
    redis.client().set(limits.halvings_key(), 3)  # an eighth: one and a quarter a second
    try:
        while limits.look_at(bucket).remaining:
            limits.take_from([bucket])
        with caplog.at_level("INFO", "apps.core.jobs"):
            jobs.find_job("conversations.write_title").task(
                conversation_id=str(conversation), _correlation_id="cause-1234"
            )
    finally:
        redis.client().delete(limits.halvings_key())

    (message,) = waiting("calls")
    assert message["headers"]["task"] == "conversations.write_title"
    assert str(conversation) in message["headers"]["kwargsrepr"]
    assert "cause-1234" in message["headers"]["kwargsrepr"]
    assert message["headers"]["eta"] is not None
    (record,) = [record for record in caplog.records if record.getMessage() == "job_put_off"]
    assert (record.job, record.limit, record.most, record.reason) == ("conversations.write_title", "task", 2, "load")
