"""One process for each stack that has loaded everything and forks what the stack asks for, as the supervisor does.

A nursery reads a line of JSON for each program (its environment, the files of its output) and answers with a line that holds
its number; with ``"wait": true`` the line comes at the program's end and holds its exit code. The end of its input ends the
nursery, and with it all that it forked.

Settings are read when Django is loaded, so each stack needs a nursery of its own. Half of what it loads are libraries that know
no settings: the cradle, one process for each process of tests, has loaded those once, and nurseries are its forks.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import psutil

from apps.core.embedded import processes
from apps.core.supervisor import nursery
from apps.core.supervisor.nursery import ROOT, Role

ANSWER_SECONDS = 120.0
REAP_SECONDS = 0.05
POLL_SECONDS = 0.01
MAX_QUESTION = 1_000_000  # bytes
READ_AT_THE_BEGINNING = ("PYTHONPATH", "LD_PRELOAD", "TZ", "LANG", "LC_ALL")
#: What takes long to load and reads no settings.
LIBRARIES = (
    *(
        "autobahn.twisted.websocket",
        "cryptography.hazmat.primitives.asymmetric.ec",
        "fido2.server",
        "jsonschema_rs",
        "jwt",
    ),
    *(
        "markdown_it",
        "openai",
        "OpenSSL.SSL",
        "PIL.Image",
        "psycopg_pool",
        "pydantic",
        "redis.asyncio",
        "requests",
        "rich.console",
    ),
    *nursery.WORKER_MODULES,
)


class Fork:
    """A process that a nursery forked, the first of a session of its own."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        try:
            self._process: psutil.Process | None = psutil.Process(pid)
        except psutil.NoSuchProcess:
            self._process = None

    @property
    def runs(self) -> bool:
        try:
            process = self._process
            return process is not None and process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def send_signal(self, number: int) -> None:
        if self.runs:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.runs:
            if time.monotonic() > deadline:
                raise TimeoutError(f"Process {self.pid} still runs after {seconds} s.")
            time.sleep(POLL_SECONDS)


class Nursery:
    """Its side in the test: ``begin`` a program that goes on, ``run`` one to its end."""

    def __init__(self, environment: Mapping[str, str], *, server: str, folder: Path, cpu: int | None = None) -> None:
        self.environment = dict(environment)
        self._folder, self._lock = folder, threading.Lock()
        # What an interpreter loads when it begins, it loads only in one of its own.
        is_plain = all(self.environment.get(name) == os.environ.get(name) for name in READ_AT_THE_BEGINNING)
        self._own_cradle = None if is_plain else Cradle(self.environment)
        read_by_it, written = os.pipe()
        read, written_by_it = os.pipe()
        try:
            self._process = (self._own_cradle or _cradle()).fork(
                self.environment, server=server, cpu=cpu, files=(read_by_it, written_by_it)
            )
        finally:
            os.close(read_by_it)
            os.close(written_by_it)
        self._questions, self._answers = os.fdopen(written, "wb", buffering=0), os.fdopen(read, "rb")

    def begin(self, role: Role, environment: Mapping[str, str], *, log: Path) -> Fork:
        return Fork(self._ask(role, environment, output=log, errors=log)["pid"])

    def run(self, role: Role) -> tuple[int, str, str]:
        """The exit code and what was written to stdout and stderr."""
        output, errors = self._folder / "command.out", self._folder / "command.err"
        output.unlink(missing_ok=True)
        errors.unlink(missing_ok=True)
        code = self._ask(role, {}, output=output, errors=errors, wait=True)["code"]
        return code, output.read_text(), errors.read_text()

    def end(self) -> None:
        self._questions.close()
        try:
            self._process.wait(5)
        except TimeoutError:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(5)
        self._answers.close()
        if self._own_cradle is not None:
            self._own_cradle.end()

    def _ask(
        self, role: Role, environment: Mapping[str, str], *, output: Path, errors: Path, wait: bool = False
    ) -> dict[str, int]:
        question = {
            "role": [role.name, role.module, role.arguments, dict(role.environment)],
            "environment": {**self.environment, **environment},
            "files": [str(output), str(errors)],
            "wait": wait,
        }
        with self._lock, selectors.DefaultSelector() as waiting:
            self._questions.write(json.dumps(question).encode() + b"\n")
            waiting.register(self._answers, selectors.EVENT_READ)
            if not waiting.select(ANSWER_SECONDS):
                raise AssertionError(f"The nursery did not answer within {ANSWER_SECONDS} s.")
            if not (line := self._answers.readline()):
                raise AssertionError("The nursery ended; its words stand above.")
        answer: dict[str, int] = json.loads(line)
        return answer


