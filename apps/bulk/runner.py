"""The engine of outside items: on a loop of its own in the interactive process it claims, calls, renews, and writes the ends.

Calls wait for other servers, many at once; what is written goes through services in threads, few at once, because people's answers
are written through the same pool. It opens no transaction.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import uvloop
from django.db import InterfaceError, OperationalError
from psycopg_pool import PoolTimeout

from apps.accounts.types import SYSTEM, Actor
from apps.bulk import selectors, services
from apps.bulk.services.ends import end_of, scope_of, work_of
from apps.bulk.services.operations import find_kind
from apps.bulk.types import DATABASE_WAS_AWAY, Batch, CallTimedOut, HeldItem, ItemEnd, ItemStatus, Lane, LateWriter
from apps.core.correlation import caused_by
from apps.core.db import in_thread
from apps.core.doors.bulk_kinds import TryLater
from apps.core.leases import RENEW_SECONDS, scaled
from apps.llm import engine as llm

logger = logging.getLogger(__name__)

#: Items of one process that wait for other servers.
PLACES = 50
#: Few, so that tenants alternate when a place comes free.
CLAIMED_AT_ONCE = 5
WRITES_AT_ONCE = 3
#: What runs when an operation is cancelled may end; then it is ended.
GRACE_SECONDS = 4.0
LOOK_SECONDS, LIMITED_SECONDS = 5.0, 0.2
DRAIN_SECONDS = 20.0
DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeout)
#: After a call that met it; by then a restart is over, mostly.
DATABASE_SECONDS = 2.0


@dataclass(eq=False)
class Calling:
    """One item in this process."""

    batch: Batch
    item: HeldItem
    task: asyncio.Task[None]
    stops_at: float | None = None
    ends_as: ItemStatus | None = None


@contextlib.asynccontextmanager
async def _at_most(seconds: float) -> AsyncIterator[None]:
    """A time-out of the kind's own stays what it is; ours is ``CallTimedOut``."""
    try:
        async with asyncio.timeout(seconds) as limit:
            yield
    except TimeoutError as error:
        if limit.expired():
            raise CallTimedOut from error
        raise


