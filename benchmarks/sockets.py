"""Many idle sockets, and all of them coming back at once."""

from __future__ import annotations

import asyncio
import json
import random
import resource
import time
from typing import Any

import psutil
import websockets

from benchmarks.talk import start
from benchmarks.world import World


async def measure(world: World, *, count: int, returning: int) -> dict[str, Any]:
    """kB a socket (PSS of the web process), then seconds until ``returning`` dropped clients have caught up."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    people = world.seed(people=max(count // 15, 1), each_organization=50)["people"]
    web = psutil.Process(world.stack.pid("web"))
    conversations = {}
    for person in people[:: max(1, len(people) // 20)]:
        async with world.client(person) as client:
            conversations[person["key"]] = await start(client, person)
    chosen = list(conversations)
    before = web.memory_full_info().pss
    sockets = []
    for number in range(count):
        person = people[number % len(people)]
        sockets.append(await _open(world, person["key"]))
    after = web.memory_full_info().pss
    result: dict[str, Any] = {"count": count, "kb_each": (after - before) / count / 1024}
    for socket in sockets:
        socket.transport.abort()
    await asyncio.sleep(2)
    result |= await _storm(world, chosen, conversations, returning)
    return result


async def _open(world: World, key: str) -> Any:
    headers = {"Authorization": f"Bearer {key}"}
    return await websockets.connect(world.stack.ws_url, additional_headers=headers, ping_interval=None, open_timeout=30)


async def _storm(world: World, keys: list[str], conversations: dict[str, str], returning: int) -> dict[str, Any]:
    began = time.perf_counter()
    took: list[float] = []

    async def come_back(number: int) -> None:
        await asyncio.sleep(random.random() * 5)
        key = keys[number % len(keys)]
        for attempt in range(6):
            try:
                socket = await _open(world, key)
            except (OSError, websockets.WebSocketException, TimeoutError):
                await asyncio.sleep(random.random() * 2**attempt)
                continue
            topic = f"conversation:{conversations[key]}"
            await socket.send(json.dumps({"type": "subscribe", "topic": topic, "after": None}))
            async for raw in socket:
                if json.loads(raw)["type"] == "snapshot":
                    break
            took.append(time.perf_counter() - began)
            socket.transport.abort()
            return

    await asyncio.gather(*(come_back(number) for number in range(returning)))
    return {"returned": len(took), "all_after_seconds": max(took, default=float("nan"))}
