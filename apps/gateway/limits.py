"""How many answers one process writes at once, in all and for one organization: what streams here is no turn and has no queue."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from apps.gateway.types import TooManyCalls

PER_PROCESS = 200
PER_ORGANIZATION = 50

_running: Counter[UUID] = Counter()
_lock = threading.Lock()


@contextmanager
def place(organization_id: UUID) -> Iterator[None]:
    """Raises ``TooManyCalls`` when there is none. Entered on the loop, left on the loop or in the thread that closes the answer."""
    with _lock:
        if _running.total() >= PER_PROCESS or _running[organization_id] >= PER_ORGANIZATION:
            raise TooManyCalls(retry_after_seconds=2)
        _running[organization_id] += 1
    try:
        yield
    finally:
        with _lock:
            _running[organization_id] -= 1
            if not _running[organization_id]:
                del _running[organization_id]
