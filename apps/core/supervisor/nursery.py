"""Where processes come from: copies of this one with Django already loaded, or fresh ones.

Loading Django, the apps and what serves them costs each process about 4 s of CPU and 150 MB. On Linux the supervisor loads
them once and forks: web and the workers then start in a fraction of the time and share that memory (copy on write).
Elsewhere, where a fork of a process with system frameworks loaded is not safe, each is a fresh interpreter.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from apps.core.embedded import processes

ROOT = Path(__file__).resolve().parents[3]
CAN_FORK = sys.platform == "linux"
#: Not ``daphne.server``: it makes the event loop, whose descriptors a child would share.
SERVER_MODULES = {"daphne": ("daphne.endpoints", "daphne.http_protocol", "daphne.ws_protocol")}
WORKER_MODULES = (
    *(f"celery.{name}" for name in ("bin.celery", "apps.worker", "app.control", "app.log")),
    *(f"celery.concurrency.{name}" for name in ("prefork", "thread")),
    *(f"celery.worker.{name}" for name in ("autoscale", "components", "consumer", "loops", "pidbox", "strategy")),
)


@dataclass(frozen=True)
class Role:
    """A program, named as for ``python -m``."""

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", self.module, *self.arguments]


class Process:
    """A child and the descriptor of its output (stdout and stderr)."""

    def __init__(self, pid: int, output: int) -> None:
        self.pid, self.output = pid, output
        self.code: int | None = None
        os.set_blocking(output, False)

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        if self.code is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:  # somebody else waited for it
                self.code = 0
            else:
                self.code = os.waitstatus_to_exitcode(status) if pid else None
        return self.code

    def wait(self) -> int:
        while (code := self.poll()) is None:
            time.sleep(0.01)
        return code

    def send(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill_session(self) -> None:
        """The process and what it forked."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self.wait()


def begin(role: Role, environment: Mapping[str, str]) -> Process:
    """Start the role in a session of its own: Ctrl-C reaches only us, and what it forks is found by the session."""
    return fork(role, environment) if CAN_FORK else spawn(role, environment)


def spawn(role: Role, environment: Mapping[str, str]) -> Process:
    reader, writer = os.pipe()
    with subprocess.Popen(
        role.command,
        cwd=ROOT,
        env={**environment, **role.environment, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=writer,
        start_new_session=True,
        preexec_fn=processes.die_with_parent(signal.SIGTERM),
    ) as child:
        os.close(writer)
        pid = child.pid
        child.returncode = 0  # from here on it is waited for by ``Process``
    return Process(pid, reader)


def fork(role: Role, environment: Mapping[str, str]) -> Process:
    reader, writer = os.pipe()
    try:
        return Process(fork_onto(role, environment, output=writer, errors=writer), reader)
    finally:
        os.close(writer)


def fork_onto(role: Role, environment: Mapping[str, str], *, output: int, errors: int) -> int:  # noqa: RET503 - the child never returns
    """The number of a process that runs ``role`` and writes to these two descriptors."""
    if threading.active_count() > 1:
        raise RuntimeError(f"A fork would lose the threads {threading.enumerate()}: no import may start one.")
    sys.stdout.flush()
    sys.stderr.flush()
    set_death_signal = processes.die_with_parent(signal.SIGTERM)
    if pid := os.fork():
        return pid
    code = 1
    try:
        if set_death_signal is not None:
            set_death_signal()
        _leave_the_parent_behind(output, errors)
        code = _run(role, environment)
    except BaseException:  # noqa: BLE001 - nothing may reach the supervisor's own frames below
        traceback.print_exc()
    _end(code)


def preload(server: str) -> None:
    """All that web, behind ``server``, and the workers hold when they are ready.

    What a child loads by itself is not only memory of its own: it fills holes in pages that it shared until then, so that
    20 MB of modules cost 40. The collector is off, because it would only look at objects that live for ever.
    """
    gc.disable()
    import django

    django.setup()
    from django.urls import get_resolver

    _ = get_resolver().url_patterns
    # The prompt of `celery amqp`, which nobody opens here: 171 modules and a tenth of the start.
    prompt = ModuleType("click_repl")
    prompt.register_repl = lambda _group: None  # type: ignore[attr-defined]
    sys.modules.setdefault("click_repl", prompt)
    for name in (*SERVER_MODULES.get(server, ()), *WORKER_MODULES):
        import_module(name)
    from config.celery import load_all

    load_all()
    gc.freeze()
    gc.enable()


def _leave_the_parent_behind(output: int, errors: int) -> None:
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    silence = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((silence, 0), (output, 1), (errors, 2)):
        os.dup2(source, target)
    # Among them the lock of the data folder: held by a child it would outlive the supervisor.
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    gc.enable()


def _run(role: Role, environment: Mapping[str, str]) -> int:
    from django.conf import settings
    from setproctitle import setproctitle

    os.environ.update({**environment, **role.environment})
    settings.PROCESS_ROLE = role.environment.get("PARLANCE_ROLE", "command")  # all else is the same for every role
    setproctitle(" ".join([role.module, *role.arguments]))
    sys.argv = [role.module, *role.arguments]
    warnings.filterwarnings("ignore", category=UserWarning, module=r"celery\.platforms")
    try:
        runpy.run_module(role.module, run_name="__main__", alter_sys=True)
    except SystemExit as leaving:
        if isinstance(leaving.code, int) or leaving.code is None:
            return leaving.code or 0
        print(leaving.code, file=sys.stderr)
        return 1
    return 0


def _end(code: int) -> NoReturn:
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()  # noqa: SLF001 - what the interpreter would call; os._exit does not
    with contextlib.suppress(BaseException):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
