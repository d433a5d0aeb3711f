"""One process at a time keeps the house: numbers the log, wakes consumers, runs the sweeps.

It holds an advisory lock on a connection of its own (outside the pool), so the lock goes when the process or the database
goes. It asks nothing of Redis: while that is away the log is numbered, consumers run and leases lapse as ever; hints that
were lost are sent again by a sweep.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import DatabaseError, InterfaceError, connection, connections
from psycopg_pool import PoolTimeout

from apps.core import job_tallies, jobs
from apps.core.correlation import caused_by
from apps.core.doors import Door
from apps.core.doors.consumers import Consumer, consumers
from apps.core.eventlog import sequencer
from apps.core.eventlog.consumers import ensure_cursor, step
from apps.core.events import CHANNEL, LOOK
from apps.core.leases import scaled

logger = logging.getLogger(__name__)

LOCK = 0x5041524C  # "PARL"
POLL_SECONDS = 0.5
KEEP_CONNECTION_SECONDS = 0.1
STAND_BY_SECONDS = 1.0
RECONNECT_SECONDS = 0.5
SWEEPERS = 3


@dataclass(frozen=True, slots=True)
class Sweep:
    name: str
    every_seconds: float
    run: Callable[[], None]
    settle_seconds: float = 0.0


sweeps: Door[Sweep] = Door("sweep")


def register_sweep(name: str, every_seconds: float, func: Callable[[], None], *, settle_seconds: float = 0.0) -> None:
    """``func`` runs about every so often (scaled), in one process; short, idempotent, resumable.

    ``settle_seconds``: it begins so long after this process began to coordinate. Every lease may have lapsed while the
    database was away; their holders, who are well, need a moment to renew them.
    """
    sweeps.register(name, Sweep(name, every_seconds, func, settle_seconds))


def register_lost_hints(
    job: str, find: Callable[[], Iterable[Mapping[str, object]]], *, every_seconds: float = 5.0
) -> None:
    """``find`` gives the ids of rows that are due and that nobody works on; each is hinted again. With Redis away the round ends at the first."""

    def hint_again() -> None:
        for ids in find():
            if not jobs.hint(job, **ids):
                return

    register_sweep(f"lost hints of {job}", every_seconds, hint_again)


def own_connection() -> psycopg.Connection[Any]:
    """Outside the pool, and quick to notice that the other side is gone."""
    options = connection.get_connection_params()
    options |= {"keepalives_idle": 3, "keepalives_interval": 1, "keepalives_count": 3, "tcp_user_timeout": 5000}
    options["prepare_threshold"] = 3
    options.pop("cursor_factory", None)
    return psycopg.connect(**options, autocommit=True, application_name="parlance coordinator")


class Coordinator:
    def __init__(self) -> None:
        self._stop = threading.Event()
        self._wakes: list[tuple[Consumer, threading.Event]] = []
        self.is_leading = threading.Event()

    def stop(self) -> None:
        self._stop.set()
        self._wake_all()

    def run(self) -> None:
        """Until ``stop``. Survives restarts of the database; stands by while another process coordinates."""
        while not self._stop.is_set():
            try:
                with own_connection() as own:
                    row = own.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone()
                    if row and row[0]:
                        self._lead(own)
                        continue
                self._stop.wait(STAND_BY_SECONDS)
            except (psycopg.Error, OSError) as error:
                logger.warning("coordinator_reconnects", extra={"reason": type(error).__name__})
                self._stop.wait(RECONNECT_SECONDS)

    def _lead(self, own: psycopg.Connection[Any]) -> None:
        own.execute(f"LISTEN {CHANNEL}")
        logger.info("coordinator_leads")
        ending = threading.Event()
        threads = self._start_threads(ending)
        self.is_leading.set()
        try:
            while not self._stop.is_set():
                self._wake_for(set(sequencer.sequence(own)))
                # Ends at the first bell; the poll finds what was written while nobody listened.
                for bell in own.notifies(timeout=POLL_SECONDS, stop_after=1):
                    if bell.payload == LOOK:
                        self._wake_all()
        finally:
            self.is_leading.clear()
            ending.set()
            self._wake_all()
            # Who lost the lock must soon try for it again; what still runs is harmless beside a successor (row locks,
            # idempotent sweeps). Who was told to stop has a little more time to end in order.
            patience = time.monotonic() + (5.0 if self._stop.is_set() else 0.5)
            for thread in threads:
                thread.join(timeout=max(0.0, patience - time.monotonic()))
            self._wakes = []

    def _wake_for(self, kinds: set[tuple[str, bool]]) -> None:
        for consumer, wake in self._wakes:
            if any(consumer.wants(kind, is_refusal=is_refusal) for kind, is_refusal in kinds):
                wake.set()

    def _wake_all(self) -> None:
        for _consumer, wake in self._wakes:
            wake.set()

    def _start_threads(self, ending: threading.Event) -> list[threading.Thread]:
        threads = [threading.Thread(target=self._sweep, args=(ending,), name="sweeper", daemon=True)]
        for consumer in consumers:
            for _number in range(1 if consumer.order == "ordered" else consumer.concurrency):
                wake = threading.Event()
                self._wakes.append((consumer, wake))
                threads.append(
                    threading.Thread(
                        target=self._consume,
                        args=(consumer, wake, ending),
                        name=f"consumer {consumer.name}",
                        daemon=True,
                    )
                )
        for thread in threads:
            thread.start()
        return threads

    def _consume(self, consumer: Consumer, wake: threading.Event, ending: threading.Event) -> None:
        turn = step(consumer)
        is_ready = False
        while not ending.is_set():
            wake.clear()
            wait = RECONNECT_SECONDS
            try:
                if not is_ready:
                    ensure_cursor(consumer)
                    is_ready = True
                wait = turn()
            except (DatabaseError, InterfaceError, PoolTimeout) as error:
                logger.warning("consumer_waits", extra={"consumer": consumer.name, "reason": type(error).__name__})
                _give_back_connections()
                ending.wait(RECONNECT_SECONDS)
            # While events come closely the connection stays; a thread that has nothing to do keeps none.
            is_woken = not wait or wake.wait(min(wait, KEEP_CONNECTION_SECONDS))
            if not is_woken and wait > KEEP_CONNECTION_SECONDS:
                _give_back_connections()
                is_woken = wake.wait(wait - KEEP_CONNECTION_SECONDS)
            if wait and is_woken and consumer.patience_seconds:
                ending.wait(scaled(consumer.patience_seconds))
        _give_back_connections()

    def _sweep(self, ending: threading.Event) -> None:
        began = time.monotonic()
        due = {sweep.name: began + scaled(sweep.settle_seconds) for sweep in sweeps}
        running: dict[str, Future[None]] = {}
        with ThreadPoolExecutor(SWEEPERS, thread_name_prefix="sweep") as pool:
            while not ending.is_set():
                now = time.monotonic()
                for sweep in sweeps:
                    last = running.get(sweep.name)
                    if now >= due[sweep.name] and (last is None or last.done()):
                        due[sweep.name] = now + scaled(sweep.every_seconds)
                        running[sweep.name] = pool.submit(run_sweep, sweep)
                ending.wait(min(0.25, max(0.02, scaled(1.0))))


def run_sweep(sweep: Sweep) -> None:
    """One round. A sweep that fails is logged and tried again next time: the others must not wait for its repair."""
    try:
        with caused_by(""), job_tallies.counted(job_tallies.SWEEP + sweep.name):
            sweep.run()
    except Exception:
        logger.exception("sweep_failed", extra={"sweep": sweep.name})
    finally:
        _give_back_connections()


def _give_back_connections() -> None:
    for each in connections.all(initialized_only=True):
        each.close()


_background: tuple[Coordinator, threading.Thread] | None = None


def start_in_background() -> Coordinator:
    """For the jobs process: a thread beside its work."""
    global _background  # noqa: PLW0603  (one a process)
    if _background is None:
        coordinator = Coordinator()
        thread = threading.Thread(target=coordinator.run, name="coordinator", daemon=True)
        thread.start()
        _background = (coordinator, thread)
    return _background[0]


def stop_in_background() -> None:
    global _background  # noqa: PLW0603  (one a process)
    if _background is not None:
        coordinator, thread = _background
        coordinator.stop()
        thread.join(timeout=10)
        _background = None
