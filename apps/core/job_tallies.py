"""How often jobs and sweeps ran, how long they took, and how many ended in an error: rows by name and day.

Each process adds up what it did and writes it every few seconds, so that a job costs no statement of its own; a process that dies loses
the last of it. A job whose work is put off, or found done, ran all the same.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DatabaseError, InterfaceError, connection
from django.db.models import Max, Sum
from django.db.models.functions import Now, TruncDate
from psycopg_pool import PoolTimeout

from apps.core.leases import scaled
from apps.core.models import JobTally

logger = logging.getLogger(__name__)

WRITE_SECONDS = 10.0
KEPT_DAYS = 30
SWEEP = "sweep: "

_ADD = """
INSERT INTO core_jobtally (name, day, runs, failures, seconds, longest_seconds, last_at)
SELECT name, (clock_timestamp() AT TIME ZONE 'UTC')::date, runs, failures, seconds, longest, clock_timestamp()
FROM unnest(%(names)s::text[], %(runs)s::int[], %(failures)s::int[], %(seconds)s::float8[], %(longest)s::float8[])
  AS done(name, runs, failures, seconds, longest) ORDER BY name
ON CONFLICT (name, day) DO UPDATE SET runs = core_jobtally.runs + excluded.runs, failures = core_jobtally.failures + excluded.failures,
  seconds = core_jobtally.seconds + excluded.seconds, last_at = excluded.last_at,
  longest_seconds = greatest(core_jobtally.longest_seconds, excluded.longest_seconds)
"""


@dataclass(slots=True)
class _Done:
    runs: int = 0
    failures: int = 0
    seconds: float = 0.0
    longest: float = 0.0


@dataclass(frozen=True, slots=True)
class JobStats:
    """Of the last 30 days. ``failures`` ended in an error that nobody expected."""

    kind: str
    runs: int
    failures: int
    seconds: float
    longest_seconds: float
    last_at: datetime

    @property
    def seconds_a_run(self) -> float:
        return self.seconds / self.runs


_done: dict[str, _Done] = {}
_lock = threading.Lock()
_written_at = float("-inf")


@contextmanager
def counted(name: str) -> Iterator[None]:
    began, has_failed = time.monotonic(), True
    try:
        yield
        has_failed = False
    finally:
        _add(name, time.monotonic() - began, has_failed=has_failed)


def _add(name: str, seconds: float, *, has_failed: bool) -> None:
    global _written_at  # noqa: PLW0603  (of this process, as what it counts)
    with _lock:
        done = _done.setdefault(name[:80], _Done())
        done.runs += 1
        done.failures += has_failed
        done.seconds += seconds
        done.longest = max(done.longest, seconds)
        is_due = time.monotonic() - _written_at >= scaled(WRITE_SECONDS)
        if is_due:
            _written_at = time.monotonic()
    if is_due:
        write()


def write() -> None:
    """What was not written stays for the next time: a count is no reason for a job to fail."""
    with _lock:
        found = dict(_done)
        _done.clear()
    if not found:
        return
    each = list(found.values())
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                _ADD,
                {
                    "names": list(found),
                    "runs": [one.runs for one in each],
                    "failures": [one.failures for one in each],
                    "seconds": [one.seconds for one in each],
                    "longest": [one.longest for one in each],
                },
            )
    except (DatabaseError, InterfaceError, PoolTimeout) as error:
        logger.warning("job_tallies_not_written", extra={"reason": type(error).__name__})
        with _lock:
            for name, one in found.items():
                kept = _done.setdefault(name, _Done())
                kept.runs, kept.failures = kept.runs + one.runs, kept.failures + one.failures
                kept.seconds, kept.longest = kept.seconds + one.seconds, max(kept.longest, one.longest)


def stats() -> list[JobStats]:
    rows = JobTally.objects.filter(day__gt=TruncDate(Now()) - timedelta(days=KEPT_DAYS)).values("name").order_by("name")
    found = rows.annotate(Sum("runs"), Sum("failures"), Sum("seconds"), Max("longest_seconds"), Max("last_at"))
    return [
        JobStats(
            row["name"],
            row["runs__sum"],
            row["failures__sum"],
            row["seconds__sum"],
            row["longest_seconds__max"],
            row["last_at__max"],
        )
        for row in found
    ]


def forget_old() -> None:
    JobTally.objects.filter(day__lte=TruncDate(Now()) - timedelta(days=KEPT_DAYS)).delete()
