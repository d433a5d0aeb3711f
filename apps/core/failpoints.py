"""Places where tests stop or kill a process, to see what is left behind.

``hit("before_commit")`` does nothing unless ``PARLANCE_FAILPOINTS`` was set when the process started *and* it runs under
``PARLANCE_TESTING``; in every other process the function is empty. ``PARLANCE_FAILPOINTS="after_commit=kill@3,
mid_flush=raise"``: the third time there, SIGKILL to ourselves; every time there, ``FailpointReached``.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable

NAMES = frozenset({"before_commit", "after_commit", "after_publish", "after_send", "mid_flush", "disk_full"})


class FailpointReached(Exception):
    """Raised by ``raise``; nothing of ours catches it."""


def _nothing(name: str) -> None:
    return


class Failpoints:
    """``spec`` as above. Actions: ``kill``, ``raise``, ``full`` (the disk), ``sleep:<seconds>``; ``@n``: the n-th time only."""

    def __init__(self, spec: str) -> None:
        self._points: dict[str, tuple[str, int]] = {}
        self._seen: dict[str, int] = {}
        self._lock = threading.Lock()
        for part in filter(None, (each.strip() for each in spec.split(","))):
            name, _equals, rest = part.partition("=")
            action, _at, turn = rest.partition("@")
            if name not in NAMES or action.partition(":")[0] not in {"kill", "raise", "full", "sleep"}:
                message = f"PARLANCE_FAILPOINTS: {part!r} is not understood."
                raise ValueError(message)
            self._points[name] = (action, int(turn or 0))

    def hit(self, name: str) -> None:
        if name not in self._points:
            return
        action, turn = self._points[name]
        with self._lock:
            self._seen[name] = self._seen.get(name, 0) + 1
            if turn and self._seen[name] != turn:
                return
        kind, _colon, argument = action.partition(":")
        if kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif kind == "sleep":
            time.sleep(float(argument))
        elif kind == "full":
            raise OSError(28, "No space left on device")
        else:
            raise FailpointReached(name)


def _chosen() -> Callable[[str], None]:
    spec = os.environ.get("PARLANCE_FAILPOINTS", "")
    return Failpoints(spec).hit if spec and os.environ.get("PARLANCE_TESTING") == "1" else _nothing


hit: Callable[[str], None] = _chosen()
