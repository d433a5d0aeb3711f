"""Inside items that go on after their operation was cancelled are cut: at the statement that runs, else at their next one.

Nothing is thrown into code that computes: it goes on to its next statement. So an item ends where PostgreSQL can take back all that it did,
and no state of this process is torn. A thread watches, for an item has the thread that it runs in for itself.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection

from apps.bulk import selectors
from apps.bulk.types import ItemStatus
from apps.core.db import give_connections_back
from apps.core.leases import scaled

logger = logging.getLogger(__name__)

#: From when on somebody looks whether its operation was cancelled; most items have ended by then.
WATCHED_AFTER_SECONDS = 1.0
#: So long it may go on afterwards, and be asked about a second later: five seconds in all.
GRACE_SECONDS = 3.0
LOOK_SECONDS = 0.5
CANCEL_SECONDS = 2.0


class Cut(BaseException):
    """Past all that kinds catch. ``ends_as``: what becomes of the item."""

    def __init__(self, ends_as: ItemStatus) -> None:
        super().__init__(ends_as)
        self.ends_as = ends_as


@dataclass(eq=False, slots=True)
class Running:
    """One item in one thread; ``raw`` is the connection in whose transaction it runs. It does not leave while it is being ``cut``: what is
    cancelled a moment too late would be another item's, or another tenant's.
    """

    operation_id: UUID
    raw: Any
    since: float
    stops_at: float | None = None
    ends_as: ItemStatus | None = None
    has_left: bool = False
    cut: threading.Lock = field(default_factory=threading.Lock)

    def require_uncut(self) -> None:
        if self.ends_as is not None:
            raise Cut(self.ends_as)


@contextlib.contextmanager
def watched(operation_id: UUID) -> Iterator[None]:
    """Around what a kind does in a savepoint. Raises ``Cut`` when it was cut."""
    running = Running(operation_id, connection.connection, time.monotonic())

    def ask_first(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        if not str(sql).startswith("ROLLBACK"):  # what is inside of it takes back its own
            running.require_uncut()
        return execute(sql, params, many, context)

    _watch(running)
    try:
        with connection.execute_wrapper(ask_first):
            yield
        running.require_uncut()
    except Exception as error:
        # The statement that was cancelled; what a kind makes of that, too.
        if running.ends_as is not None:
            raise Cut(running.ends_as) from error
        raise
    finally:
        with running.cut:
            running.has_left = True
        _running.pop(threading.get_ident(), None)


_running: dict[int, Running] = {}
_starting = threading.Lock()
_watcher: tuple[int, threading.Thread] | None = None


def _watch(running: Running) -> None:
    global _watcher  # noqa: PLW0603  (one a process, made by the first item after the fork)
    _running[threading.get_ident()] = running
    if _watcher is None or _watcher[0] != os.getpid() or not _watcher[1].is_alive():
        with _starting:
            if _watcher is None or _watcher[0] != os.getpid() or not _watcher[1].is_alive():
                _watcher = (os.getpid(), threading.Thread(target=_look_on, name="bulk-cutting", daemon=True))
                _watcher[1].start()


def _look_on() -> None:
    while True:
        time.sleep(scaled(LOOK_SECONDS))
        try:
            _look()
        except Exception:  # the database is away, or its pool is empty: it looks again
            logger.warning("bulk_not_watched", exc_info=True)
        finally:
            give_connections_back()


def _look() -> None:
    now = time.monotonic()
    # A copy: items come and go.
    long = [each for each in list(_running.values()) if now - each.since >= scaled(WATCHED_AFTER_SECONDS)]
    if not long:
        return
    stopping = selectors.find_stopping({each.operation_id for each in long})
    for running in long:
        if running.operation_id not in stopping:
            continue
        running.stops_at = running.stops_at or now + scaled(GRACE_SECONDS)
        if now >= running.stops_at:
            _cut(running, ItemStatus(stopping[running.operation_id]))


def _cut(running: Running, ends_as: ItemStatus) -> None:
    """Its next statement raises; the one that runs now is cancelled."""
    with running.cut:
        if running.has_left:
            return
        running.ends_as = ends_as
        if running.raw.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
            with contextlib.suppress(psycopg.errors.CancellationTimeout):  # it is asked again at the next look
                running.raw.cancel_safe(timeout=CANCEL_SECONDS)
