"""``python -m benchmarks.bulk``: work over many items, from enqueueing to the last end, and procrastinate beside it in the same run.

Own durable PostgreSQL, the real jobs worker with one process for bulk work, items that do nothing. Procrastinate runs against the
same server when ``--procrastinate`` names a Python that has it (``uv venv /tmp/p && uv pip install -p /tmp/p procrastinate``).

Writes docs/results/bulk.json. On two quiet cores it takes about four minutes; ``--planned 50000 --worked 5000`` two, most of it the servers' start.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from tests.stack import Stack

RAW = Path("docs/results/bulk.json")

SEED = """
import json
from tests.accounts.factories import ProjectFactory, UserFactory
owner = UserFactory()
print(json.dumps({"user": str(owner.pk), "project": str(ProjectFactory(owner=owner).pk)}))
"""

#: In a process of its own, as a worker: plan, then read the progress of what was planned.
PLAN = """
import json, resource, time
from uuid import UUID
from apps.accounts.actors import actor_of_row
from apps.bulk import engine, selectors, services
actor = actor_of_row(user_id=UUID({user!r}))
def rss(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
def plan(count, start=False):
    operation = services.create_operation(actor=actor, project_id=UUID({project!r}), kind="sampleapp.nothing",
        params={{"count": count}}, start=False)
    engine.plan_operation(operation_id=operation.pk)
    return selectors.get_operation(operation_id=operation.pk, viewer=actor)
plan(1000)
before = rss()
began = time.monotonic()
operation = plan({count})
took = time.monotonic() - began
reads = []
for _each in range(200):
    started = time.monotonic()
    found = selectors.get_operation(operation_id=operation.pk, viewer=actor)
    reads.append((time.monotonic() - started) * 1000)
reads.sort()
assert found.total == {count}
if {start}: services.start_operation(actor=actor, operation_id=operation.pk)
print(json.dumps({{"id": str(operation.pk), "enqueued_per_second": {count} / took, "progress_p50_ms": reads[100],
    "progress_p95_ms": reads[190], "rss_before_mb": before, "rss_after_mb": rss()}}))
"""

PROCRASTINATE = """
import asyncio, json, os, sys, time
import procrastinate
from procrastinate import PsycopgConnector
app = procrastinate.App(connector=PsycopgConnector(conninfo=os.environ["BENCH_URL"], min_size=1, max_size=8))
@app.task(name="nothing", queue="q")
async def nothing(number): return None
async def main(enqueued, worked):
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        began = time.monotonic()
        for start in range(0, enqueued, 2000):
            await nothing.batch_defer_async(*[{"number": start + each} for each in range(2000)])
        enqueue = enqueued / (time.monotonic() - began)
        async with app.connector.pool.connection() as connection:
            await connection.execute(f"DELETE FROM procrastinate_jobs WHERE id > (SELECT min(id) + {worked} - 1 FROM procrastinate_jobs)")
        found = {"enqueued_per_second": enqueue}
        for concurrency in (1, 10):
            began = time.monotonic()
            await app.run_worker_async(wait=False, concurrency=concurrency, queues=["q"], install_signal_handlers=False, listen_notify=False)
            found[f"worked_per_second_{concurrency}"] = worked / (time.monotonic() - began)
            if concurrency == 1:
                for start in range(0, worked, 1000):
                    await nothing.batch_defer_async(*[{"number": each} for each in range(1000)])
        print(json.dumps(found))
asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
"""


def shell(stack: Stack, code: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "-v0", "-c", code],
        env={**stack.env, "PARLANCE_LOG_LEVEL": "ERROR"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    return json.loads(done.stdout.splitlines()[-1])


def memory_of_children(stack: Stack) -> float:
    """The largest of the worker's processes, in MB that are its own."""
    processes = [psutil.Process(pid) for pid in stack.pids("jobs")]
    children = [child for process in processes for child in process.children()] or processes
    return max(child.memory_full_info().uss for child in children) / 2**20


def work(stack: Stack, who: dict[str, str], count: int) -> dict[str, Any]:
    """One process of the real worker, from the first item's start to the last end, by the database's clock."""
    planned = shell(stack, PLAN.format(**who, count=count, start=True))
    seen = []
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        row = stack.sql(
            "SELECT status, extract(epoch FROM finished_at - started_at) FROM bulk_operation WHERE id = %s",
            [planned["id"]],
        )[0]
        seen.append(memory_of_children(stack))
        if row[0] == "completed":
            took = float(row[1])
            return {
                "items": count,
                "worked_per_second": count / took,
                "seconds": took,
                "uss_first_mb": seen[0],
                "uss_most_mb": max(seen),
            }
        time.sleep(0.5)
    raise RuntimeError(f"not done: {row}")


def procrastinate(stack: Stack, python: str, *, enqueued: int, worked: int) -> dict[str, Any]:
    url = stack.owner_url
    done = subprocess.run(
        [python, "-W", "ignore", "-c", PROCRASTINATE, str(enqueued), str(worked)],
        env={**stack.env, "BENCH_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--procrastinate", default="", help="a Python that has procrastinate")
    parser.add_argument("--planned", type=int, default=1_000_000, help="items of the operation whose progress is read")
    parser.add_argument("--worked", type=int, default=20_000)
    given = parser.parse_args()
    env = {"PARLANCE_EXTRA_APPS": "tests.sampleapp", "PARLANCE_LIMITS": "0", "PARLANCE_JOBS_PROCESSES": "2"}
    with Stack(own_services=True, durable=True, webs=1, interactives=0, jobs=1, env=env) as stack:
        who = shell(stack, SEED)
        found: dict[str, Any] = {"work": work(stack, who, given.worked)}
        found["plan"] = {"items": given.planned} | shell(stack, PLAN.format(**who, count=given.planned, start=False))
        if given.procrastinate:
            found["procrastinate"] = procrastinate(
                stack, given.procrastinate, enqueued=min(40_000, given.planned), worked=5000
            )
    RAW.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
