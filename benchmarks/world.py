"""The real stack pinned to one core, the scripted model server on the other, and what clients need to talk to them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
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
        found["services"] = _service_processes(self.stack)
        return found

    def cpu_seconds(self) -> float:
        total = 0.0
        for group in self.processes().values():
            for process in group:
                with contextlib.suppress(psutil.NoSuchProcess):
                    times = process.cpu_times()
                    total += times.user + times.system
        return total


def _service_processes(stack: Stack) -> list[psutil.Process]:
    """PostgreSQL and Redis of this stack: by the folder in their command line or working directory."""
    folder = str(stack.folder)
    found = []
    for process in psutil.process_iter(["cmdline", "cwd", "name"]):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            line = " ".join(process.info["cmdline"] or [])
            is_service = re.search(r"postgres|redis", process.info["name"] or line)
            if is_service and (folder in line or str(process.info["cwd"]).startswith(folder)):
                found += [process, *process.children(recursive=True)]
    return list({process.pid: process for process in found}.values())


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
        with Stack(own_services=True, asgi=asgi, pin_to_cpu=OURS, env=LIMITS_OFF, **stack_options) as stack:
            for process in _service_processes(stack):
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
