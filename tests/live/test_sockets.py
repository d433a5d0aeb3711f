"""Daphne with real sockets: who gets in, what is refused, what closes, and that nothing is lost over drops."""

import asyncio
import base64
import json
import os
import socket as sockets
from uuid import uuid4

import pytest
import websockets

from apps.core import redis
from apps.live.streams import TurnStream
from apps.llm.types import AppendText
from tests.live import rooms
from tests.live.client import Client
from tests.live.sockets import change, make_people, rooms_stack

pytestmark = pytest.mark.timeout(400)  # a stack starts first

SCALE = 0.05


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def stack(request):
    with rooms_stack(asgi=request.param, env={"PARLANCE_TIME_SCALE": str(SCALE)}) as started:
        yield started


@pytest.fixture(scope="module")
def people(stack):
    return make_people(stack, 8)


@pytest.fixture
def person(people):
    return people[0]


@pytest.fixture
async def writer(stack, settings):
    """Streams of this process go to the Redis of the stack."""
    await redis.close_async()
    settings.REDIS_URL = stack.env["REDIS_URL"]
    settings.REDIS_PREFIX = stack.env["PARLANCE_REDIS_PREFIX"]
    yield lambda topic: TurnStream.open(uuid4(), fence=1, topic=topic)
    await redis.close_async()


async def closed_with(page: Client, seconds: float = 10) -> int:
    await page.until(lambda: page.close_code is not None, seconds)
    return page.close_code


#: The same in every test process: a name made by chance would make tests that no two processes have in common.
UNKNOWN = "01930000-0000-7000-8000-000000000000"


@pytest.mark.parametrize("way", ["cookie", "header", "x-api-key", "subprotocol"])
async def test_credentials_of_every_kind_open_a_socket(stack, person, way):
    options = {}
    headers = {
        "cookie": person.by_cookie | {"Origin": stack.base_url},
        "header": person.by_key,
        "x-api-key": {"X-API-Key": person.key},
        "subprotocol": {},
    }[way]
    if way == "subprotocol":
        options["subprotocols"] = ["parlance", f"bearer.{person.key}"]
    _room, topic = rooms.new_room()

    async with Client(stack.ws_url, headers, **options) as page:
        reader = await page.follow(topic)

        assert reader.position == 0
        assert page._socket.subprotocol == ("parlance" if way == "subprotocol" else None)


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example", "http://localhost:1"]
)
async def test_foreign_origin_with_a_cookie_is_refused_before_accept(stack, person, origin):
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(stack.ws_url, additional_headers=person.by_cookie | {"Origin": origin})

    assert refused.value.response.status_code == 403


async def test_token_in_the_address_is_refused(stack, person):
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(f"{stack.ws_url}?token={person.key}")

    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer pk_wrong"}, {"Cookie": "parlance_session=wrong"}])
async def test_nobody_is_told_to_sign_in_and_hears_nothing(stack, headers):
    async with Client(stack.ws_url, headers) as page:
        assert await closed_with(page) == 4401
        assert page.raw == []


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("x" * 70_000, 1009),
        ("x" * 1_100_000, 1009),
        ("[" * 10_000 + "]" * 10_000, 4400),
        (b"\x00\x01", 4400),
        ("no json", 4400),
        ('"text"', 4400),
        ('{"type":"write","topic":"room:1","text":"x"}', 4400),
        ('{"type":"subscribe"}', 4400),
        ('{"type":"subscribe","topic":["room:1"]}', 4400),
        ('{"type":"subscribe","topic":"room:1","after":-1}', 4400),
        ('{"type":"subscribe","topic":"room:1","after":1.5}', 4400),
        ('{"type":"subscribe","topic":"room:1","extra":1}', 4400),
        ('{"type":"subscribe","topic":"room:1","turns":{"x":1}}', 4400),
        ('{"type":"typing","topic":"room:1","on":"yes"}', 4400),
        ('{"type":"presence","state":"elsewhere"}', 4400),
    ],
)
async def test_what_is_no_frame_closes_the_socket(stack, person, message, code):
    async with Client(stack.ws_url, person.by_key) as page:
        await page.send(message)

        assert await closed_with(page) == code
        assert page.raw == []


