"""Leases that are renewed beside a call to another server, which may take minutes: who dies meanwhile is missed within seconds."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import DatabaseError, InterfaceError, models
from psycopg_pool import PoolTimeout

from apps.core import leases
from apps.core.db import give_connections_back

logger = logging.getLogger(__name__)

#: After SIGTERM; ten seconds later the supervisor ends what has not ended.
LEAVE_SECONDS = 25.0
LOOK_SECONDS = 0.2


class Leaving(Exception):
    """This process ends: the work was given back, and nobody is asked any more."""


@dataclass(frozen=True, slots=True)
class _Held:
    rows: models.QuerySet[Any]
    pk: UUID
    fence: int
    returned: dict[str, Any]


class Keeper:
    """One for each process. Its thread is there while something is held, and touches the database every five seconds only."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._held: dict[int, _Held] = {}
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None
        self._is_over = False

    @contextmanager
    def kept(self, rows: models.QuerySet[Any], pk: UUID, fence: int, **returned: Any) -> Iterator[None]:
        """``rows`` as for ``leases.renew``: what left them, or went to somebody else, is not held on to. ``returned``: what the row says when
        it is given back before its work has ended, which is nobody's fault (``attempts=F("attempts") - 1``). Raises ``Leaving``.
        """
        number = next(self._numbers)
        held = _Held(rows, pk, fence, returned)
        if self._is_over:
            _give_back(held)
            raise Leaving
        with self._changed:
            self._held[number] = held
            if self._thread is None or not self._thread.is_alive():  # none yet, or that of the process that forked us
                self._thread = threading.Thread(target=self._keep, name="leases", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._changed:
                self._held.pop(number, None)
                self._changed.notify_all()

    def leave(self, is_idle: Callable[[], bool]) -> None:
        """At SIGTERM: what is still under way after some time is given back, and what asks others later on at once, so that nobody waits for a
        lease to lapse. ``is_idle``: nothing is under way any more, not even between two calls.
        """
        until = time.monotonic() + leases.scaled(LEAVE_SECONDS)
        while (self._held or not is_idle()) and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)
        with self._changed:
            self._is_over = True
            left, self._held = [*self._held.values()], {}
        for held in left:
            _give_back(held)

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
        lost = []
        for number, each in held.items():
            try:
                if not leases.renew(each.rows, each.pk, each.fence):
                    lost.append(number)
            except (DatabaseError, InterfaceError, PoolTimeout) as error:  # a row that is locked takes no other along
                logger.warning("lease_not_renewed", extra={"row": str(each.pk), "reason": type(error).__name__})
        give_connections_back()
        with self._changed:
            for number in lost:
                self._held.pop(number, None)


def _give_back(held: _Held) -> None:
    leases.release(held.rows, held.pk, held.fence, **held.returned)


_keeper = Keeper()
kept, leave = _keeper.kept, _keeper.leave
