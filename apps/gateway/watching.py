"""A running answer asks again whether it may go on: it outlives the check that let its request in."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing

from django.db import InterfaceError, OperationalError
from psycopg_pool import PoolTimeout

from apps.core.db import in_thread
from apps.core.leases import scaled
from apps.gateway.types import Operations
from apps.llm.types import Operation

LOOK_SECONDS = 4.0  # what was revoked is over within five
DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeout)

logger = logging.getLogger(__name__)


async def while_allowed(operations: Operations, look: Callable[[], object]) -> Operations:
    """The same operations for as long as ``look``, called in a thread every few seconds, raises nothing.

    What it raises is raised here, however silent the provider is, after the call was ended and what it used was settled.
    """
    watch = _Watch(look)
    looking = asyncio.get_running_loop().create_task(watch.run())
    try:
        async with aclosing(operations):
            while (operation := await watch.next_of(operations)) is not None:
                yield operation
    finally:
        looking.cancel()


class _Watch:
    def __init__(self, look: Callable[[], object]) -> None:
        self._look = look
        self._refusal: Exception | None = None
        self._waiting: asyncio.Timeout | None = None

    async def run(self) -> None:
        """Until it is refused; then whoever waits for the provider waits no longer."""
        while self._refusal is None:
            await asyncio.sleep(scaled(LOOK_SECONDS))
            try:
                await in_thread(self._look)
            except DATABASE_AWAY as away:  # nobody can say no: the next look can
                logger.warning("gateway_not_looked", extra={"reason": type(away).__name__})
            except Exception as refusal:  # noqa: BLE001  (``next_of`` raises it where the answer is written)
                self._refusal = refusal
        if self._waiting is not None:
            self._waiting.reschedule(asyncio.get_running_loop().time())

    async def next_of(self, operations: Operations) -> Operation | None:
        """None at the end. Only the wait is cut off: a limit around a ``yield`` would hit whoever reads the answer."""
        if self._refusal is not None:
            raise self._refusal
        try:
            async with asyncio.timeout(None) as self._waiting:
                operation = await anext(operations, None)
        except Exception:
            if self._refusal is None:
                raise
        finally:
            self._waiting = None
        if self._refusal is not None:
            raise self._refusal
        return operation
