"""Redis restarts, is wiped, falls silent or is full while an answer is written: sockets resume, and the text is whole."""

import asyncio
import contextlib
import os
import signal
import time
from uuid import uuid4

import pytest

from apps.core import redis
from apps.live.streams import TurnStream
from apps.llm.types import AppendText
from tests.live import rooms
from tests.live.client import Client
from tests.live.sockets import change, make_people, rooms_stack

pytestmark = pytest.mark.timeout(400)  # a stack starts first


@pytest.fixture(scope="module")
def stack():
    with rooms_stack(own_services=True) as started:
        yield started


@pytest.fixture(scope="module")
def person(stack):
    return make_people(stack, 1)[0]


@pytest.fixture
async def stream(stack, settings):
    if not stack.services.redis.answers():
        stack.services.redis.start()  # an earlier test failed half-way
    await redis.close_async()
    settings.REDIS_URL = stack.env["REDIS_URL"]
    settings.REDIS_PREFIX = stack.env["PARLANCE_REDIS_PREFIX"]
    _room, topic = rooms.new_room()
    yield TurnStream.open(uuid4(), fence=1, topic=topic)
    await redis.close_async()


class Page(Client):
    """Reconnects as the page does: at once after 1012."""

    codes: list[int]

    async def stay(self) -> None:
        self.codes = []
        while True:
            await asyncio.wait([self._task])
            self.codes.append(self.close_code)
            while True:
                try:
                    await self.connect()
                    break
                except OSError:
                    await asyncio.sleep(0.1)


async def write(stream, seconds):
    """Words of 5 letters, 50 a second."""
    number = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        number += 1
        stream.append([AppendText(0, f"{number:04d} ")])
        await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def following(stack, person, topic):
    page = Page(stack.ws_url, person.by_key)
    await page.connect()
    reader = await page.follow(topic)
    staying = asyncio.create_task(page.stay())
    try:
        yield page, reader
    finally:
        staying.cancel()
        await asyncio.gather(staying, return_exceptions=True)
        await page.drop()


async def whole(page, reader, stream, seconds=15):
    assert await stream.drain(seconds)
    await page.until(lambda: reader.text_of(stream.turn_id) == stream.text, seconds)


@pytest.mark.parametrize("is_wiped", [False, True], ids=["restarted", "wiped"])
async def test_redis_goes_and_comes_back(stack, person, stream, is_wiped):
    server = stack.services.redis
    async with following(stack, person, stream.topic) as (page, reader):
        writing = asyncio.create_task(write(stream, 5))
        await page.until(lambda: len(reader.text_of(stream.turn_id)) > 100)

        await asyncio.to_thread(server.kill)
        if is_wiped:
            server.wipe()
        await asyncio.sleep(1)
        await asyncio.to_thread(change, stack, stream.topic, 1, ring=False)
        await page.until(lambda: reader.position == 1)  # the regular look needs no Redis
        server.start()  # from this thread: the kernel ends the server with the thread that started it
        await writing

        await whole(page, reader, stream)
        assert page.codes == [1012]
        assert reader.snapshots == 1


async def test_redis_falls_silent(stack, person, stream):
    pid = stack.redis().info("server")["process_id"]
    async with following(stack, person, stream.topic) as (page, reader):
        writing = asyncio.create_task(write(stream, 12))
        await page.until(lambda: len(reader.text_of(stream.turn_id)) > 100)

        os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(8)
        finally:
            os.kill(pid, signal.SIGCONT)
        await writing

        await whole(page, reader, stream)
        assert page.codes == [1012]


async def test_redis_is_full(stack, person, stream):
    client = stack.redis()
    async with following(stack, person, stream.topic) as (page, reader):
        writing = asyncio.create_task(write(stream, 6))
        await page.until(lambda: len(reader.text_of(stream.turn_id)) > 100)

        client.config_set("maxmemory", 1)
        try:
            before = len(reader.text_of(stream.turn_id))
            await page.until(lambda: len(reader.text_of(stream.turn_id)) > before + 300, 5)
        finally:
            client.config_set("maxmemory", 0)
        await writing

        await whole(page, reader, stream)
        assert page.codes == []
