"""Memory at rest, time to start, size on disk."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from tests.stack import ROOT


def idle_memory() -> dict[str, float]:
    """PSS in MB of all that `manage.py up` runs except PostgreSQL and Redis, after half a minute without work."""
    with _house() as env, _up(env) as (process, _seconds):
        time.sleep(30)
        ours = [
            each
            for each in [process, *process.children(recursive=True)]
            if not any(name in " ".join(each.cmdline()) for name in ("postgres", "redis-server"))
        ]
        return {"processes": len(ours), "mb": sum(each.memory_full_info().pss for each in ours) / 2**20}


def warm_start() -> dict[str, float]:
    """Seconds of `manage.py up` on data that are there: until it prints its address (all processes ready)."""
    times = []
    with _house() as env:
        for _each in range(4):
            with _up(env) as (_process, seconds):
                times.append(seconds)
    return {"first": times[0], "warm": sorted(times[1:])[1]}


@contextlib.contextmanager
def _house() -> Iterator[dict[str, str]]:
    """A data folder of its own, and nothing in the environment that leads elsewhere."""
    with tempfile.TemporaryDirectory(prefix="parlance-bench-") as folder:
        env = {**os.environ, "PARLANCE_DATA_DIR": folder, "PARLANCE_PORT": "18765"}
        for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "PARLANCE_TESTING", "PARLANCE_REDIS_PREFIX"):
            env.pop(name, None)
        yield env


@contextlib.contextmanager
def _up(env: dict[str, str]) -> Iterator[tuple[psutil.Process, float]]:
    """A house that is ready, and how many seconds that took."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "up"],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        taken = next(time.perf_counter() - began for line in process.stdout if "http://" in line and ":18765" in line)
        yield psutil.Process(process.pid), taken
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def install_size() -> dict[str, Any]:
    """MB of an environment with the production requirements, without and with the document parsers."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="parlance-size-") as folder:
        for name, groups in (("production", ["base"]), ("with_documents", ["base", "documents"])):
            target = Path(folder) / name
            options = [text for group in groups for text in ("-r", f"requirements/{group}.txt")]
            if _has_uv():
                command = ["uv", "pip", "install", "-q", "--target", str(target), "--link-mode", "copy", *options]
            else:
                command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(target), *options]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            found[name] = (
                sum(path.stat().st_size for path in target.rglob("*") if path.is_file()) / 2**20
                if done.returncode == 0
                else None
            )
    return found


def _has_uv() -> bool:
    return (
        subprocess.run(["uv", "--version"], capture_output=True, check=False).returncode == 0 if _which("uv") else False
    )


def _which(name: str) -> bool:
    return any((Path(folder) / name).exists() for folder in os.environ.get("PATH", "").split(os.pathsep))
