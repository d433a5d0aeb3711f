"""How many processes of a jobs worker do bulk work at once: all but one, so that a mail never waits behind a million items.

A seat is a lock on one byte of a file, which the kernel lifts when the process dies, however it dies.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

FILE = "bulk.seats"
MOST = 256


def how_many() -> int:
    return max(1, min(MOST, int(os.environ.get("PARLANCE_JOBS_PROCESSES", "2")) - 1))


@contextlib.contextmanager
def taken() -> Iterator[int | None]:
    """A seat among the children of this process's parent, None when all are taken."""
    path = Path(settings.DATA_DIR) / FILE
    with path.open("ab") as file:
        yield _lock(file.fileno())  # closing the file gives the seat back


def _lock(descriptor: int) -> int | None:
    first = (os.getppid() % (1 << 22)) * MOST
    for seat in range(how_many()):
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, first + seat)
        except OSError:
            continue
        return seat
    return None
