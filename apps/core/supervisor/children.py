"""One supervised process: its command, its output, its restarts."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from apps.core.embedded import processes

ROOT = Path(__file__).resolve().parents[3]
BACK_OFF_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
#: After so long a life a crash is news, not part of a series.
STABLE_SECONDS = 60.0


@dataclass(frozen=True)
class Role:
    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


def web(*, bind: str, port: int, asgi: str = "daphne") -> Role:
    """Any ASGI server can run ``config.asgi``; these two are known here."""
    if asgi == "uvicorn":
        command = ["uvicorn", "config.asgi:application", "--host", bind, "--port", str(port), "--log-level", "warning"]
        command += ["--no-access-log", "--no-server-header", "--timeout-graceful-shutdown", "5"]
    else:
        command = ["daphne", "--bind", bind, "--port", str(port), "--verbosity", "0", "--server-name", "parlance"]
        command += ["config.asgi:application"]
    return Role("web", _python(*command), {"PARLANCE_ROLE": "web"})


def interactive(*, node: str = "interactive") -> Role:
    """Threads only wait for the loop that holds all provider streams: a turn takes one, and they cost little."""
    threads = os.environ.get("PARLANCE_INTERACTIVE_THREADS", "200")
    command = _celery("-P", "threads", "-c", threads, "-Q", "interactive", "-n", f"{node}@%h")
    return Role("interactive", command, {"PARLANCE_ROLE": "interactive"})


def jobs(*, node: str = "jobs", beat: bool = True) -> Role:
    """``beat`` belongs into one process of an installation."""
    pool = os.environ.get("PARLANCE_JOBS_PROCESSES", "2")
    command = _celery("-P", "prefork", "-c", pool, "-Q", "jobs", "-n", f"{node}@%h", *(["-B"] if beat else []))
    return Role("jobs", command, {"PARLANCE_ROLE": "jobs"})


def _celery(*options: str) -> tuple[str, ...]:
    # Without gossip and mingle: workers that tell each other of themselves only cost start-up time and messages.
    quiet = ("--without-gossip", "--without-mingle", "--loglevel", os.environ.get("PARLANCE_LOG_LEVEL", "WARNING"))
    return _python("celery", "--quiet", "-A", "config.celery:app", "worker", *options, *quiet)


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)


class Child:
    def __init__(self, role: Role, *, environment: Mapping[str, str], ready_file: Path | None = None) -> None:
        """``ready_file`` appears when a worker takes tasks (``config.celery``)."""
        self.role, self._ready_file = role, ready_file
        self._environment = {**environment, **role.environment, "PYTHONUNBUFFERED": "1"}
        if ready_file is not None:
            self._environment["PARLANCE_READY_FILE"] = str(ready_file)
        self._process: subprocess.Popen[bytes] | None = None
        self._crashes = 0
        self._started = self._restart_at = 0.0
        self._rest = b""

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def output(self) -> int | None:
        """The descriptor to wait on for output."""
        return self._process.stdout.fileno() if self._process and self._process.stdout else None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def announced_ready(self) -> bool:
        return self._ready_file is not None and self._ready_file.exists()

    def start(self) -> None:
        if self._ready_file is not None:
            self._ready_file.unlink(missing_ok=True)
        self._started = time.monotonic()
        self._process = subprocess.Popen(
            self.role.command,
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # A session of its own: Ctrl-C reaches only us, we end the rest in order; and its children are found by it.
            start_new_session=True,
            preexec_fn=processes.die_with_parent(signal.SIGTERM),
        )
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)

    def read_lines(self) -> list[str]:
        """Complete lines written since the last call; at the end of the output also the unfinished one."""
        if self._process is None or self._process.stdout is None:
            return []
        try:
            read = os.read(self._process.stdout.fileno(), 65536)
        except BlockingIOError:
            return []
        if not read:
            self._process.stdout.close()
            self._process.stdout = None
            lines, self._rest = [self._rest] if self._rest else [], b""
        else:
            *lines, self._rest = (self._rest + read).split(b"\n")
        return [line.decode(errors="replace").rstrip() for line in lines]

    def crashed(self) -> int | None:
        """The exit code, once per death and after its last words were read; a restart is due after a growing pause."""
        if self._process is None or self._process.poll() is None:
            return None
        self.kill()  # what it forked still holds its output
        if self._process.stdout is not None:
            return None
        code = self._process.returncode
        self._crashes = 0 if time.monotonic() - self._started > STABLE_SECONDS else self._crashes
        pause = BACK_OFF_SECONDS[min(self._crashes, len(BACK_OFF_SECONDS) - 1)]
        self._crashes += 1
        self._restart_at = time.monotonic() + pause
        self._process = None
        return code

    def start_when_due(self) -> bool:
        if self._process is not None or time.monotonic() < self._restart_at:
            return False
        self.start()
        return True

    def ask_to_stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def kill(self) -> None:
        """The process and what it forked: pool processes outlive a killed worker."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
