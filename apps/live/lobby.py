"""All sockets of a process: how many a person has, what they are called, and whether their credentials are still in force."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections import Counter
from dataclasses import dataclass
from uuid import UUID, uuid4

import structlog
from django.conf import settings

from apps.accounts import actors, selectors
from apps.accounts.types import Actor
from apps.core.db import in_thread
from apps.live import seats
from apps.live.feed import DATABASE_AWAY, is_meant
from apps.live.hub import Hub, hub
from apps.live.meter import Meter
from apps.live.metrics import counts
from apps.live.presence import People
from apps.live.seats import SEATS_EACH, Seats
from apps.live.socket import RESTARTED, SIGNED_OUT, Socket
from apps.live.together import Together

GUARD_SECONDS = 4.0
NAMES_KEPT_SECONDS = 60.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Knock:
    """One who wants in: with what, and the name of the seat they would take."""

    credential: actors.Credential
    seat: str


@dataclass(frozen=True, slots=True)
class Visitor:
    """``actor`` None is a key that may not read conversations."""

    actor: Actor | None
    seat: str
    has_seat: bool


def _let_in(knocks: list[Knock]) -> dict[Knock, tuple[Actor | None, bool]]:
    """In a thread: the actors of all, and seats for those who are people or act for them."""
    found = actors.actors_for_sockets({knock.credential for knock in knocks})
    wanted: dict[str, UUID] = {}
    for knock in knocks:
        actor = found[knock.credential]
        if actor is not None and actor.user_id is not None:
            wanted[knock.seat] = actor.user_id
    free = seats.take(wanted)
    return {knock: (found[knock.credential], knock.seat not in wanted or knock.seat in free) for knock in knocks}


class Lobby:
    def __init__(self) -> None:
        self.hub: Hub = hub()
        self.people = People(self.hub)
        self.sockets: set[Socket] = set()
        self._per_person: Counter[UUID | None] = Counter()
        self._names: dict[UUID, tuple[float, str]] = {}
        self._people: Together[UUID, selectors.Person] = Together(selectors.display_people)
        self._seats = Seats()
        self.meter = Meter()
        self._knocks: Together[Knock, tuple[Actor | None, bool]] = Together(_let_in)
        self._loop = asyncio.get_running_loop()
        self._asked = asyncio.Event()
        self.hub.on_rights = self._on_rights
        self._guard = self._loop.create_task(self._watch())

    async def admit(self, credential: actors.Credential) -> Visitor:
        """Who comes with it, and whether there is a seat for them."""
        seat = uuid4().hex
        found = await self._knocks.get(Knock(credential, seat))
        assert found is not None
        actor, has_seat = found
        return Visitor(actor, seat, has_seat and (actor is None or self._per_person[actor.user_id] < SEATS_EACH))

    def enter(self, socket: Socket) -> None:
        self.sockets.add(socket)
        if socket.actor.user_id is not None:
            self._seats.hold(socket.id, socket.actor.user_id)
        self._per_person[socket.actor.user_id] += 1
        counts.open_sockets += 1

    def leave(self, socket: Socket) -> None:
        self.sockets.discard(socket)
        self._seats.free(socket.id)
        self._per_person[socket.actor.user_id] -= 1
        if not self._per_person[socket.actor.user_id]:
            del self._per_person[socket.actor.user_id]
        counts.open_sockets -= 1

    async def name_of(self, user_id: UUID) -> str:
        """What others read beside a person's presence."""
        kept = self._names.get(user_id)
        if kept and self._loop.time() - kept[0] < NAMES_KEPT_SECONDS:
            return kept[1]
        try:
            found = await self._people.get(user_id)
        except DATABASE_AWAY:
            found = None
        if found is None:
            return ""
        self._names[user_id] = (self._loop.time(), found.name)
        return found.name

    def _on_rights(self, who: UUID | None) -> None:
        if any(is_meant(socket.actor, who) for socket in self.sockets):
            self._asked.set()

    async def _watch(self) -> None:
        """Close what was opened with a credential that is no longer in force: at a bell, without one (or Redis) within five seconds."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GUARD_SECONDS * settings.PARLANCE_TIME_SCALE):
                    await self._asked.wait()
            self._asked.clear()
            current = {socket.actor for socket in self.sockets}
            if not current:
                continue
            try:
                renewed = await in_thread(actors.renew_all, current)
            except DATABASE_AWAY:
                continue  # nothing can be read or shown without the database either
            for socket in tuple(self.sockets):
                now = renewed.get(socket.actor, socket.actor)
                if not now.is_somebody:
                    socket.close(SIGNED_OUT)
                elif now != socket.actor:
                    socket.close(RESTARTED)  # it comes back with what it may do now

    async def close(self) -> None:
        self._guard.cancel()
        for socket in tuple(self.sockets):
            socket.close(RESTARTED)
        await asyncio.gather(self._guard, self._seats.close(), self.meter.close(), return_exceptions=True)


_lobbies: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Lobby] = weakref.WeakKeyDictionary()


def lobby() -> Lobby:
    """The lobby of the running loop."""
    loop = asyncio.get_running_loop()
    found = _lobbies.get(loop)
    if found is None:
        found = _lobbies[loop] = Lobby()
    return found


async def close_lobby() -> None:
    if found := _lobbies.pop(asyncio.get_running_loop(), None):
        await found.close()
