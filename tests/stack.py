"""The real processes against a database of their own: for browser tests, drills, attacks and benchmarks."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import psycopg
import redis
from psycopg import sql

from apps.core.embedded import processes
from apps.core.embedded.postgres_server import ADMIN
from apps.core.embedded.services import Services
from apps.core.supervisor import children
from apps.core.supervisor.nursery import ROOT, Role
from tests import services, wrong_clock
from tests.nursery import Fork, Nursery

READY_SECONDS = 60.0
STOP_SECONDS = 40.0


class Stack:
    """Web, interactive, calls and jobs as `manage.py up` starts them, without the supervisor, so that a test may kill them.

    ``with Stack(env={"PARLANCE_TIME_SCALE": "0.05"}) as stack:`` has a migrated database, an empty Redis database and
    answering processes. ``own_services=True`` gives it a PostgreSQL and a Redis of its own (``stack.services``), which
    may be killed and wiped (``durable``: written to disk as in production); else it shares the run's. More processes:
    ``webs=2``, ``interactives=2`` (``web-2`` …); ``calls`` go with ``jobs``. ``clocks={"web-2": 3600}``: by how many seconds a process's clock is fast. ``prepare`` is called with the stack when the servers' folders are there
    and nothing runs yet; ``before_removal`` when nothing runs any more.
    """

    def __init__(
        self,
        *,
        env: Mapping[str, str] | None = None,
        webs: int = 1,
        interactives: int = 1,
        jobs: int = 1,
        calls: int | None = None,
        own_services: bool = False,
        durable: bool = False,
        asgi: str = "daphne",
        pin_to_cpu: int | None = None,
        clocks: Mapping[str, float] | None = None,
        prepare: Callable[[Stack], None] | None = None,
    ) -> None:
        self._prepare_more = prepare
        self.before_removal: list[Callable[[], None]] = []
        self._given = dict(env or {})
        self._counts = {
            "web": webs,
            "interactive": interactives,
            "calls": min(1, jobs) if calls is None else calls,
            "jobs": jobs,
        }
        self._own_services, self._durable, self._asgi, self._pin = own_services, durable, asgi, pin_to_cpu
        self._clocks = dict(clocks or {})
        self._nurseries: list[Nursery] = []
        self._running: dict[str, Fork] = {}
        self._roles: dict[str, Role] = {}
        self.name = f"stack_{uuid.uuid4().hex[:10]}"
        self.folder = Path(tempfile.mkdtemp(prefix="parlance-stack-"))
        self.ports: dict[str, int] = {}
        self.services: Services | None = None
        self.env: dict[str, str] = {}

    def __enter__(self) -> Self:
        try:
            self._prepare()
            for role in self._roles:
                self._spawn(role)
            for role in self._roles:
                self.wait_ready(role)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(print_logs=error is not None)

    # Addresses

    @property
    def base_url(self) -> str:
        return self.url_of("web")

    def url_of(self, role: str) -> str:
        return f"http://127.0.0.1:{self.ports[role]}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.ports['web']}/ws/"

    @property
    def owner_url(self) -> str:
        return self.env["DATABASE_OWNER_URL"]

    def sql(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """One statement as the owner; its rows, if it has any."""
        with psycopg.connect(self.owner_url, autocommit=True) as connection:
            cursor = connection.execute(query, parameters)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.env["REDIS_URL"])

    # Processes

    @property
    def roles(self) -> list[str]:
        return list(self._roles)

    def pid(self, role: str) -> int:
        return self._running[role].pid

    def pids(self, role: str) -> list[int]:
        """The process and what it forked."""
        process = psutil.Process(self.pid(role))
        return [process.pid, *(child.pid for child in process.children(recursive=True))]

    def is_running(self, role: str) -> bool:
        return role in self._running and self._running[role].runs

    def send(self, role: str, number: int) -> None:
        """To the main process, without waiting for what it does."""
        self._running[role].send_signal(number)

    def kill(self, role: str, number: int = signal.SIGKILL, *, wait_seconds: float = STOP_SECONDS) -> None:
        """Send the signal to the main process and wait for its end; after SIGKILL its pool processes die too."""
        process = self._running[role]
        process.send_signal(number)
        if number in {signal.SIGSTOP, signal.SIGCONT}:
            return
        process.wait(wait_seconds)
        if number == signal.SIGKILL:
            self._kill_session(process)

    def restart(self, role: str, *, number: int = signal.SIGTERM) -> None:
        if self.is_running(role):
            self.kill(role, number)
        self.start(role)

    def start(self, *roles: str) -> None:
        """Together, as the supervisor does."""
        for role in roles:
            self._spawn(role)
        for role in roles:
            self.wait_ready(role)

    def wait_ready(self, role: str, *, seconds: float = READY_SECONDS) -> None:
        def ready() -> bool:
            if not self.is_running(role):
                raise AssertionError(f"{role} ended while it started:\n{self.log(role)[-4000:]}")
            return self._answers(role) if role in self.ports else self._ready_file(role).exists()

        if not processes.wait_until(ready, seconds=seconds, every_seconds=0.05):
            raise AssertionError(f"{role} was not ready after {seconds} s:\n{self.log(role)[-4000:]}")

    def log(self, role: str) -> str:
        path = self._log_path(role)
        return path.read_text(errors="replace") if path.exists() else ""

    def manage(self, *arguments: str, env: Mapping[str, str] | None = None, check: bool = True) -> str:
        """The output of a management command run beside the processes."""
        if env is None:
            code, output, errors = self._nurse().run(Role("command", "django", arguments))
        else:
            command = [sys.executable, "manage.py", *arguments]
            done = subprocess.run(
                command, cwd=ROOT, env={**self.env, **env}, capture_output=True, text=True, check=False
            )
            code, output, errors = done.returncode, done.stdout, done.stderr
        if check and code:
            raise AssertionError(f"manage.py {' '.join(arguments)} failed:\n{output}{errors}")
        return output

    def stop(self, *, print_logs: bool = False) -> None:
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for process in self._running.values():
            with contextlib.suppress(TimeoutError):
                process.wait(max(0.1, deadline - time.monotonic()))
            self._kill_session(process)
        while self._nurseries:
            self._nurseries.pop().end()
        if print_logs:
            for role in self._roles:
                print(f"--- {role} ---\n{self.log(role)[-8000:]}")
        if self.services is not None:
            self.services.stop()
            for act in self.before_removal:
                act()
            self.services.remove()
            self.services = None
        elif self.env:
            self._drop_database()
            with self.redis() as client:
                client.flushdb()
        shutil.rmtree(self.folder, ignore_errors=True)

    # How it is made

    def _prepare(self) -> None:
        if self._own_services:
            self.services = Services(self.folder / "services", durable=self._durable)
            self.services.lock()
            if self._prepare_more is not None:
                self._prepare_more(self)
            self.services.start()
            urls = self.services.urls().environment()
        else:
            if services.ADMIN_URL_VARIABLE not in os.environ:
                raise RuntimeError("No test servers: start them with tests.services.start_services() and export().")
            self._create_database()
            urls = {
                "DATABASE_URL": services.app_url(self.name),
                "DATABASE_OWNER_URL": services.owner_url(self.name),
                "REDIS_URL": _free_redis_database(os.environ["REDIS_URL"]),
            }
        inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
        self.env = {
            **inherited,
            **urls,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "PARLANCE_DATA_DIR": str(self.folder / "data"),
            "PARLANCE_REDIS_PREFIX": f"{self.name}:",
            "PARLANCE_SECRET_KEY": "tests-only",
            "PARLANCE_LOG_LEVEL": "INFO",
            "PARLANCE_LOG_FORMAT": "text",
            "PYTHONUNBUFFERED": "1",
            "PYTHONWARNINGS": "ignore::UserWarning:celery.platforms",
        }
        (self.folder / "data" / "static").mkdir(parents=True, exist_ok=True)
        self._name_roles()
        self.env = {"PARLANCE_URL": self.base_url if self.ports else "http://localhost", **self.env, **self._given}
        if self.services is not None:
            if copied := services.ADMIN_URL_VARIABLE in os.environ:
                services.load_migrated(self.services)
            if not copied or "PARLANCE_EXTRA_APPS" in self.env:
                self.manage("migrate", "--no-input", env={"PARLANCE_AS_OWNER": "1"})

    def _name_roles(self) -> None:
        for kind, count in self._counts.items():
            for number in range(1, count + 1):
                name = kind if number == 1 else f"{kind}-{number}"
                if kind == "web":
                    self.ports[name] = _free_port()
                    self._roles[name] = children.web(bind="127.0.0.1", port=self.ports[name], asgi=self._asgi)
                elif kind == "jobs":
                    self._roles[name] = children.jobs(node=name, beat=number == 1)
                else:
                    self._roles[name] = {"interactive": children.interactive, "calls": children.calls}[kind](node=name)

    def _spawn(self, role: str) -> None:
        self._ready_file(role).unlink(missing_ok=True)
        ready = {"PARLANCE_READY_FILE": str(self._ready_file(role))}
        program = self._roles[role]
        if role in self._clocks:
            program = wrong_clock.at(program, self._clocks[role])
        self._running[role] = self._nurse().begin(program, ready, log=self._log_path(role))

    def _nurse(self) -> Nursery:
        """Settings are read when it starts, so another environment needs another one; what the first one forked needs the first."""
        if not self._nurseries or self._nurseries[-1].environment != self.env:
            self._nurseries.append(Nursery(self.env, server=self._asgi, folder=self.folder, cpu=self._pin))
        return self._nurseries[-1]

    def _answers(self, role: str) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[role], timeout=1)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status < http.client.INTERNAL_SERVER_ERROR
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _kill_session(self, process: Fork) -> None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return
        process.wait(STOP_SECONDS)

    def _ready_file(self, role: str) -> Path:
        return self.folder / f"{role}.ready"

    def _log_path(self, role: str) -> Path:
        return self.folder / f"{role}.log"

    def _create_database(self) -> None:
        services.copy_migrated(self.name)

    def _drop_database(self) -> None:
        with psycopg.connect(services.role_url(ADMIN, "postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(self.name)))


#: What belongs to the test process, not to the product.
NOT_INHERITED = {"PARLANCE_TESTING", "PARLANCE_REDIS_PREFIX", "PARLANCE_DATA_DIR", "PYTEST_CURRENT_TEST"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _free_redis_database(url: str) -> str:
    """Databases 1 to 63 in turn; 0 is for the tests that share one."""
    with redis.Redis.from_url(url) as client:
        number = client.incr("stack:databases") % 63 + 1
    return re.sub(r"db=\d+", f"db={number}", url)
