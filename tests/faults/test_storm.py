"""Everybody comes back at once: D25."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import resource
import time

import psycopg
import pytest

from apps.core.embedded.postgres_server import ADMIN
from tests.faults.drill import LONG, Talker, by_command
from tests.live.client import Client

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

PEOPLE, EACH = (100, 10) if LONG else (10, 10)
STATEMENT = re.compile(r"(?:statement|execute [^:]+): (?:SELECT|INSERT|UPDATE|DELETE|WITH)")


@by_command
def test_d25_a_thousand_clients_return(broken, ward, provider, seen):
    """1,000 sockets (short form: 100) drop and return within 5 s: all caught up within 10 s, at most two queries a resume."""
    stack, _talker, examine = broken
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with contextlib.ExitStack() as exits:
        talkers = [exits.enter_context(contextlib.closing(Talker(stack, ward.person()))) for _each in range(PEOPLE)]
        for each in talkers:
            each.until_final(each.say("[[stub tokens=3]] before"), 30)
        took, queries = asyncio.run(_storm(stack, talkers))
    examine()

    count = PEOPLE * EACH
    assert len(took) == count
    assert max(took) <= 10, max(took)
    assert queries / count <= 2, queries / count
    seen(f"{count} caught up {max(took):.1f} s after the drop, {queries / count:.1f} queries a returning socket")


async def _storm(stack, talkers: list[Talker]) -> tuple[list[float], int]:
    pages = [Client(stack.ws_url, each.headers, open_timeout=30) for each in talkers for _number in range(EACH)]
    topics = [f"conversation:{each.conversation}" for each in talkers for _number in range(EACH)]
    for page, topic in zip(pages, topics, strict=True):
        await page.connect()
        await page.follow(topic)
    for page in pages:
        await page.drop()
    for each in talkers:  # what they miss
        each.client.patch(f"conversations/{each.conversation}/", json={"title": "while away"}).raise_for_status()
    for role in ("interactive", "jobs"):  # so that what PostgreSQL logs was asked by the web process
        stack.kill(role)
    dropped = time.monotonic()

    async def come_back(page: Client, topic: str) -> float:
        reader = page.readers[topic]
        known = reader.position
        await asyncio.sleep(random.random() * 5)
        await page.connect()
        await page.until(lambda: reader.position > known, 30)
        return time.monotonic() - dropped

    with _statements(stack) as said:
        took = await asyncio.gather(*map(come_back, pages, topics))
    for page in pages:
        await page.drop()
    return list(took), said()


@contextlib.contextmanager
def _statements(stack):
    """How many statements PostgreSQL was given, from its own log."""
    path = stack.services.data / "logs" / "postgres.log"

    def switch(value: str) -> None:
        with psycopg.connect(stack.services.postgres.url(ADMIN, "postgres"), autocommit=True) as connection:
            connection.execute(f"ALTER SYSTEM SET log_statement = '{value}'")
            connection.execute("SELECT pg_reload_conf()")
        time.sleep(0.3)

    switch("all")
    start = path.stat().st_size
    yield lambda: len(STATEMENT.findall(path.read_bytes()[start:].decode(errors="replace")))
    switch("none")
