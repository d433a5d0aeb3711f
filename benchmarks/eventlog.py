"""From commit to consumer, and what eight writers at once lose."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from benchmarks.world import World

CODE = """
import json, threading, time, uuid
from django.db import connection, transaction
from apps.accounts.types import SYSTEM
from apps.core.events import emit
from apps.core.models import Event
from apps.core.types import Scope
from apps.conversations.events import ConversationChanged

def write(number, pause, count, at):
    topic = f"conversation:{uuid.uuid4()}"
    for each in range(count):
        with transaction.atomic():
            emitted = emit(ConversationChanged(uuid.uuid4(), ("title",)), actor=SYSTEM, scope=Scope(topic))
        at[emitted.id] = time.time()
        time.sleep(pause)
    connection.close()

def run(writers, pause, count):
    at, seen = {}, {}
    threads = [threading.Thread(target=write, args=(n, pause, count, at)) for n in range(writers)]
    last = Event.objects.exclude(position=None).order_by("-position").values_list("position", flat=True).first() or 0
    first = last
    for thread in threads: thread.start()
    deadline = time.time() + 60
    while time.time() < deadline and (any(t.is_alive() for t in threads) or len(seen) < writers * count):
        for position, pk in Event.objects.filter(position__gt=last).order_by("position").values_list("position", "id"):
            last = position
            seen[pk] = time.time()
        time.sleep(0.001)
    late = sorted(seen[pk] - at[pk] for pk in at if pk in seen)
    return {"events": len(at), "missed": len([pk for pk in at if pk not in seen]),
        "p50_ms": late[len(late) // 2] * 1000 if late else None, "p95_ms": late[int(len(late) * .95)] * 1000 if late else None,
        "gapless": last - first == len(at)}

print(json.dumps({"steady": run(5, 0.1, 60), "burst": run(8, 0, 250)}))
"""


def measure(world: World) -> dict[str, Any]:
    """A reader by position beside the sequencer of the running jobs process: 50 events/s, then 8 writers without a pause."""
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "-v0", "-c", CODE],
        env=world.stack.env,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    return json.loads(done.stdout.splitlines()[-1])
