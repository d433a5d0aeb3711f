"""Places for running answers: counted over processes, given back by whoever dies, and none while nobody can count."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest

from apps.core import redis
from apps.core.errors import Unavailable
from apps.gateway import limits
from apps.gateway.types import TooManyCalls
from tests.gateway.conftest import MODEL_BODY, seeded
from tests.stack import Stack


@pytest.fixture
def short(monkeypatch, settings):
    monkeypatch.setattr(limits, "PER_ORGANIZATION", 2)
    monkeypatch.setattr(limits, "LEASE_SECONDS", 0.6)
    monkeypatch.setattr(limits, "RENEW_SECONDS", 0.1)
    settings.PARLANCE_TIME_SCALE = 1.0


def taken(places, organization):
    place = places.ask(organization)
    try:
        place.take()
    except BaseException:
        place.free()
        raise
    return place


def soon(condition):
    deadline = time.monotonic() + 3
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_two_processes_share_the_places_of_an_organization(short):
    one, two, organization = limits.Places(), limits.Places(), uuid4()
    first = taken(one, organization)
    taken(two, organization)

    with pytest.raises(TooManyCalls):
        taken(one, organization)
    taken(one, uuid4())

    first.free()
    first.free()
    soon(lambda: redis.client().zcard(limits._key(organization)) == 1)
    taken(two, organization)


def test_held_place_is_renewed_and_that_of_the_dead_lapses(short, monkeypatch):
    organization = uuid4()
    alive, dead = limits.Places(), limits.Places()
    monkeypatch.setattr(dead, "_run", lambda: None)  # nobody renews for a process that was killed
    kept = taken(alive, organization)
    taken(dead, organization)

    time.sleep(0.8)

    taken(alive, organization)
    with pytest.raises(TooManyCalls):
        taken(alive, organization)
    kept.free()


def test_place_that_was_freed_while_it_was_taken_is_given_back(short):
    places, organization = limits.Places(), uuid4()
    place = places.ask(organization)
    place.free()

    place.take()

    soon(lambda: redis.client().zcard(limits._key(organization)) == 0)


def test_without_redis_there_is_no_place(short, no_redis):
    with pytest.raises(Unavailable):
        taken(limits.Places(), uuid4())


def test_limit_holds_over_two_web_processes(running_provider):
    running_provider.reset()
    running_provider.default(tokens=1000, rate=20)
    env = {
        "PARLANCE_ALLOW_PRIVATE_ADDRESSES": "127.0.0.1/32",
        "PARLANCE_LIMIT_PERSON": "500/500",
        "PARLANCE_LIMIT_KEY": "500/500",
    }
    with Stack(env=env, webs=2, interactives=0, jobs=0) as stack:
        headers = {"Authorization": f"Bearer {seeded(stack, running_provider)['key']}"}
        urls = [f"{stack.url_of(role)}/v1/chat/completions" for role in ("web", "web-2")]
        pool = httpx.Limits(max_connections=80)
        with httpx.Client(headers=headers, timeout=20, limits=pool) as http, ThreadPoolExecutor(30) as threads:
            requests = [http.build_request("POST", urls[number % 2], json=MODEL_BODY) for number in range(60)]
            answers = list(threads.map(lambda request: http.send(request, stream=True), requests))
            refused = [answer for answer in answers if answer.status_code != 200]

            assert {(answer.status_code, json.loads(answer.read())["error"]["code"]) for answer in refused} == {
                (429, "too_many_calls")
            }
            assert len(answers) - len(refused) == 50
            for answer in answers:
                answer.close()
