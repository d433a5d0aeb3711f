"""Clients that talk: post a message, follow the conversation on a socket, note when each token arrives."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx  # noqa: TID251  (a load client on loopback)
import websockets

from benchmarks.world import World, middle, percentile
from tests.provider.script import expected_text


@dataclass
class Heard:
    """``tokens`` pairs the time of arrival with how many words were there by then."""

    posted_at: float = 0.0
    first_at: float = 0.0
    accepted_at: float = 0.0
    text: str = ""
    tokens: list[tuple[float, int]] = field(default_factory=list)
    seq: int = 0
    gaps: int = 0
    turn: str = ""
    state: str = ""


async def start(client: httpx.AsyncClient, person: dict[str, str]) -> str:
    made = await client.post("/api/v1/conversations/", json={"project": person["project"]})
    made.raise_for_status()
    return made.json()["id"]


async def listen(world: World, person: dict[str, str], conversation: str, heard: Heard, ready: asyncio.Event) -> None:
    """Until the turn that ``heard`` waits for is final."""
    topic = f"conversation:{conversation}"
    headers = {"Authorization": f"Bearer {person['key']}"}
    async with websockets.connect(
        world.stack.ws_url, additional_headers=headers, ping_interval=None, max_size=None
    ) as socket:
        await socket.send(json.dumps({"type": "subscribe", "topic": topic, "after": None}))
        async for raw in socket:
            now = time.perf_counter()
            frame = json.loads(raw)
            match frame["type"]:
                case "snapshot":
                    ready.set()
                case "delta" if frame.get("text"):
                    if not heard.first_at:
                        heard.first_at = now
                    heard.gaps += frame["seq"] != heard.seq + 1
                    heard.seq = frame["seq"]
                    heard.text += frame["text"]
                    heard.tokens.append((now, heard.text.count(" ") + 1))
                case "status" if frame["state"] in ("completed", "failed", "stopped", "interrupted"):
                    heard.state = frame["state"]
                    return
                case "error":
                    raise RuntimeError(raw)


async def ask(
    world: World,
    client: httpx.AsyncClient,
    person: dict[str, str],
    *,
    words: str,
    conversation: str = "",
    go: asyncio.Event | None = None,
    after: float = 0.0,
) -> Heard:
    conversation = conversation or await start(client, person)
    heard, ready = Heard(), asyncio.Event()
    listening = asyncio.create_task(listen(world, person, conversation, heard, ready))
    await asyncio.wait_for(ready.wait(), 30)
    if go is not None:
        await go.wait()
    await asyncio.sleep(after)
    heard.posted_at = time.perf_counter()
    posted = await client.post(
        f"/api/v1/conversations/{conversation}/messages/", json={"client_id": str(uuid4()), "content": words}
    )
    heard.accepted_at = time.perf_counter()
    if posted.status_code != 202:
        listening.cancel()
        raise RuntimeError(posted.text)
    await asyncio.wait_for(listening, 180)
    return heard


async def direct_first_token(world: World) -> float:
    """The model server alone, over HTTP: seconds to its first token."""
    async with httpx.AsyncClient(timeout=30) as client:
        began = time.perf_counter()
        body = {
            "model": "stub-small",
            "stream": True,
            "messages": [{"role": "user", "content": "[[stub tokens=3]] hello"}],
        }
        async with client.stream("POST", f"{world.provider.openai_url}/chat/completions", json=body) as response:
            async for line in response.aiter_lines():
                if '"content":' in line and '"content":""' not in line.replace(" ", ""):
                    return time.perf_counter() - began
    raise RuntimeError("no token")


async def added_time(world: World, people: list[dict[str, str]], *, rounds: int) -> dict[str, float]:
    """Milliseconds that we add to the first token when all ``people`` start together."""
    await asyncio.to_thread(world.rest)
    base = middle([await direct_first_token(world) for _each in range(9)])
    added: list[float] = []
    clients = [world.client(person) for person in people]
    conversations = [await start(client, person) for client, person in zip(clients, people, strict=True)]
    for number in range(rounds + 1):
        go = asyncio.Event()
        asking = [
            asyncio.create_task(
                ask(world, client, person, words="[[stub tokens=12]] hello", conversation=conversation, go=go)
            )
            for client, person, conversation in zip(clients, people, conversations, strict=True)
        ]
        await asyncio.sleep(0.3 + len(people) * 0.02)
        go.set()
        heard = await asyncio.gather(*asking)
        if number:  # the first round warms up
            added += [(each.first_at - each.posted_at - base) * 1000 for each in heard]
    for client in clients:
        await client.aclose()
    return {"p50": middle(added), "p95": percentile(added, 0.95), "samples": len(added), "base_ms": base * 1000}


async def streams(world: World, people: list[dict[str, str]], *, count: int, seconds: int = 12) -> dict[str, Any]:
    """``count`` answers at 50 tokens/s side by side: how late tokens are against an even clock, and whether all came."""
    tokens = seconds * 50
    chosen = [people[number % len(people)] for number in range(count)]
    clients = {person["key"]: world.client(person) for person in chosen}

    conversations = [await start(clients[person["key"]], person) for person in chosen]
    go = asyncio.Event()

    async def one(number: int) -> Heard:
        person, conversation = chosen[number], conversations[number]
        words = f"[[stub tokens={tokens}]] hello"
        client = clients[person["key"]]
        return await ask(world, client, person, words=words, conversation=conversation, go=go, after=number * 0.02)

    asking = asyncio.gather(*(one(number) for number in range(count)), return_exceptions=True)
    await asyncio.sleep(1 + count * 0.02)  # all sockets are open by then
    await asyncio.to_thread(world.rest)
    cpu, began = world.cpu_seconds(), time.perf_counter()
    go.set()
    heard = await asking
    used = {role: seconds - cpu[role] for role, seconds in world.cpu_seconds().items()}
    taken = time.perf_counter() - began
    failed = [each for each in heard if isinstance(each, BaseException)]
    good = [each for each in heard if isinstance(each, Heard)]
    late: list[float] = []
    for each in good:
        at, shown = each.tokens[0]
        late += [arrived - at - (number - shown) / 50 for arrived, number in each.tokens]
    wanted = expected_text(tokens)
    for client in clients.values():
        await client.aclose()
    return {
        "count": count,
        "late_p95_ms": percentile(late, 0.95) * 1000 if late else float("nan"),
        "lost": sum(each.text != wanted for each in good),
        "refused": len(failed),
        "gaps": sum(each.gaps for each in good),
        "cpu_us_a_token": {role: seconds / (count * tokens) * 1e6 for role, seconds in used.items()},
        "busy": sum(used.values()) / taken,
        "first_failure": repr(failed[0])[:200] if failed else "",
    }
