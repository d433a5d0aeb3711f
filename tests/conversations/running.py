"""The engine of turns in the process of a test, for what needs to look inside or to stop it at a place."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

import pytest

from apps.conversations.runner import Runner
from apps.core import redis
from apps.llm import clients, routing, shared_state
from apps.llm.presets import Wire


@pytest.fixture
def runner(settings) -> Iterator[Runner]:
    """In this process. Leases are renewed four times a second here; what models are called with is imported before, as in a worker."""
    for wire in (Wire.OPENAI, Wire.ANTHROPIC):
        clients.warm_up(wire)
    settings.PARLANCE_TIME_SCALE = 0.05
    routing.forget()
    made = Runner()
    yield made
    made.close()
    for work in (clients.close_all(), shared_state.leave_loop(), redis.close_async()):
        asyncio.run_coroutine_threadsafe(work, made.loop).result(10)


def wait_until(condition: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
