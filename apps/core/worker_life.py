"""What a process does beside its work: it beats, and the jobs process coordinates."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, connections
from django.db.models.functions import Now
from psycopg_pool import PoolTimeout

from apps.core import coordinator, jobs, kept, scheduler
from apps.core.doors.places import places
from apps.core.installation import check_pools
from apps.core.leases import scaled
from apps.core.models import ProcessHeartbeat
from apps.core.vital_signs import BEAT_SECONDS

logger = logging.getLogger(__name__)

LAG_SAMPLE_SECONDS = 0.1

_stop = threading.Event()
_lag: Callable[[], float] = lambda: 0.0  # noqa: E731


async def watch_loop_lag() -> None:
    """On the loop that this process works on: how late it wakes, the 95th percentile of the last ten seconds, told with the heartbeat."""
    global _lag  # noqa: PLW0603  (one loop a process)
    late: deque[float] = deque(maxlen=100)
    _lag = lambda: sorted(late)[int(len(late) * 0.95)] if late else 0.0  # noqa: E731
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LAG_SAMPLE_SECONDS
        await asyncio.sleep(LAG_SAMPLE_SECONDS)
        late.append(max(0.0, loop.time() - due))


def beat(role: str) -> None:
    counts = [each.count() for each in places]
    ProcessHeartbeat.objects.update_or_create(
        name=f"{role}@{socket.gethostname()}:{os.getpid()}",
        defaults={
            "role": role,
            "seen_at": Now(),
            "loop_lag_seconds": _lag(),
            "places_taken": sum(taken for taken, _of in counts),
            "places": sum(of for _taken, of in counts),
        },
    )


def _beat_on(role: str) -> None:
    while not _stop.is_set():
        try:
            beat(role)
        except (DatabaseError, InterfaceError, PoolTimeout) as error:
            logger.warning("heartbeat_not_written", extra={"reason": type(error).__name__})
        for each in connections.all(initialized_only=True):
            each.close()
        _stop.wait(scaled(BEAT_SECONDS))


def _check_pools() -> None:
    """Too many pools show themselves only under load, as time-outs somewhere else: so it is said at the start."""
    try:
        note = check_pools()
    except (DatabaseError, InterfaceError, PoolTimeout):
        return  # nothing answers yet; doctor says it later
    if note.weight != "ok":
        logger.error("too_many_connections_planned", extra={"says": note.says, "advice": note.advice})


def begin() -> None:
    """At the start of a worker's main process."""
    _stop.clear()
    role = settings.PROCESS_ROLE
    _check_pools()
    threading.Thread(target=_beat_on, args=(role,), name="heartbeat", daemon=True).start()
    if role == "jobs":
        coordinator.start_in_background()
        if scheduler.is_wanted():
            scheduler.start_in_background()


class Beating:
    """Around the ASGI application: from its first connection on a web process beats too, with the lag of the loop it serves on."""

    def __init__(self, application: Callable[..., Awaitable[None]]) -> None:
        self.application = application
        self._watching: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._watching is None:
            self._watching = asyncio.get_running_loop().create_task(watch_loop_lag())
            threading.Thread(target=_beat_on, args=("web",), name="heartbeat", daemon=True).start()
        await self.application(scope, receive, send)


def _leave_calls() -> None:
    if settings.PROCESS_ROLE != "calls":  # the loops of the interactive process have ends of their own
        return
    try:
        kept.leave(lambda: not jobs.count_under_way())
    except (DatabaseError, InterfaceError, PoolTimeout) as error:
        logger.warning("leases_not_given_back", extra={"reason": type(error).__name__})


def end() -> None:
    """At SIGTERM: no longer counted as there, another process may coordinate, and what still waits for others is given back in time."""
    _stop.set()
    scheduler.stop_in_background()
    coordinator.stop_in_background()
    try:
        ProcessHeartbeat.objects.filter(name=f"{settings.PROCESS_ROLE}@{socket.gethostname()}:{os.getpid()}").delete()
    except (DatabaseError, InterfaceError, PoolTimeout) as error:
        logger.warning("heartbeat_not_removed", extra={"reason": type(error).__name__})
    _leave_calls()
    connection.close()