class Cradle:
    """Its side in the test: ``fork`` a nursery that reads from the first of two descriptors and writes to the second."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._socket, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MAX_QUESTION)
        self._socket.settimeout(ANSWER_SECONDS)
        with its:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.nursery", str(its.fileno())],
                cwd=ROOT,
                env={**environment, "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "ignore::UserWarning:celery.platforms"},
                stdin=subprocess.DEVNULL,
                pass_fds=[its.fileno()],
                start_new_session=True,
                preexec_fn=processes.die_with_parent(signal.SIGKILL),
            )

    def fork(self, environment: Mapping[str, str], *, server: str, cpu: int | None, files: tuple[int, int]) -> Fork:
        question = json.dumps({"environment": dict(environment), "server": server, "cpu": cpu})
        socket.send_fds(self._socket, [question.encode()], files)
        if not (answer := self._socket.recv(MAX_QUESTION)):
            raise AssertionError(f"The cradle ended with {self._process.wait()}; its words stand above.")
        return Fork(json.loads(answer)["pid"])

    def end(self) -> None:
        self._socket.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@functools.cache
def _cradle() -> Cradle:
    return Cradle(os.environ)


def rock(own: socket.socket) -> None:
    """What the cradle does until the other side has gone: load, and fork a nursery for each question."""
    gc.disable()
    for name in LIBRARIES:
        import_module(name)
    gc.freeze()
    gc.enable()
    with selectors.DefaultSelector() as waiting:
        waiting.register(own, selectors.EVENT_READ)
        while True:
            _reap()
            if not waiting.select(REAP_SECONDS):
                continue
            question, files, _flags, _address = socket.recv_fds(own, MAX_QUESTION, 2)
            if not question:
                return
            own.send(json.dumps({"pid": _bear(json.loads(question), *files)}).encode())


def _bear(asked: dict[str, Any], questions: int, answers: int) -> int:
    set_death_signal = processes.die_with_parent(signal.SIGKILL)
    if pid := os.fork():
        os.close(questions)
        os.close(answers)
        return pid
    code = 1
    try:
        if set_death_signal is not None:
            set_death_signal()
        os.setsid()
        os.dup2(questions, 0)
        os.dup2(answers, 1)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        os.environ.clear()
        os.environ.update(asked["environment"])
        if asked["cpu"] is not None:
            os.sched_setaffinity(0, {asked["cpu"]})
        main(asked["server"])
        code = 0
    except BaseException:  # noqa: BLE001 - nothing may reach the cradle's own frames below
        traceback.print_exc()
    os._exit(code)


def main(server: str) -> None:
    nursery.preload(server)
    with selectors.DefaultSelector() as waiting:
        waiting.register(0, selectors.EVENT_READ)
        with os.fdopen(0, "rb", buffering=0, closefd=False) as questions:
            while True:
                _reap()
                if not waiting.select(REAP_SECONDS):
                    continue
                if not (line := questions.readline()):
                    return
                print(json.dumps(_begin(json.loads(line))), flush=True)


def _begin(asked: dict[str, Any]) -> dict[str, int]:
    name, module, arguments, own = asked["role"]
    files = [os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600) for path in asked["files"]]
    try:
        role = Role(name, module, tuple(arguments), own)
        pid = nursery.fork_onto(role, asked["environment"], output=files[0], errors=files[1])
    finally:
        for each in files:
            os.close(each)
    if asked["wait"]:
        return {"pid": pid, "code": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}
    return {"pid": pid}


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


if __name__ == "__main__":
    rock(socket.socket(fileno=int(sys.argv[1])))
