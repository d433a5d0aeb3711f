"""Processes of an earlier run that was killed: found again and ended before new ones start."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterable
from pathlib import Path

import psutil

from apps.core.embedded import processes

GRACE_SECONDS = 5.0


class RunRecord:
    """``run.json``: the processes of this run, and where its web listens (``config.env.running_address``). A run that ended in order leaves none."""

    def __init__(self, data: Path, *, url: str = "", port: int = 0) -> None:
        self._path = data / "run.json"
        self._address = {"url": url, "port": port}

    def write(self, pids: Iterable[int]) -> None:
        found = []
        for pid in pids:
            try:
                found.append({"pid": pid, "started": psutil.Process(pid).create_time()})
            except psutil.NoSuchProcess:
                continue
        self._path.write_text(json.dumps(self._address | {"processes": found}))

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)

    def end_leftovers(self) -> int:
        """End what is left of the recorded processes and of their sessions; say how many there were."""
        try:
            found = json.loads(self._path.read_text())
            entries = found if isinstance(found, list) else found["processes"]  # a list: written by an earlier version
            recorded = {int(entry["pid"]): float(entry["started"]) for entry in entries}
        except (OSError, ValueError, KeyError, TypeError):
            return 0
        # A number that meanwhile belongs to another program does not count: it started at another time.
        sessions = {pid for pid, started in recorded.items() if _started(pid) in (None, started)}
        left = [process for process in psutil.process_iter() if _session(process.pid) in sessions]
        processes.end(left, (signal.SIGTERM, GRACE_SECONDS), processes.KILL)
        self.remove()
        return len(left)


def _started(pid: int) -> float | None:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return None


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return None
