"""A line of requests before an application that answers when it is told to."""

import asyncio
import json

from apps.core import turnstile
from apps.core.turnstile import MOST_WAITING, PLACES, WIDER, Turnstile


class Desk:
    """An application: notes who came in, answers each when ``answer`` is called for it."""

    def __init__(self):
        self.inside: list[int] = []
        self.told: dict[int, asyncio.Event] = {}

    async def __call__(self, scope, receive, send):
        number = scope["number"]
        self.inside.append(number)
        self.told[number] = asyncio.Event()
        await self.told[number].wait()
        if scope.get("breaks"):
            raise ConnectionError
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await scope["stays"].wait()
        await send({"type": "http.response.body", "body": b""})


class Crowd:
    def __init__(self):
        self.desk = Desk()
        self.line = Turnstile(self.desk)
        self.stays = asyncio.Event()
        self.sent: dict[int, list[dict]] = {}
        self.tasks: dict[int, asyncio.Task] = {}

    async def come(self, numbers, *, path="/", **more):
        for number in numbers:
            sent = self.sent[number] = []

            async def send(message, sent=sent):
                sent.append(message)

            scope = {"path": path, "number": number, "stays": self.stays, **more}
            self.tasks[number] = asyncio.create_task(self.line(scope, None, send))
        await asyncio.sleep(0.01)

    async def answer(self, number):
        self.desk.told[number].set()
        await asyncio.sleep(0.01)

    async def go(self):
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


def test_line_lets_in_as_many_as_there_are_places_and_the_next_when_an_answer_begins():
    async def scene():
        crowd = Crowd()
        await crowd.come(range(PLACES + 2))
        first = list(crowd.desk.inside)
        await crowd.answer(1)  # its body goes on
        second = list(crowd.desk.inside)
        await crowd.go()
        return first, second

    first, second = asyncio.run(scene())

    assert first == list(range(PLACES))
    assert second == [*range(PLACES), PLACES]


def test_line_stays_as_narrow_while_an_answer_streams(monkeypatch):
    monkeypatch.setattr(turnstile, "SLOW_SECONDS", 0.1)

    async def scene():
        crowd = Crowd()
        await crowd.come([0])
        await crowd.answer(0)  # its body goes on
        await asyncio.sleep(0.15)
        await crowd.come(range(1, PLACES + 2))
        inside = list(crowd.desk.inside)
        await crowd.go()
        return inside

    assert asyncio.run(scene()) == list(range(PLACES + 1))


def test_line_gives_places_back_of_requests_that_fail_or_are_given_up():
    async def scene():
        crowd = Crowd()
        await crowd.come(range(PLACES), breaks=True)
        await crowd.come(range(PLACES, PLACES + 3))
        crowd.tasks[PLACES].cancel()  # in the line
        crowd.tasks[0].cancel()  # at the desk
        await crowd.answer(1)
        inside = list(crowd.desk.inside)
        await crowd.go()
        return inside, crowd.line._waiting

    inside, waiting = asyncio.run(scene())

    assert inside == [*range(PLACES), PLACES + 1, PLACES + 2]
    assert waiting == 0


def test_line_passes_by_those_that_take_long_and_becomes_narrow_again(monkeypatch):
    monkeypatch.setattr(turnstile, "SLOW_SECONDS", 0.3)
    many = PLACES * WIDER

    async def scene():
        crowd = Crowd()
        await crowd.come(range(PLACES + many + 1))
        at_once = list(crowd.desk.inside)
        await asyncio.sleep(0.35)
        later = list(crowd.desk.inside)
        for number in range(PLACES + many):
            crowd.desk.told[number].set()
        await asyncio.sleep(0.01)
        crowd.desk.told[PLACES + many].set()
        await asyncio.sleep(0.01)
        crowd.desk.inside.clear()
        await crowd.come(range(100, 100 + PLACES + 1))
        afterwards = list(crowd.desk.inside)
        await crowd.go()
        return at_once, later, afterwards

    at_once, later, afterwards = asyncio.run(scene())

    assert at_once == list(range(PLACES))
    assert later == list(range(PLACES + many))
    assert afterwards == list(range(100, 100 + PLACES))


def test_line_refuses_who_waits_too_long_or_finds_it_full(monkeypatch):
    monkeypatch.setattr(turnstile, "WAIT_SECONDS", 0.05)
    monkeypatch.setattr(turnstile, "SLOW_SECONDS", 60)
    last = PLACES + MOST_WAITING

    async def scene():
        crowd = Crowd()
        await crowd.come(range(last + 1))
        full = crowd.sent[last]
        await asyncio.sleep(0.3)
        waited = crowd.sent[last - 1]
        await crowd.go()
        return full, waited, len(crowd.desk.inside)

    full, waited, inside = asyncio.run(scene())

    for sent in (full, waited):
        assert sent[0]["status"] == 503
        assert (b"retry-after", b"2") in sent[0]["headers"]
        assert json.loads(sent[1]["body"])["code"] == "unavailable"
    assert inside == PLACES


def test_health_is_told_past_the_line():
    async def scene():
        crowd = Crowd()
        await crowd.come(range(PLACES + 1))
        await crowd.come([100], path="/healthz")
        inside = list(crowd.desk.inside)
        await crowd.go()
        return inside

    assert asyncio.run(scene()) == [*range(PLACES), 100]
