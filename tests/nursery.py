"""One process for each stack that has loaded everything and forks what the stack asks for, as the supervisor does.

`python -m tests.nursery daphne` reads a line of JSON for each program (its environment, the files of its output) and answers
with a line that holds its number; with ``"wait": true`` the line comes at the program's end and holds its exit code. The end of
stdin ends the nursery, and with it all that it forked.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from apps.core.embedded import processes
from apps.core.supervisor import nursery
from apps.core.supervisor.nursery import ROOT, Role

ANSWER_SECONDS = 120.0
REAP_SECONDS = 0.05
POLL_SECONDS = 0.01


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
        command = [sys.executable, "-m", "tests.nursery", server]
        self._process = subprocess.Popen(
            command if cpu is None else ["taskset", "-c", str(cpu), *command],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=processes.die_with_parent(signal.SIGKILL),
        )

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
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _ask(
        self, role: Role, environment: Mapping[str, str], *, output: Path, errors: Path, wait: bool = False
    ) -> dict[str, int]:
        question = {
            "role": [role.name, role.module, role.arguments, dict(role.environment)],
            "environment": {**self.environment, **environment},
            "files": [str(output), str(errors)],
            "wait": wait,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock, selectors.DefaultSelector() as waiting:
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
            self._process.stdin.flush()
            waiting.register(self._process.stdout, selectors.EVENT_READ)
            if not waiting.select(ANSWER_SECONDS):
                raise AssertionError(f"The nursery did not answer within {ANSWER_SECONDS} s.")
            if not (line := self._process.stdout.readline()):
                raise AssertionError(f"The nursery ended with {self._process.wait()}; its words stand above.")
        answer: dict[str, int] = json.loads(line)
        return answer


def main(server: str) -> None:
    nursery.preload(server)
    with selectors.DefaultSelector() as waiting:
        waiting.register(sys.stdin, selectors.EVENT_READ)
        while True:
            _reap()
            if not waiting.select(REAP_SECONDS):
                continue
            if not (line := sys.stdin.buffer.raw.readline()):  # type: ignore[attr-defined]
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
    main(sys.argv[1])
