"""``provider``: the scripted provider in a thread, reset before every test."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvloop

from tests.provider.__main__ import DEFAULT_MODELS
from tests.provider.script import Script
from tests.provider.server import State, serve


class Provider:
    """Speaks to the control address, so that a provider in another process is driven the same way."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def openai_url(self) -> str:
        return f"{self.url}/v1"

    def _control(self, action: str, body: Any = None) -> Any:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=10)
        try:
            connection.request("POST", f"/__control__/{action}", json.dumps(body or {}))
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        assert response.status == 200, answer
        return answer

    def reset(self) -> None:
        self._control("reset")

    def script(self, *scripts: dict[str, Any], model: str = "") -> None:
        """One script a request, in this order; ``model`` limits them to requests for that model (or protocol)."""
        self._control("scripts", {"for": model, "scripts": list(scripts)})

    def default(self, **values: Any) -> None:
        self._control("default", values)

    def release(self) -> None:
        """What a script's ``hold`` keeps goes on."""
        self._control("release")

    @property
    def stats(self) -> dict[str, Any]:
        return self._control("stats")

    @property
    def calls(self) -> list[dict[str, Any]]:
        return self.stats["calls"]

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [body for _n, body in self._control("bodies")]

    def wait_for(self, condition: Callable[[dict[str, Any]], bool], seconds: float = 5) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while True:
            stats = self.stats
            if condition(stats):
                return stats
            assert time.monotonic() < deadline, stats
            time.sleep(0.01)


@pytest.fixture(scope="session")
def running_provider() -> Iterator[Provider]:
    ready = threading.Event()
    found: dict[str, Any] = {}

    async def run() -> None:
        state = State(Script(delay=0.005, rate=2000), DEFAULT_MODELS.split(","))
        server = await serve(state, "127.0.0.1", 0)
        found.update(loop=asyncio.get_running_loop(), stop=asyncio.Event(), port=server.sockets[0].getsockname()[1])
        ready.set()
        await found["stop"].wait()
        server.close()
        state.hang_up()
        await asyncio.sleep(0.05)

    thread = threading.Thread(target=lambda: uvloop.run(run()), name="stub-provider", daemon=True)
    thread.start()
    assert ready.wait(10)
    yield Provider("127.0.0.1", found["port"])
    found["loop"].call_soon_threadsafe(found["stop"].set)
    thread.join(5)


@pytest.fixture
def provider(running_provider: Provider) -> Provider:
    running_provider.reset()
    return running_provider