class Runner:
    def __init__(self) -> None:
        self.calling: dict[UUID, Calling] = {}
        self.is_closing = False
        self.loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="bulk", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        self._writing = asyncio.Semaphore(WRITES_AT_ONCE)
        self._news = asyncio.Event()
        self._filling = self.loop.create_task(self._fill_on())
        self._keeping = self.loop.create_task(self._keep_on())
        self.loop.run_forever()

    def submit(self) -> None:
        """From any thread: there may be something to take."""
        self.loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        self._news.set()

    async def _write(self, function: Any, **arguments: Any) -> Any:
        async with self._writing:
            return await in_thread(function, actor=SYSTEM, **arguments)

    async def _fill_on(self) -> None:
        while not self.is_closing:
            self._news.clear()
            wait = LOOK_SECONDS
            try:
                wait = await self._fill()
            except DATABASE_AWAY as error:
                logger.warning("bulk_claims_wait", extra={"reason": type(error).__name__})
            except Exception:
                logger.exception("bulk_claim_failed")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), scaled(wait))

    async def _fill(self) -> float:
        """Take items while there are places; how long to wait before the next look."""
        while (room := PLACES - len(self.calling)) > 0 and not self.is_closing:
            batch = await self._write(services.claim_batch, lane=Lane.OUTSIDE, at_most=min(room, CLAIMED_AT_ONCE))
            if batch is None:
                # Held back by a limit that gives way by itself, perhaps; nobody rings then.
                return LIMITED_SECONDS if await in_thread(selectors.has_waiting, Lane.OUTSIDE) else LOOK_SECONDS
            asker = await self._write(services.find_asker, batch=batch)
            if asker is None or self.is_closing:
                await self._write(services.give_back, batch=batch, items=batch.items)
                continue
            for item in batch.items:
                task = self.loop.create_task(self._run(batch, item, asker))
                self.calling[item.item_id] = Calling(batch, item, task)
        return LOOK_SECONDS

    async def _run(self, batch: Batch, item: HeldItem, asker: Actor) -> None:
        began = time.monotonic()
        try:
            with caused_by(batch.correlation_id):
                await self._call(batch, item, asker, began)
        except LateWriter:
            logger.warning("bulk_item_lost", extra={"item": str(item.item_id)})
        except DATABASE_AWAY as error:
            logger.warning("bulk_end_not_written", extra={"item": str(item.item_id), "reason": type(error).__name__})
        finally:
            self.calling.pop(item.item_id, None)
            self._look()

    async def _call(self, batch: Batch, item: HeldItem, asker: Actor, began: float) -> None:
        work = work_of(scope_of(batch, asker), batch, item)
        try:
            kind = find_kind(batch.kind)
            assert kind.call is not None
            async with _at_most(scaled(kind.call_seconds)):
                found = await kind.call(work)
        except asyncio.CancelledError:
            await self._end_cancelled(batch, item, time.monotonic() - began, work.meter.cost)
            raise
        except DATABASE_AWAY as error:
            # The database, not the item. Where it is still away, this is not written either, and the lease brings the item back.
            logger.warning("bulk_call_put_off", extra={"item": str(item.item_id), "reason": type(error).__name__})
            later = TryLater(DATABASE_SECONDS, code=DATABASE_WAS_AWAY, is_put_off=True)
            ends = [end_of(batch, item, later, time.monotonic() - began, work.meter.cost)]
            await self._write(services.end_items, batch=batch, ends=ends)
            return
        except Exception as error:  # noqa: BLE001  (whatever a kind raises is the end of its item)
            ends = [end_of(batch, item, error, time.monotonic() - began, work.meter.cost)]
            await self._write(services.end_items, batch=batch, ends=ends)
            return
        spent = time.monotonic() - began
        applied = await self._write(
            services.apply_items,
            batch=batch,
            items=[item],
            seconds=0.0,
            found={item.item_id: found},
            spent={item.item_id: spent},
            costs={item.item_id: work.meter.cost},
        )
        if applied.left:  # who asked may act here no more: nothing was done with the answer, but it was paid for
            ends = [ItemEnd(item.item_id, item.fence, ItemStatus.PENDING, spent, cost=work.meter.cost)]
            await self._write(services.end_items, batch=batch, ends=ends)

    async def _end_cancelled(self, batch: Batch, item: HeldItem, seconds: float, cost: Decimal) -> None:
        """Cut short: its operation was cancelled, or this process ends, and another will call."""
        calling = self.calling.get(item.item_id)
        status = calling.ends_as if calling and calling.ends_as else ItemStatus.PENDING
        ends = [ItemEnd(item.item_id, item.fence, status, seconds, cost=cost)]
        with contextlib.suppress(LateWriter, *DATABASE_AWAY):
            await self._write(services.end_items, batch=batch, ends=ends)

    async def _keep_on(self) -> None:
        """Renew what is held, let go what is held by another, and end what was cancelled a while ago."""
        renewed = time.monotonic()
        while True:
            await asyncio.sleep(scaled(1.0))
            if not self.calling:
                renewed = time.monotonic()
                continue
            try:
                if time.monotonic() - renewed >= scaled(RENEW_SECONDS):
                    await self._renew()
                    renewed = time.monotonic()
                await self._stop_cancelled()
            except DATABASE_AWAY as error:
                logger.warning("bulk_items_not_renewed", extra={"reason": type(error).__name__})
            except Exception:
                logger.exception("bulk_keeper_failed")

    async def _renew(self) -> None:
        held = {pk: calling.item.fence for pk, calling in self.calling.items()}
        kept = await self._write(services.renew_items, items=list(held.items()))
        for pk, fence in held.items():
            calling = self.calling.get(pk)
            if pk not in kept and calling is not None and calling.item.fence == fence:
                calling.task.cancel()

    async def _stop_cancelled(self) -> None:
        operations = {calling.batch.operation_id for calling in self.calling.values()}
        stopping = await in_thread(selectors.find_stopping, operations)
        now = time.monotonic()
        for calling in list(self.calling.values()):
            if calling.batch.operation_id not in stopping:
                continue
            calling.stops_at = calling.stops_at or now + scaled(GRACE_SECONDS)
            if now >= calling.stops_at - scaled(1.0):
                calling.ends_as = ItemStatus(stopping[calling.batch.operation_id])
                calling.task.cancel()

    def close(self) -> None:
        """At the end of the process: no new items; those that run have a while, then go back for another to call."""
        self.is_closing = True
        self.submit()
        with contextlib.suppress(TimeoutError, asyncio.CancelledError):
            asyncio.run_coroutine_threadsafe(self._drain(), self.loop).result(2 * scaled(DRAIN_SECONDS) + 5)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)

    async def _drain(self) -> None:
        # What is being claimed right now is ours too: it goes back, or is among those that run.
        await asyncio.wait([self._filling], timeout=scaled(DRAIN_SECONDS))
        tasks = [calling.task for calling in self.calling.values()]
        if tasks:
            _done, late = await asyncio.wait(tasks, timeout=scaled(DRAIN_SECONDS))
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._filling.cancel()
        self._keeping.cancel()
        await llm.leave_loop()


_runner: Runner | None = None
_making = threading.Lock()


def runner() -> Runner:
    global _runner  # noqa: PLW0603  (one a process, made when first needed, after the fork)
    with _making:
        if _runner is None:
            _runner = Runner()
        return _runner


def close() -> None:
    global _runner  # noqa: PLW0603  (as above)
    with _making:
        if _runner is not None:
            _runner.close()
            _runner = None
