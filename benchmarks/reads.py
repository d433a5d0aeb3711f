"""Lists, long conversations and search, over HTTP with a key."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx  # noqa: TID251  (a load client on loopback)

from benchmarks.world import World, middle, percentile


async def latency(client: httpx.AsyncClient, addresses: list[str], *, rounds: int) -> dict[str, float]:
    taken = []
    for number in range(rounds + 10):
        began = time.perf_counter()
        answer = await client.get(addresses[number % len(addresses)])
        if number >= 10:
            taken.append((time.perf_counter() - began) * 1000)
        answer.raise_for_status()
    return {"p50": middle(taken), "p95": percentile(taken, 0.95), "samples": len(taken)}


async def throughput(client: httpx.AsyncClient, address: str, *, users: int, seconds: float) -> float:
    """Requests a second of ``users`` that ask again as soon as they are answered."""
    until = time.perf_counter() + seconds
    done = 0

    async def user() -> None:
        nonlocal done
        while time.perf_counter() < until:
            (await client.get(address)).raise_for_status()
            done += 1

    await asyncio.gather(*(user() for _each in range(users)))
    return done / seconds


async def measure(world: World, *, rounds: int = 200) -> dict[str, Any]:
    many = world.seed(people=1, conversations=2000, messages=0)
    long = world.seed(people=1, conversations=1, messages=1000)
    found: dict[str, Any] = {}
    async with world.client(many["people"][0]) as client:
        found["list"] = await latency(client, ["/api/v1/conversations/"], rounds=rounds)
        found["list_per_second"] = await throughput(client, "/api/v1/conversations/", users=20, seconds=6)
    async with world.client(long["people"][0]) as client:
        address = f"/api/v1/conversations/{long['conversations'][0]}/messages/?limit=100"
        found["open"] = await latency(client, [address], rounds=rounds)
    return found


RARE = ["/api/v1/search/?q=word1999", "/api/v1/search/?q=word2500+word2800", "/api/v1/search/?q=what+is+word1234"]
COMMON = ["/api/v1/search/?q=harbour", "/api/v1/search/?q=harbour+crane+ledger", "/api/v1/search/?q=manifest+quay"]


async def search(world: World, *, messages: int, rounds: int = 60) -> dict[str, Any]:
    """``messages`` of one person in conversations of 100."""
    seeded = world.seed(people=1, conversations=messages // 100, messages=100)
    async with world.client(seeded["people"][0]) as client:
        return {
            "usual": await latency(client, RARE, rounds=rounds),
            "commonest": await latency(client, COMMON, rounds=rounds),
        }
