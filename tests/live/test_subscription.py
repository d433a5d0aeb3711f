"""Hub, feed and subscription in one loop, with a socket that collects what it would send."""

import asyncio
import json
import random
from uuid import uuid4

import pytest

from apps.accounts.types import Actor, ActorKind
from apps.core import redis
from apps.core.db import in_thread
from apps.core.limits import Limit, Tokens
from apps.live import bells, feed
from apps.live.hub import find_kind, hub
from apps.live.outlet import Outlet
from apps.live.socket import Socket
from apps.live.streams import TurnStream
from apps.live.subscription import Subscription
from apps.llm.types import AppendText, OpenPart, PartType
from tests.live import rooms
from tests.live.client import Reader

pytestmark = pytest.mark.django_db(transaction=True)


class Page:
    """A socket without a network, read by the strict reader of the reference client."""

    def __init__(self, topic):
        self.reader = Reader(topic)
        self.actor = Actor(kind=ActorKind.MEMBER, user_id=uuid4())
        self.frames = []
        self.closed = []

    async def send(self, message):
        if message["type"] == "websocket.close":
            self.closed.append(message["code"])
            return
        frame = json.loads(message["text"])
        self.frames.append(frame)
        self.reader.take(frame)

    async def connect(self):
        self.closed.clear()
        self.socket = Socket(self.actor, "", Outlet(self.send), Tokens(Limit(100, 100)))
        self.subscription = Subscription(self.socket, self.reader.topic, *find_kind(self.reader.topic))
        return await self.subscription.open(self.reader.position, dict(self.reader.seqs))

    def drop(self):
        self.socket.subscriptions[self.reader.topic] = self.subscription
        self.socket.end()

    async def until(self, condition, seconds=5):
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_subscriber_gets_a_snapshot_and_then_every_event():
    _room, topic = rooms.new_room()
    await in_thread(rooms.change, topic, 1)
    page = Page(topic)
    assert await page.connect()

    for number in range(2, 6):
        await in_thread(rooms.change, topic, number)
        await asyncio.to_thread(bells.ring, topic)

    await page.until(lambda: page.reader.position == 5)
    assert page.frames[0] == {
        "type": "snapshot",
        "topic": topic,
        "topic_position": 1,
        "data": {"room": topic.removeprefix("room:")},
    }
    assert [event["data"]["number"] for event in page.reader.events] == [2, 3, 4, 5]
    assert {event["event"] for event in page.reader.events} == {"room.changed"}
    page.drop()


async def test_resume_gets_what_was_missed_without_a_snapshot():
    _room, topic = rooms.new_room()
    page = Page(topic)
    await page.connect()
    page.drop()
    for number in range(3):
        await in_thread(rooms.change, topic, number)

    await page.connect()

    await page.until(lambda: page.reader.position == 3)
    assert page.reader.snapshots == 1
    page.drop()


async def test_lost_bell_is_found_by_the_regular_look(settings):
    settings.PARLANCE_TIME_SCALE = 0.05
    _room, topic = rooms.new_room()
    page = Page(topic)
    await page.connect()

    await in_thread(rooms.change, topic, 1)

    await page.until(lambda: page.reader.position == 1)
    page.drop()


async def test_stranger_hears_nothing():
    _room, topic = rooms.new_room()
    page = Page(topic)
    redis.client().sadd(redis.key("denied"), str(page.actor.user_id))

    assert await page.connect() is False

    assert page.frames == []
    assert topic not in hub().feeds


async def test_revoked_follower_hears_nothing_more(settings):
    settings.PARLANCE_TIME_SCALE = 0.05
    _room, topic = rooms.new_room()
    page, other = Page(topic), Page(topic)
    await page.connect()
    await other.connect()
    stream = TurnStream.open(uuid4(), fence=1, topic=topic)
    stream.append([AppendText(0, "before")])
    await page.until(lambda: page.reader.text_of(stream.turn_id) == "before")

    redis.client().sadd(redis.key("denied"), str(page.actor.user_id))
    await asyncio.sleep(feed.FRESH_SECONDS * 0.05 * 1.2)
    stream.append([AppendText(0, " after")])
    await other.until(lambda: other.reader.text_of(stream.turn_id) == "before after")

    assert page.reader.text_of(stream.turn_id) == "before"
    assert page.frames[-1]["type"] == "error"
    assert page.frames[-1]["code"] == "not_found"
    other.drop()


async def test_rights_bell_revokes_at_once():
    _room, topic = rooms.new_room()
    page = Page(topic)
    await page.connect()

    redis.client().sadd(redis.key("denied"), str(page.actor.user_id))
    await asyncio.to_thread(bells.rights_changed, topic)

    await page.until(lambda: page.reader.errors)
    assert topic not in hub().feeds


async def test_kind_that_fails_at_its_words_leaves_the_ids(monkeypatch):
    _room, topic = rooms.new_room()
    page = Page(topic)
    await page.connect()
    monkeypatch.setattr(rooms.RoomKind, "render", lambda *_: 1 / 0)

    await in_thread(rooms.change, topic, 7)
    await asyncio.to_thread(bells.ring, topic)

    await page.until(lambda: page.reader.position == 1)
    assert page.reader.events[0]["data"] == {"number": 7}
    page.drop()


