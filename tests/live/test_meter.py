"""Frames of all sockets are settled with the limiter that HTTP uses."""

import asyncio
from uuid import uuid4

import pytest

from apps.accounts.types import Actor, ActorKind
from apps.core.errors import LimitReached
from apps.live.meter import SETTLE_SECONDS, Meter

TEN = {"person": (0.001, 10), "key": (0.001, 10), "organization": (0.001, 100), "address": (0.001, 10)}


@pytest.fixture
async def meter(settings):
    settings.PARLANCE_LIMITS = TEN
    made = Meter()
    yield made
    await made.close()


def person():
    return Actor(kind=ActorKind.MEMBER, user_id=uuid4())


async def settled():
    await asyncio.sleep(SETTLE_SECONDS * 2)


async def test_frames_of_all_sockets_of_a_person_count_together_and_their_neighbour_alone(meter):
    one, other = person(), person()
    for _n in range(60):  # from two sockets, at two addresses
        assert meter.count(one, "192.0.2.1") is None
        assert meter.count(one, "192.0.2.2") is None
    await settled()
    meter.count(one, "192.0.2.1")
    meter.count(one, "192.0.2.2")
    await settled()

    refusals = [meter.count(one, "192.0.2.1"), meter.count(one, "192.0.2.2")]

    assert [refusal for refusal in refusals if refusal is not None]
    refusal = next(refusal for refusal in refusals if refusal is not None)
    assert isinstance(refusal, LimitReached)
    assert (refusal.extra["limit"], refusal.extra["most"], refusal.extra["reason"]) == ("person", 10, "rate")
    assert meter.count(other, "192.0.2.1") is None


async def test_a_reconnect_of_all_pages_of_a_person_passes(meter):
    """Five pages that follow four topics each, and say that somebody is here."""
    one = person()

    assert [meter.count(one, "192.0.2.1") for _n in range(25)] == [None] * 25
    await settled()
    assert meter.count(one, "192.0.2.1") is None


async def test_without_limits_or_redis_frames_pass(meter, no_redis, settings):
    one = person()
    for _n in range(500):
        assert meter.count(one, None) is None
    await settled()
    assert meter.count(one, None) is None

    settings.PARLANCE_LIMITS = {}
    assert meter.count(one, None) is None
