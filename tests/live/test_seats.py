"""Twenty sockets a person, over all web processes."""

import asyncio
import contextlib
from uuid import uuid4

import pytest
import websockets

from apps.accounts.types import Actor, ActorKind
from apps.core import redis
from apps.core.limits import Limit, Tokens
from apps.live import seats
from apps.live.lobby import close_lobby, lobby
from apps.live.outlet import Outlet
from apps.live.socket import Socket
from tests.live.sockets import make_people, rooms_stack

MOST = seats.SEATS_EACH


def names(number):
    return [uuid4().hex for _each in range(number)]


def test_person_finds_twenty_seats_and_their_neighbour_others():
    one, other = uuid4(), uuid4()
    first, late = names(MOST - 1), names(3)

    assert seats.take(dict.fromkeys(first, one)) == set(first)
    assert seats.take(dict.fromkeys(late, one)) == {late[0]}
    assert seats.take({late[1]: other}) == {late[1]}
    assert seats.take({}) == set()


async def test_who_leaves_gives_the_seat_back_and_who_stays_keeps_it(settings):
    settings.PARLANCE_TIME_SCALE = 0.1
    actor = Actor(kind=ActorKind.MEMBER, user_id=uuid4())
    taken = names(MOST)
    assert await asyncio.to_thread(seats.take, dict.fromkeys(taken, actor.user_id)) == set(taken)
    sockets = []
    for name in taken[:-1]:
        socket = Socket(actor, "", Outlet(None), Tokens(Limit(1, 1)))
        socket.id = name
        lobby().enter(socket)
        sockets.append(socket)
    await asyncio.sleep(2)  # more than a lease: nobody renewed the last one

    (again, none) = names(2)
    assert await asyncio.to_thread(seats.take, {again: actor.user_id, none: actor.user_id}) == {again}
    lobby().leave(sockets[0])
    async with asyncio.timeout(3):
        while not await asyncio.to_thread(seats.take, {none: actor.user_id}):  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    for socket in sockets[1:]:
        lobby().leave(socket)
    await close_lobby()
    assert await redis.async_client().zcard(seats._key(actor.user_id)) <= 2


def test_without_redis_everybody_finds_a_seat(no_redis):
    wanted = dict.fromkeys(names(MOST + 1), uuid4())

    assert seats.take(wanted) == set(wanted)


@pytest.mark.timeout(300)
async def test_two_processes_count_together_and_a_killed_one_leaves_nothing():
    with rooms_stack(webs=2, env={"PARLANCE_TIME_SCALE": "0.2"}) as stack:
        (person,) = make_people(stack, 1)
        urls = [f"ws://127.0.0.1:{stack.ports[web]}/ws/" for web in ("web", "web-2")]

        async def open_at(url):
            return await websockets.connect(url, additional_headers=person.by_key, open_timeout=30)

        opened = [await open_at(urls[number % 2]) for number in range(MOST)]
        for url in urls:
            with pytest.raises(websockets.InvalidStatus) as refused:
                await open_at(url)
            assert refused.value.response.status_code == 403

        await asyncio.to_thread(stack.kill, "web-2")

        async with asyncio.timeout(30):
            while len(opened) < MOST + MOST // 2:
                with contextlib.suppress(websockets.InvalidStatus):
                    opened.append(await open_at(urls[0]))
        with pytest.raises(websockets.InvalidStatus):
            await open_at(urls[0])
        for each in opened:
            await each.close()