async def test_ping_is_answered(stack, person):
    async with Client(stack.ws_url, person.by_key) as page:
        await page.send({"type": "ping"})

        await page.until(lambda: page.raw)
        assert json.loads(page.raw[0]) == {"type": "pong"}


async def test_flood_is_cut(stack, person):
    async with Client(stack.ws_url, person.by_key) as page:
        try:
            for _ in range(1000):
                await page.send({"type": "presence", "state": "here"})
        except websockets.ConnectionClosed:
            pass

        assert await closed_with(page) == 4429
        refusal = next(frame for frame in map(json.loads, page.raw) if frame["type"] == "error")
        assert {name: refusal[name] for name in ("code", "limit", "most", "reason", "retry_after_seconds")} == {
            "code": "limit_reached",
            "limit": "socket",
            "most": 60,
            "reason": "rate",
            "retry_after_seconds": 1,
        }


async def test_person_has_twenty_sockets_at_most(stack, people):
    person, neighbour = people[1], people[2]
    _room, topic = rooms.new_room()
    opened = [await websockets.connect(stack.ws_url, additional_headers=person.by_key) for _ in range(20)]

    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(stack.ws_url, additional_headers=person.by_cookie)

    assert refused.value.response.status_code == 403
    async with Client(stack.ws_url, neighbour.by_key) as page:
        await page.follow(topic)
    for each in opened:
        await each.close()


@pytest.mark.parametrize("topic", ["nothing:1", "room:no-uuid", f"room:{UNKNOWN}x", f"other:{UNKNOWN}", "room:"])
async def test_unknown_topic_is_not_found_and_the_socket_stays(stack, person, topic):
    _room, good = rooms.new_room()
    async with Client(stack.ws_url, person.by_key) as page:
        reader = await page.follow(topic)
        assert [error["code"] for error in reader.errors] == ["not_found"]

        await page.follow(good)


async def test_fifty_topics_a_socket(stack, person):
    async with Client(stack.ws_url, person.by_key) as page:
        for _ in range(50):
            await page.send({"type": "subscribe", "topic": rooms.new_room()[1], "after": None})
        reader = await page.follow(rooms.new_room()[1])

        assert [(error["code"], error["limit"], error["most"]) for error in reader.errors] == [
            ("limit_reached", "topics", 50)
        ]


async def test_revoked_key_and_ended_session_close_their_sockets(stack):
    by_key, by_cookie = make_people(stack, 2, mark="revoked")
    async with Client(stack.ws_url, by_key.by_key) as first, Client(stack.ws_url, by_cookie.by_cookie) as second:
        await first.follow(rooms.new_room()[1])
        await second.follow(rooms.new_room()[1])

        stack.sql("UPDATE accounts_apikey SET revoked_at = now() WHERE user_id = %s", [by_key.id])
        stack.sql("UPDATE accounts_usersession SET ended_at = now() WHERE user_id = %s", [by_cookie.id])

        assert await closed_with(first, 5 * SCALE + 1) == 4401
        assert await closed_with(second, 5 * SCALE + 1) == 4401


async def test_drop_and_resume_lose_and_double_nothing(stack, person, writer):
    _room, topic = rooms.new_room()
    stream = writer(topic)
    async with Client(stack.ws_url, person.by_key) as page, Client(stack.ws_url, person.by_cookie) as steady:
        reader, other = await page.follow(topic), await steady.follow(topic)
        for number in range(1, 13):
            for _ in range(10):
                stream.append([AppendText(0, f"token{number} ")])
                await asyncio.sleep(0.01)
            await asyncio.to_thread(change, stack, topic, number)
            if number % 3 == 0:
                await page.drop()
            elif number % 3 == 1 and number > 1:
                await page.connect()
        await page.connect()
        await stream.drain()

        for each, state in ((page, reader), (steady, other)):
            await each.until(lambda state=state: state.text_of(stream.turn_id) == stream.text and state.position == 12)
        assert reader.snapshots == other.snapshots == 1
        assert [event["data"] for event in reader.events] == [{"number": number} for number in range(1, 13)]


