"""Processes whose clock is an hour fast: what is leased goes by the database's clock, and each says what is wrong with its own."""

import httpx
import pytest

from tests.faults.drill import ENV, Talker, invariants, is_beginning, seed, slow, wait_until
from tests.provider.fixtures import provider, running_provider
from tests.stack import Stack

__all__ = ["provider", "running_provider"]

pytestmark = pytest.mark.timeout(300)

HOUR = 3600


@pytest.fixture(scope="module")
def stack():
    clocks = {"web-2": HOUR, "interactive-2": HOUR}
    with Stack(env=ENV, webs=2, interactives=2, clocks=clocks) as running:
        yield running


@pytest.fixture
def talker(stack, provider):
    talking = Talker(stack, seed(stack, provider)[0])
    yield talking
    talking.close()


def test_process_says_that_its_clock_is_wrong(stack):
    right, wrong = (httpx.get(f"{stack.url_of(name)}/readyz", timeout=30).json() for name in ("web", "web-2"))

    assert right["checks"]["clock"]["ok"] is True
    assert wrong["checks"]["clock"]["ok"] is False
    assert wrong["checks"]["clock"]["detail"].startswith(("3599.", "3600."))


def test_who_is_an_hour_ahead_takes_nobody_s_turn(stack, talker, provider):
    stack.kill("interactive-2")
    posted = talker.say(slow(60, 40))
    reading = talker.read(posted)
    wait_until(lambda: reading.text, 30, "the first words")
    stack.start("interactive-2")

    turn = talker.until_final(posted, 60)

    assert (turn["status"], turn["reason"]) == ("completed", None)
    assert sum(bool(body.get("stream")) for body in provider.bodies) == 1
    invariants(stack)


def test_who_is_an_hour_ahead_answers_alone(stack, talker, provider):
    stack.kill("interactive")
    try:
        posted = talker.say("[[stub tokens=5]] Anybody here?")
        turn = talker.until_final(posted, 30)
        assert turn["status"] == "completed"
    finally:
        stack.start("interactive")
    invariants(stack)


def test_turn_of_a_lost_worker_ends_although_the_clocks_differ(stack, talker, provider):
    stack.kill("interactive-2")
    posted = talker.say(slow(400, 20))
    reading = talker.read(posted)
    wait_until(lambda: reading.text.count(" ") >= 5, 30, "five words")
    stack.start("interactive-2")

    stack.kill("interactive")
    try:
        turn = talker.until_final(posted, 60)
    finally:
        stack.start("interactive")

    assert (turn["status"], turn["reason"]) == ("interrupted", "worker_lost")
    assert is_beginning(talker.answer(posted)["content"], 400)
    invariants(stack)