async def test_silent_redis_costs_one_caller_the_time_out(monkeypatch):
    asked = []

    class Silent:
        def publish(self, *_):
            asked.append(1)
            raise TimeoutError

    monkeypatch.setattr(bells.redis, "client", Silent)
    monkeypatch.setattr(bells, "_silent_until", 0.0)
    for _ in range(5):
        bells.ring("room:1")

    assert asked == [1]


async def test_late_joiner_gets_the_parts_so_far_and_then_the_rest():
    _room, topic = rooms.new_room()
    stream = TurnStream.open(uuid4(), fence=1, topic=topic)
    for piece in "abcdef":
        stream.append([OpenPart(0, PartType.TEXT), AppendText(0, piece)])
        await stream.drain()
    page = Page(topic)
    await page.connect()

    stream.append([AppendText(0, "g")])
    await stream.drain()

    await page.until(lambda: page.reader.text_of(stream.turn_id) == "abcdefg")
    assert [frame["type"] for frame in page.frames][:4] == ["snapshot", "status", "delta", "delta"]
    assert page.frames[2]["reset"] is True
    page.drop()


async def test_long_late_join_is_cut_into_frames_of_64_kb():
    _room, topic = rooms.new_room()
    stream = TurnStream.open(uuid4(), fence=1, topic=topic)
    for _ in range(30):
        stream.append([AppendText(0, "x" * 7_000)])
        await stream.drain()
    page = Page(topic)

    await page.connect()

    await page.until(lambda: page.reader.text_of(stream.turn_id) == stream.text)
    assert max(len(json.dumps(frame)) for frame in page.frames) < 64 * 1024
    page.drop()


async def test_flush_that_is_too_long_to_announce_is_read():
    _room, topic = rooms.new_room()
    page = Page(topic)
    await page.connect()
    stream = TurnStream.open(uuid4(), fence=1, topic=topic)

    stream.append([AppendText(0, "y" * 40_000)])
    stream.append([AppendText(0, "z")])
    await stream.drain()

    await page.until(lambda: page.reader.text_of(stream.turn_id) == "y" * 40_000 + "z")
    page.drop()


async def test_client_that_does_not_read_is_closed_with_1013():
    _room, topic = rooms.new_room()
    page = Page(topic)
    await page.connect()
    never = asyncio.Event()
    page.send_for_good = page.send
    page.socket._outlet.text = lambda frame: never.wait()
    stream = TurnStream.open(uuid4(), fence=1, topic=topic)

    for _ in range(60):
        stream.append([AppendText(0, "x" * 8_000)])
        await stream.drain()

    await page.until(lambda: page.closed == [1013])
    assert page.socket._queued >= 0
    page.drop()


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_happens_every_reader_ends_with_the_same(seed):  # noqa: PLR0912
    """Drops, resumes, wipes of Redis and late joiners at random: all end with the writer's text and the log's events."""
    chance = random.Random(seed)
    _room, topic = rooms.new_room()
    pages = [Page(topic) for _ in range(3)]
    for page in pages:
        await page.connect()
    online = set(pages)
    streams = [TurnStream.open(uuid4(), fence=1, topic=topic) for _ in range(2)]
    number = 0
    kept = []
    for _step in range(150):
        match chance.randrange(12):
            case 0:
                page = chance.choice(pages)
                if page in online:
                    page.drop()
                    online.discard(page)
                else:
                    await page.connect()
                    online.add(page)
            case 1:
                number += 1
                kept.append(await in_thread(rooms.change, topic, number))
                if chance.random() < 0.3:
                    await asyncio.to_thread(bells.ring, topic)
                elif chance.random() < 0.7:  # the others are late, or lost
                    await asyncio.to_thread(bells.ring, topic, kept.pop())
            case 5 if kept:
                chance.shuffle(kept)
                await asyncio.to_thread(bells.ring, topic, kept.pop())
            case 2 if chance.random() < 0.3:
                await redis.async_client().delete(
                    *(redis.key("turn", stream.turn_id) for stream in streams), redis.key("running", topic)
                )
            case 3:
                await chance.choice(streams).drain()
            case 4:
                pages.append(Page(topic))
                await pages[-1].connect()
                online.add(pages[-1])
            case _:
                chance.choice(streams).append([AppendText(chance.randrange(2), chance.choice("abcdefgh"))])
        if chance.random() < 0.5:
            await asyncio.sleep(chance.random() * 0.03)
    for page in pages:
        if page not in online:
            await page.connect()
    for stream in streams:
        stream.append([AppendText(0, "end")])
        assert await stream.drain()
    number += 1
    await asyncio.to_thread(bells.ring, topic, await in_thread(rooms.change, topic, number))

    for page in pages:
        await page.until(lambda page=page: page.reader.position == number)
        for stream in streams:
            await page.until(lambda page=page, stream=stream: page.reader.text_of(stream.turn_id) == stream.text)
    for page in pages:
        page.drop()
