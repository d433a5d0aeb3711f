"""Leases that are renewed beside a call to another server, which may take minutes: who dies meanwhile is missed within seconds."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import DatabaseError, InterfaceError, models
from psycopg_pool import PoolTimeout

from apps.core import leases
from apps.core.db import give_connections_back

logger = logging.getLogger(__name__)

#: After SIGTERM; ten seconds later the supervisor ends what has not ended.
LEAVE_SECONDS = 25.0

_Held = tuple[models.QuerySet[Any], UUID, int]


class Keeper:
    """One for each process. Its thread is there while something is held, and touches the database every five seconds only."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._held: dict[int, _Held] = {}
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None

    @contextmanager
    def kept(self, rows: models.QuerySet[Any], pk: UUID, fence: int) -> Iterator[None]:
        """``rows`` as for ``leases.renew``: what left them, or went to somebody else, is not held on to."""
        number = next(self._numbers)
        with self._changed:
            self._held[number] = (rows, pk, fence)
            if self._thread is None or not self._thread.is_alive():  # none yet, or that of the process that forked us
                self._thread = threading.Thread(target=self._keep, name="leases", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._changed:
                self._held.pop(number, None)
                self._changed.notify_all()

    def leave(self) -> None:
        """At SIGTERM: what is still under way after some time is given back, so that nobody waits for its lease to lapse."""
        with self._changed:
            self._changed.wait_for(lambda: not self._held, leases.scaled(LEAVE_SECONDS))
            left, self._held = [*self._held.values()], {}
        for rows, pk, fence in left:
            leases.release(rows, pk, fence)

    def _keep(self) -> None:
        due = time.monotonic() + leases.scaled(leases.RENEW_SECONDS)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: not self._held, max(0.0, due - time.monotonic()))
                if not self._held:
                    self._thread = None
                    return
                held = {} if time.monotonic() < due else dict(self._held)
            if held:
                due = time.monotonic() + leases.scaled(leases.RENEW_SECONDS)
                self._renew(held)

    def _renew(self, held: dict[int, _Held]) -> None:
        try:
            lost = [number for number, (rows, pk, fence) in held.items() if not leases.renew(rows, pk, fence)]
        except (DatabaseError, InterfaceError, PoolTimeout) as error:
            logger.warning("leases_not_renewed", extra={"reason": type(error).__name__})
            return
        finally:
            give_connections_back()
        with self._changed:
            for number in lost:
                self._held.pop(number, None)


_keeper = Keeper()
kept, leave = _keeper.kept, _keeper.leave