async def test_presence_and_typing_are_seen_by_others_and_end(stack, people):
    first, second = people[3], people[4]
    _room, topic = rooms.new_room()
    async with Client(stack.ws_url, first.by_cookie) as page, Client(stack.ws_url, second.by_cookie) as other:
        here, there = await page.follow(topic), await other.follow(topic)
        both = [
            {"id": first.id, "name": first.name, "state": "here"},
            {"id": second.id, "name": second.name, "state": "here"},
        ]
        await page.until(lambda: here.people == both)
        await other.until(lambda: there.people == both)

        await page.send({"type": "presence", "state": "away"})
        await page.send({"type": "typing", "topic": topic, "on": True})
        await other.until(lambda: there.people[0]["state"] == "away" and there.typing == {first.id})
        await page.send({"type": "typing", "topic": topic, "on": False})
        await other.until(lambda: there.typing == set())
        await page.drop()
        await other.until(lambda: [person["id"] for person in there.people] == [second.id])


async def test_typing_ends_by_itself(stack, people):
    first, second = people[3], people[4]
    _room, topic = rooms.new_room()
    async with Client(stack.ws_url, first.by_cookie) as page, Client(stack.ws_url, second.by_cookie) as other:
        await page.follow(topic)
        there = await other.follow(topic)

        await page.send({"type": "typing", "topic": topic, "on": True})
        await other.until(lambda: there.typing == {first.id})

        await other.until(lambda: there.typing == set(), 8)


async def test_programs_are_not_present(stack, people):
    _room, topic = rooms.new_room()
    async with Client(stack.ws_url, people[5].by_key) as page, Client(stack.ws_url, people[6].by_cookie) as other:
        await page.follow(topic)
        there = await other.follow(topic)

        await other.until(lambda: [person["id"] for person in there.people] == [people[6].id])


async def test_client_that_does_not_read_is_closed_and_others_are_not_held_up(stack, people, writer):
    _room, topic = rooms.new_room()
    raw = await asyncio.to_thread(_open_and_never_read, stack, people[5], topic)
    stream = writer(topic)
    async with Client(stack.ws_url, people[6].by_key) as page:
        reader = await page.follow(topic)
        for _ in range(80):  # beyond what kernels buffer for a connection
            stream.append([AppendText(0, "x" * 120_000)])
            assert await stream.drain()

        await page.until(lambda: len(reader.text_of(stream.turn_id)) == len(stream.text), 20)
        await asyncio.sleep(1)
        assert "parlance_live_slow_consumers 1" in await asyncio.to_thread(_metrics, stack)
    raw.close()


def _open_and_never_read(stack, person, topic):
    raw = sockets.create_connection(("127.0.0.1", stack.ports["web"]))
    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    key = base64.b64encode(os.urandom(16)).decode()
    raw.sendall(
        f"GET /ws/ HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nAuthorization: Bearer {person.key}\r\n\r\n".encode()
    )
    assert b"101" in raw.recv(200)
    payload = f'{{"type":"subscribe","topic":"{topic}","after":null}}'.encode()
    mask = b"\0\0\0\0"
    raw.sendall(bytes([0x81, 0x80 | len(payload)]) + mask + payload)
    return raw


def _metrics(stack) -> str:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", stack.ports["web"], timeout=10)
    connection.request("GET", "/metrics")
    body = connection.getresponse().read().decode()
    connection.close()
    return body
