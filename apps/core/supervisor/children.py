"""The four roles, and one supervised process with its output and its restarts."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from apps.core.supervisor import nursery
from apps.core.supervisor.nursery import Process, Role

BACK_OFF_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
#: After so long a life a crash is news, not part of a series.
STABLE_SECONDS = 60.0


def web(*, bind: str, port: int, asgi: str = "daphne") -> Role:
    """Any ASGI server can run ``config.asgi``; these two are known here."""
    options: tuple[str, ...]
    if asgi == "uvicorn":
        options = ("--host", bind, "--port", str(port), "--log-level", "warning", "--no-access-log")
        options += ("--no-server-header", "--timeout-graceful-shutdown", "5", "--timeout-keep-alive", "75")
    else:
        asgi = "daphne"
        options = ("--bind", bind, "--port", str(port), "--verbosity", "0", "--server-name", "parlance")
    return Role("web", asgi, (*options, "config.asgi:application"), {"PARLANCE_ROLE": "web"})


def interactive(*, node: str = "interactive") -> Role:
    """A task hands its turn to the loop that holds all provider streams, and returns. Threads are made when hints come in a burst."""
    threads = os.environ.get("PARLANCE_INTERACTIVE_THREADS", "200")
    arguments = _worker("-P", "threads", "-c", threads, "-Q", "interactive", "-n", f"{node}@%h")
    return Role("interactive", "celery", arguments, {"PARLANCE_ROLE": "interactive"})


def calls(*, node: str = "calls") -> Role:
    """Jobs that wait for other servers, each in a thread: an endpoint that hangs takes one of them, and no process from what only computes."""
    threads = os.environ.get("PARLANCE_CALL_THREADS", "10")
    arguments = _worker("-P", "threads", "-c", threads, "-Q", "calls", "-n", f"{node}@%h")
    return Role("calls", "celery", arguments, {"PARLANCE_ROLE": "calls"})


def jobs(*, node: str = "jobs", beat: bool = True) -> Role:
    """``beat`` (``core.scheduler``) belongs into one process of an installation."""
    pool = os.environ.get("PARLANCE_JOBS_PROCESSES", "2")
    arguments = _worker("-P", "prefork", "-c", pool, "-Q", "jobs", "-n", f"{node}@%h")
    return Role("jobs", "celery", arguments, {"PARLANCE_ROLE": "jobs", **({"PARLANCE_BEAT": "1"} if beat else {})})


def _worker(*options: str) -> tuple[str, ...]:
    # Workers that tell each other of themselves only cost start-up time and messages; ours beat in the database.
    quiet = (
        "--without-gossip",
        "--without-mingle",
        "--without-heartbeat",
        "--loglevel",
        os.environ.get("PARLANCE_LOG_LEVEL", "WARNING"),
    )
    # `migrate` has run Django's checks, which read every model: here they would unshare 10 MB of each worker.
    return ("--quiet", "--skip-checks", "-A", "config.celery:app", "worker", *options, *quiet)


class Child:
    def __init__(
        self,
        role: Role,
        *,
        environment: Mapping[str, str],
        ready_file: Path | None = None,
        begin: Callable[[Role, Mapping[str, str]], Process] = nursery.begin,
    ) -> None:
        """``ready_file`` appears when a worker takes tasks (``config.celery``)."""
        self.role, self._ready_file, self._begin = role, ready_file, begin
        self._environment = dict(environment)
        if ready_file is not None:
            self._environment["PARLANCE_READY_FILE"] = str(ready_file)
        self._process: Process | None = None
        self._crashes = 0
        self._started = self._restart_at = 0.0
        self._rest = b""
        self.output: int | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def announced_ready(self) -> bool:
        return self._ready_file is not None and self._ready_file.exists()

    def start_when_due(self) -> bool:
        if self._process is not None or time.monotonic() < self._restart_at:
            return False
        if self._ready_file is not None:
            self._ready_file.unlink(missing_ok=True)
        self._started = time.monotonic()
        self._process = self._begin(self.role, self._environment)
        self.output = self._process.output
        return True

    def read_lines(self) -> list[str]:
        """Complete lines written since the last call; at the end of the output also the unfinished one."""
        if self.output is None:
            return []
        try:
            read = os.read(self.output, 65536)
        except BlockingIOError:
            return []
        if read:
            *lines, self._rest = (self._rest + read).split(b"\n")
        else:
            os.close(self.output)
            self.output = None
            lines, self._rest = [self._rest] if self._rest else [], b""
        return [line.decode(errors="replace").rstrip() for line in lines]

    def crashed(self) -> int | None:
        """The exit code, once per death and after its last words were read; a restart is due after a growing pause."""
        if self._process is None or self._process.poll() is None:
            return None
        self.kill()  # what it forked still holds its output
        if self.output is not None:
            return None
        code = self._process.wait()
        self._crashes = 0 if time.monotonic() - self._started > STABLE_SECONDS else self._crashes
        pause = BACK_OFF_SECONDS[min(self._crashes, len(BACK_OFF_SECONDS) - 1)]
        self._crashes += 1
        self._restart_at = time.monotonic() + pause
        self._process = None
        return code

    def ask_to_stop(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send(signal.SIGTERM)

    def kill(self) -> None:
        """The process and what it forked: pool processes outlive a killed worker."""
        if self._process is not None:
            self._process.kill_session()
