"""The real stack pinned to one core, the scripted model server on the other, and what clients need to talk to them."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx  # noqa: TID251  (a load client on loopback)
import psutil

from tests.provider.fixtures import Provider
from tests.stack import Stack

OURS, THEIRS = 0, 1
LIMITS_OFF = {
    "PARLANCE_LIMITS": "0",
    "PARLANCE_ALLOW_PRIVATE_ADDRESSES": "127.0.0.1",
    "PARLANCE_LOG_LEVEL": "WARNING",
}


@dataclass
class World:
    stack: Stack
    provider: Provider

    def seed(self, **amounts: int) -> dict[str, Any]:
        options = [text for name, value in amounts.items() for text in (f"--{name.replace('_', '-')}", str(value))]
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.seed", "--provider", self.provider.openai_url, *options],
            env={**self.stack.env, "DATABASE_URL": self.stack.owner_url, "PARLANCE_TESTING": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stderr[-3000:])
        return json.loads(done.stdout.splitlines()[-1])

    def client(self, person: dict[str, str], **options: Any) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {person['key']}"}
        return httpx.AsyncClient(base_url=self.stack.base_url, headers=headers, timeout=60, **options)

    def processes(self) -> dict[str, list[psutil.Process]]:
        found = {role: [psutil.Process(pid) for pid in self.stack.pids(role)] for role in self.stack.roles}
        return found | _service_processes(self.stack)

    def cpu_seconds(self) -> dict[str, float]:
        """Of each role since it started, with what it forked."""
        return {role: sum(map(_cpu_seconds, group)) for role, group in self.processes().items()}

    def rest(self, *, at_most: float = 60.0) -> None:
        """Until what an earlier measurement left to do (titles, the log's readers) is done: less than 0.15 s of processor time in a second."""
        deadline, before = time.monotonic() + at_most, sum(self.cpu_seconds().values())
        while time.monotonic() < deadline:
            time.sleep(1)
            now = sum(self.cpu_seconds().values())
            if now - before < 0.15:
                return
            before = now


def _cpu_seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    # What ended already counts for its parent: a connection's process of PostgreSQL lives shorter than a measurement.
    return times.user + times.system + times.children_user + times.children_system


def _service_processes(stack: Stack) -> dict[str, list[psutil.Process]]:
    """PostgreSQL, with a process for each connection, and Redis."""
    assert stack.services is not None
    found = {}
    for status in stack.services.status():
        server = psutil.Process(status.pid)
        found[status.name] = [server, *server.children(recursive=True)]
    return found


@contextlib.contextmanager
def world(*, asgi: str = "daphne", **stack_options: Any) -> Iterator[World]:
    os.sched_setaffinity(0, {THEIRS})
    provider = subprocess.Popen(
        [sys.executable, "-m", "tests.provider", "--port", "0", "--delay", "0.1", "--rate", "50"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert provider.stdout is not None
    port = int(provider.stdout.readline().rsplit(":", 1)[1])
    try:
        with Stack(
            own_services=True, durable=True, asgi=asgi, pin_to_cpu=OURS, env=LIMITS_OFF, **stack_options
        ) as stack:
            for process in itertools.chain.from_iterable(_service_processes(stack).values()):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.cpu_affinity([OURS])
            yield World(stack, Provider("127.0.0.1", port))
    finally:
        provider.terminate()
        provider.wait(5)


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def middle(values: Sequence[float]) -> float:
    return statistics.median(values)
