import threading
import uuid

import pytest
from django.db import connection

from apps.accounts import limits
from apps.core.errors import LimitReached, Unavailable
from tests.accounts.factories import ProjectFactory, UserFactory, bearer, key_of


def in_parallel(count, call):
    barrier = threading.Barrier(count)
    outcomes = []

    def run():
        barrier.wait()
        try:
            outcomes.append(call())
        except LimitReached:
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_two_hundred_parallel_calls_take_exactly_what_fits():
    subject = uuid.uuid4()

    outcomes = in_parallel(200, lambda: limits.take("test", subject, rate=0.001, burst=20) and "taken")

    assert outcomes.count("taken") == 20
    assert outcomes.count("refused") == 180


def test_refusal_says_when_to_come_back():
    subject = uuid.uuid4()
    limits.take("test", subject, rate=0.5, burst=1)

    with pytest.raises(LimitReached) as refused:
        limits.take("test", subject, rate=0.5, burst=1)

    assert refused.value.headers == {
        "Retry-After": "2",
        "RateLimit-Limit": "1",
        "RateLimit-Remaining": "0",
        "RateLimit-Reset": "2",
    }


def test_call_that_one_bucket_refuses_costs_the_others_nothing():
    full, empty = uuid.uuid4(), uuid.uuid4()
    limits.take("test", empty, rate=0.001, burst=1)
    buckets = [limits.Bucket("test", subject, limits.Limit(0.001, 1)) for subject in (full, empty)]

    with pytest.raises(LimitReached):
        limits.take_from(buckets)

    assert limits.take("test", full, rate=0.001, burst=1).remaining == 0


def test_tokens_come_back():
    subject = uuid.uuid4()
    limits.take("test", subject, rate=1000, burst=1)
    threading.Event().wait(0.01)

    assert limits.take("test", subject, rate=1000, burst=1).remaining == 0


def test_without_redis_it_is_open_unless_told_otherwise(no_redis):
    assert limits.take("test", "a", rate=1, burst=1).is_known is False
    with pytest.raises(Unavailable):
        limits.take("test", "a", rate=1, burst=1, without_redis="closed")


@pytest.mark.django_db
def test_api_call_beyond_the_limit_gets_429_and_changes_nothing(client, settings):
    settings.PARLANCE_LIMITS = {"writes": (0.001, 2), "reads": (0.001, 50)}
    user = UserFactory()
    project = ProjectFactory(owner=user)
    headers = bearer(key_of(user, project.organization))
    path = f"/api/v1/projects/{project.pk}/"

    answers = [
        client.patch(path, {"name": f"N{n}"}, content_type="application/json", headers=headers) for n in range(3)
    ]
    read = client.get(path, headers=headers)

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["code"] == "limit_reached"
    assert answers[2]["RateLimit-Remaining"] == "0"
    assert int(answers[2]["Retry-After"]) > 0
    assert (read.json()["name"], read["RateLimit-Limit"], read["RateLimit-Remaining"]) == ("N1", "50", "49")


@pytest.mark.django_db
def test_api_answers_while_redis_is_away(client, settings, no_redis):
    settings.PARLANCE_LIMITS = {"writes": (10, 20), "reads": (10, 20)}
    user = UserFactory()
    project = ProjectFactory(owner=user)

    answer = client.get(f"/api/v1/projects/{project.pk}/", headers=bearer(key_of(user, project.organization)))

    assert answer.status_code == 200
