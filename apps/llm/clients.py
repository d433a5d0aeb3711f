"""Adapters with their open connections, kept per event loop and provider: the next call finds a warm one.

The SDKs are imported here and late: they cost a second and 60 MB, which a process that calls no model does not pay.
"""

from __future__ import annotations

import asyncio
import functools
import weakref
from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol
from uuid import UUID

from apps.core.http import PUBLIC, STREAMING, TRUSTED, async_transport, tls_context
from apps.llm.adapters.demo import DemoAdapter
from apps.llm.presets import Wire
from apps.llm.routes import ProviderRoute
from apps.llm.types import Operation, RemoteModel, Timeouts, WireCall

MAX_CONNECTIONS = 1000
KEPT_CONNECTIONS = 64


class Adapter(Protocol):
    def stream(self, call: WireCall, *, headers: Mapping[str, str]) -> AsyncIterator[Operation]: ...
    async def list_models(self, *, timeouts: Timeouts) -> list[RemoteModel]: ...
    async def aclose(self) -> None: ...


class _Loop:
    def __init__(self) -> None:
        self.adapters: dict[UUID, tuple[ProviderRoute, Adapter]] = {}
        self.retired: set[asyncio.Task[None]] = set()


_loaded: set[Wire] = {Wire.DEMO}
_loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Loop] = weakref.WeakKeyDictionary()


@functools.cache
def _adapter_class(wire: Wire) -> Any:
    if wire is Wire.ANTHROPIC:
        from apps.llm.adapters.anthropic import AnthropicAdapter

        return AnthropicAdapter
    from apps.llm.adapters.openai_compatible import OpenAICompatibleAdapter

    return OpenAICompatibleAdapter


def warm_up(wire: Wire = Wire.OPENAI) -> None:
    """Before the first turn: the imports and the certificates, so that the first person does not wait for them.

    Only the wire that most providers speak; another is loaded with the first route that needs it (Anthropic's: 37 MB).
    """
    _adapter_class(wire)
    tls_context()
    _loaded.add(wire)


def make_adapter(route: ProviderRoute) -> Adapter:
    """A new one with connections of its own; the caller closes it."""
    if route.is_demo:
        return DemoAdapter()
    policy = TRUSTED if route.allows_private else PUBLIC
    transport = async_transport(
        policy, limits=STREAMING, connections=MAX_CONNECTIONS, kept_connections=KEPT_CONNECTIONS
    )
    adapter: Adapter = _adapter_class(route.preset.wire)(
        preset=route.preset,
        base_url=route.base_url or route.preset.base_url,
        api_key=route.api_key,
        transport=transport,
        headers=route.headers,
    )
    return adapter


async def adapter_of(route: ProviderRoute) -> Adapter:
    """The one of this loop; a changed provider gets a new one, and what still streams over the old one goes on."""
    loop = asyncio.get_running_loop()
    here = _loops.setdefault(loop, _Loop())
    if route.preset.wire not in _loaded:
        await asyncio.to_thread(warm_up, route.preset.wire)
    # No await from here on: of a burst after the start the first makes the adapter and the others find it.
    known = here.adapters.get(route.id)
    if known is not None and known[0] == route:
        return known[1]
    adapter = make_adapter(route)
    here.adapters[route.id] = (route, adapter)
    if known is not None:
        retiring = loop.create_task(_retire(known))
        here.retired.add(retiring)
        retiring.add_done_callback(here.retired.discard)
    return adapter


async def _retire(known: tuple[ProviderRoute, Adapter]) -> None:
    await asyncio.sleep(known[0].timeouts.total_seconds)
    await known[1].aclose()


def has_any() -> bool:
    return asyncio.get_running_loop() in _loops


async def close_all() -> None:
    """Before a loop ends."""
    here = _loops.pop(asyncio.get_running_loop(), None)
    if here is None:
        return
    for task in list(here.retired):
        task.cancel()
    for _route, adapter in here.adapters.values():
        await adapter.aclose()
