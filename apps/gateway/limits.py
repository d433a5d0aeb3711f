"""How many answers are written at once through this door: for one organization over all processes, and in one process.

What streams here is no turn and has no queue, so whoever finds no place is refused. The places of an organization stand in
Redis, each with a time at which it lapses, and are renewed while they are held: a process that is killed leaves none behind
for longer than ``LEASE_SECONDS``. Without Redis nobody could count, and an answer costs money: then there is no place at all.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

from django.conf import settings
from redis.commands.core import Script

from apps.core import redis
from apps.core.errors import Unavailable
from apps.core.leases import scaled
from apps.gateway.types import TooManyCalls

logger = logging.getLogger(__name__)

PER_PROCESS = 200
PER_ORGANIZATION = 50
LEASE_SECONDS = 30.0
RENEW_SECONDS = 10.0

# KEYS: the places of an organization. ARGV: most (0: whoever is named has a place already), lease (ms), the names.
_TAKE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local most = tonumber(ARGV[1])
if most > 0 and redis.call('ZCARD', KEYS[1]) >= most then return 0 end
for i = 3, #ARGV do redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""


class Place:
    """One answer that may be written, asked for on the loop and taken in a thread.

    ``free`` may come from the loop or from whatever thread closes the answer, also while ``take`` is under way; twice is once.
    """

    def __init__(self, places: Places, organization_id: UUID) -> None:
        self.name, self.organization_id = secrets.token_hex(8), organization_id
        self._places = places

    def take(self) -> None:
        """Asks Redis, so never on the loop. Raises ``TooManyCalls`` (429), or ``Unavailable`` (503) when Redis is away."""
        try:
            has_place = _take(self.organization_id, PER_ORGANIZATION, [self.name])
        except redis.Away:
            raise Unavailable from None
        if not has_place:
            raise TooManyCalls(retry_after_seconds=2, most=PER_ORGANIZATION)
        self._places.settle(self)

    def free(self) -> None:
        self._places.free(self)


class Places:
    """What this process holds. A thread of its own renews it and gives it back: nobody who ends an answer waits for Redis."""

    def __init__(self) -> None:
        self._held: dict[str, UUID] = {}
        self._freed: list[tuple[str, UUID]] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def ask(self, organization_id: UUID) -> Place:
        """A place in this process, to be taken and in any case freed. Raises ``TooManyCalls``."""
        place = Place(self, organization_id)
        with self._lock:
            if len(self._held) >= PER_PROCESS:
                raise TooManyCalls(retry_after_seconds=2, limit="process", most=PER_PROCESS)
            self._held[place.name] = organization_id
            self._run()
        return place

    def number_held(self) -> int:
        with self._lock:
            return len(self._held)

    def settle(self, place: Place) -> None:
        """Taken in Redis; if its caller has gone meanwhile, it is given back."""
        with self._lock:
            if place.name in self._held:
                return
            self._freed.append((place.name, place.organization_id))
        self._wake.set()

    def free(self, place: Place) -> None:
        with self._lock:
            if self._held.pop(place.name, None) is None:
                return
            self._freed.append((place.name, place.organization_id))
        self._wake.set()

    def _run(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._keep, name="gateway-places", daemon=True)
            self._thread.start()

    def _keep(self) -> None:
        while True:
            is_freed = self._wake.wait(scaled(RENEW_SECONDS))
            self._wake.clear()
            try:
                self._give_back()
                if not is_freed:
                    self._renew()
            except redis.Away as error:  # what was freed lapses, what is held is renewed when Redis is back
                logger.warning("places_without_redis", extra={"reason": type(error).__name__})

    def _give_back(self) -> None:
        with self._lock:
            freed, self._freed = self._freed, []
        for organization_id, names in _grouped(freed):
            redis.client().zrem(_key(organization_id), *names)

    def _renew(self) -> None:
        with self._lock:
            held = list(self._held.items())
        for organization_id, names in _grouped(held):
            _take(organization_id, 0, names)


def _key(organization_id: UUID) -> str:
    return redis.key("gateway", "places", organization_id)


def _grouped(places: Iterable[tuple[str, UUID]]) -> Iterable[tuple[UUID, list[str]]]:
    found: dict[UUID, list[str]] = defaultdict(list)
    for name, organization_id in places:
        found[organization_id].append(name)
    return found.items()


def _take(organization_id: UUID, most: int, names: list[str]) -> bool:
    client = redis.client()
    arguments = [most, int(scaled(LEASE_SECONDS) * 1000), *names]
    return bool(Script(client, _TAKE)(keys=[_key(organization_id)], args=arguments, client=client))


places = Places()


def count() -> tuple[int, int]:
    """For the heartbeat: taken in this process, and all of them."""
    return (places.number_held(), PER_PROCESS) if settings.PROCESS_ROLE == "web" else (0, 0)
