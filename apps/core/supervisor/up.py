"""The supervisor's life: check, start, watch, stop."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import selectors
import signal
import socket
import sys
import time
from pathlib import Path
from types import FrameType

from django.core.exceptions import ImproperlyConfigured
from setproctitle import getproctitle

from apps.core.embedded.postgres_server import PostgresServer
from apps.core.embedded.redis_server import RedisServer
from apps.core.embedded.services import Services
from apps.core.embedded.types import EmbeddedError
from apps.core.supervisor import children, nursery, schema
from apps.core.supervisor.children import Child
from apps.core.supervisor.leftovers import RunRecord
from apps.core.supervisor.nursery import ROOT, Role
from config import env

#: A worker gives its streams 30 s to end by themselves (docs/operations.md); a little more, then it is killed.
STOP_SECONDS = 35.0
TICK_SECONDS = 0.1
HEALTH_SECONDS = 0.5
SERVER_RETRY_SECONDS = 5.0


def _keep_bytecode(folder: Path) -> None:
    """Where nothing may be written beside the code, every start would compile all of it: longer than it takes for all the rest."""
    if sys.dont_write_bytecode and sys.pycache_prefix is None:
        sys.dont_write_bytecode, sys.pycache_prefix = False, str(folder)
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(folder)


class Supervisor:
    def __init__(self) -> None:
        self._port = env.integer("PARLANCE_PORT", 8000)
        self._bind = env.text("PARLANCE_BIND", "127.0.0.1")
        self._url = env.text("PARLANCE_URL", f"http://localhost:{self._port}").rstrip("/")
        self._data = Path(env.text("PARLANCE_DATA_DIR", str(ROOT / "var"))).resolve()
        self._services = Services(self._data, postgres=not env.text("DATABASE_URL"), redis=not env.text("REDIS_URL"))
        self._record = RunRecord(self._data, url=self._url, port=self._port)
        self._children: list[Child] = []
        self._welcome: Child | None = None
        self._welcome_said: list[str] = []
        self._stops = 0
        self._interruptible = True
        self._server_retry_at = 0.0
        self._selector = selectors.DefaultSelector()
        self._wake_reader, self._wake_writer = socket.socketpair()

    def run(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        self._services.lock()
        _keep_bytecode(self._data / "bytecode")
        try:
            if left := self._record.end_leftovers():
                say(f"Ended {left} processes that an earlier run had left.")
            self._require_free_port()
            self._services.start()
            environment = self._environment()
            schema.migrate_if_needed(data=self._data, environment=environment)
            self._prepare_children(environment)
            self._interruptible = False
            self._watch()
        except KeyboardInterrupt:
            pass
        finally:
            self._interruptible = False
            self._stop()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stops += 1
        if self._interruptible:
            raise KeyboardInterrupt
        with contextlib.suppress(BlockingIOError):
            self._wake_writer.send(b".")

    def _require_free_port(self) -> None:
        family = socket.AF_INET6 if ":" in self._bind else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self._bind, self._port))
            except OSError as error:
                raise EmbeddedError(
                    f"Port {self._port} on {self._bind} cannot be used ({error.strerror}): choose another one with "
                    "PARLANCE_PORT."
                ) from None

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            **self._services.urls().environment(),
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "PARLANCE_DATA_DIR": str(self._data),
            "PARLANCE_PORT": str(self._port),
            # One screen for four processes: what needs attention, unless more is asked for.
            "PARLANCE_LOG_LEVEL": env.text("PARLANCE_LOG_LEVEL", "WARNING"),
            "PARLANCE_LOG_FORMAT": env.text("PARLANCE_LOG_FORMAT", "text"),
        }

    def _prepare_children(self, environment: dict[str, str]) -> None:
        self._wake_writer.setblocking(False)
        self._wake_reader.setblocking(False)
        self._selector.register(self._wake_reader, selectors.EVENT_READ)
        ready = self._data / "ready"
        ready.mkdir(mode=0o700, exist_ok=True)
        (self._data / "static").mkdir(exist_ok=True)
        os.environ.update(environment)
        asgi = env.text("PARLANCE_ASGI", "daphne")
        web = Child(children.web(bind=self._bind, port=self._port, asgi=asgi), environment=environment)
        if nursery.CAN_FORK:
            nursery.preload(asgi)
        self._children.append(web)
        self._start_what_is_down()
        if schema.has_command("first_start"):
            self._welcome = Child(Role("welcome", "django", ("first_start",)), environment=environment)
            self._start(self._welcome)
        for role in (children.interactive(), children.calls(), children.jobs()):
            self._children.append(Child(role, environment=environment, ready_file=ready / role.name))

    def _start(self, child: Child) -> None:
        if child.start_when_due():
            assert child.output is not None
            self._selector.register(child.output, selectors.EVENT_READ, child)
            self._record.write([pid for each in self._children if (pid := each.pid)])

    def _watch(self) -> None:
        shown = False
        while not self._stops:
            self._start_what_is_down()
            self._print_output()
            if not shown and self._is_ready() and (line := self._welcome_line()):
                shown = True
                print(line, flush=True)

    def _start_what_is_down(self) -> None:
        for child in self._children:
            if (code := child.crashed()) is not None:
                say(f"{child.role.name} ended ({describe(code)}); starting it again.")
            self._start(child)
        for server in self._services.servers:
            if server.has_exited() and time.monotonic() >= self._server_retry_at:
                self._restart_server(server)

    def _restart_server(self, server: PostgresServer | RedisServer) -> None:
        say(f"{server.name} ended; starting it again.")
        try:
            server.start()
        except EmbeddedError as error:
            say(str(error))
            self._server_retry_at = time.monotonic() + SERVER_RETRY_SECONDS

    def _print_output(self) -> None:
        for key, _ in self._selector.select(TICK_SECONDS):
            if key.fileobj is self._wake_reader:
                self._wake_reader.recv(64)
                continue
            child: Child = key.data
            lines = [line for line in child.read_lines() if line]
            if child is self._welcome:
                self._welcome_said += lines
                lines = []
            for line in lines:
                print(f"{child.role.name:>11} | {line}", flush=True)
            if child.output is None:  # its last writer is gone
                self._selector.unregister(key.fileobj)

    def _is_ready(self) -> bool:
        """All workers take tasks and the page answers."""
        workers = [child for child in self._children if child.role.name != "web"]
        if not all(child.announced_ready for child in workers):
            return False
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._bind, self._bind)  # noqa: S104 - compared, not bound
        connection = http.client.HTTPConnection(host, self._port, timeout=HEALTH_SECONDS)
        try:
            connection.request("GET", "/healthz", headers={"Host": "localhost"})
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _welcome_line(self) -> str | None:
        """The address, with the sign-in link that ``first_start`` printed, if it did; None while it is still at work."""
        line = f"Parlance is ready: {self._url}"
        if self._welcome is None:
            return line
        code = self._welcome.crashed()
        if code is None:
            return None
        self._welcome = None
        said = "\n".join(self._welcome_said)
        if code == os.EX_CONFIG:  # what serves goes on meanwhile: the way out may be a command that needs the database
            return f"Parlance is not ready. {said.removeprefix('CommandError: ')} Then start it again."
        if code:
            say(f"The first start could not be completed:\n{said}")
        elif link := re.search(r"https?://\S+", said):
            line += f" · sign in once with {link[0]}"
        return line

    def _stop(self) -> None:
        """Web and workers first, so that they can write their last words; Redis and the database last.

        A second Ctrl-C gives the processes no more time. The database is always stopped in order.
        """
        if self._children:
            say("Stopping (again Ctrl-C: at once).")
        if self._welcome is not None:
            self._welcome.kill()
        before = self._stops
        for child in self._children:
            child.ask_to_stop()
        deadline = time.monotonic() + STOP_SECONDS
        while any(child.is_running for child in self._children):
            if time.monotonic() > deadline or self._stops > before:
                break
            self._print_output()
        for child in self._children:
            child.kill()
        self._record.remove()
        self._services.stop()


def say(text: str) -> None:
    print(f"{'parlance':>11} | {text}", flush=True)


def describe(code: int) -> str:
    """A negative code is the signal that ended the process."""
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def main() -> None:
    getproctitle()  # finds the place of the title through the environment, before anything changes that
    try:
        Supervisor().run()
    except (EmbeddedError, ImproperlyConfigured) as error:
        sys.exit(str(error))
