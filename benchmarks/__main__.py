"""``python -m benchmarks``: every row of the speed promises, written to docs/results/speed.md."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import eventlog, footprint, opening, reads, report, sockets, talk
from benchmarks.world import World, world

RAW = Path("docs/results/speed.json")


def talking(here: World) -> dict[str, Any]:
    people = here.seed(people=100, each_organization=25)["people"]
    found: dict[str, Any] = {
        "one": asyncio.run(talk.added_time(here, people[:1], rounds=30)),
        "twenty": asyncio.run(talk.added_time(here, people[:20], rounds=5)),
        "hundred": asyncio.run(talk.added_time(here, people, rounds=3)),
        "per_token": asyncio.run(talk.streams(here, people, count=20, seconds=4)),
    }
    found["held"] = []
    for count in (50, 100, 150, 200, 250, 300):
        measured = asyncio.run(talk.streams(here, people, count=count, seconds=10))
        found["held"].append(measured)
        if measured["late_p95_ms"] > 250 or measured["lost"] or measured["refused"]:
            break
    return found


def in_world(measure: Callable[[World], dict[str, Any]], **options: Any) -> dict[str, Any]:
    with world(**options) as here:
        return measure(here)


SECTIONS: dict[str, Callable[[], dict[str, Any]]] = {
    "talk": lambda: in_world(talking),
    "talk_uvicorn": lambda: in_world(talking, asgi="uvicorn"),
    "reads": lambda: in_world(lambda here: asyncio.run(reads.measure(here))),
    "opening": lambda: in_world(opening.measure),
    "search_20k": lambda: in_world(lambda here: asyncio.run(reads.search(here, messages=20_000))),
    "search_1m": lambda: in_world(lambda here: asyncio.run(reads.search(here, messages=1_000_000))),
    "sockets": lambda: in_world(lambda here: asyncio.run(sockets.measure(here, count=2000, returning=1000))),
    "events": lambda: in_world(eventlog.measure),
    "memory": footprint.idle_memory,
    "start": footprint.warm_start,
    "size": footprint.install_size,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], help="default: all")
    chosen = parser.parse_args().sections or list(SECTIONS)
    results: dict[str, Any] = json.loads(RAW.read_text()) if RAW.exists() else {}
    for name in chosen:
        print(f"{name} …", flush=True)
        try:
            results[name] = SECTIONS[name]()
        except Exception as error:  # noqa: BLE001  (one section that fails must not lose the others)
            results[name] = {"failed": f"{type(error).__name__}: {str(error)[-600:]}"}
        print(json.dumps(results[name], indent=1, default=str), flush=True)
        RAW.parent.mkdir(parents=True, exist_ok=True)
        RAW.write_text(json.dumps(results, indent=1, default=str) + "\n")
        report.write(results)
    sys.exit(any("failed" in results[name] for name in chosen))


if __name__ == "__main__":
    main()
