"""The engine of turns: on one event loop a process, claims, streams, renews, checkpoints, ends.

It spans transactions and opens none: what it writes goes through services, in threads that keep no connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import uvloop
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError
from psycopg_pool import PoolTimeout

from apps.accounts.types import SYSTEM
from apps.agents.types import AnswerContext
from apps.conversations import answering, context, control, services, turn_order
from apps.conversations.file_waits import wait_for_files
from apps.conversations.running import Running
from apps.conversations.services.turns import Checkpoint
from apps.conversations.types import (
    MAX_RUNNING_A_PROCESS,
    Ending,
    HeldTurn,
    LateWriter,
    TurnStatus,
    text_of_parts,
)
from apps.core import redis, worker_life
from apps.core.correlation import caused_by
from apps.core.db import in_thread
from apps.core.errors import DomainError
from apps.core.ids import uuid7
from apps.core.leases import RENEW_SECONDS, scaled
from apps.live import streams
from apps.live.bells import publish_status_async
from apps.llm import engine as llm

logger = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 1.5
PERSIST_SECONDS = 30
GRACE_SECONDS = 30
LOOK_SECONDS, LOOKED_FOR = 5, 50
AWAY_SECONDS = 0.5
# Those that were claimed go on before others are: in a crowd the first hear their first word early.
CLAIMS_AT_ONCE = 2
DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeout)


class Runner:
    """All turns of this process, and named after it, not after the one that forked it. Made once; its loop runs in a thread of its own."""

    def __init__(self) -> None:
        self.name = f"{socket.gethostname()[:40]}:{os.getpid()}:{uuid7().hex[-8:]}"
        self.running: dict[UUID, Running] = {}
        self._being_claimed = 0
        self._turned_away = False
        self.is_closing = False
        self.loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="turns", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        self._claiming = asyncio.Semaphore(CLAIMS_AT_ONCE)
        self._keepers = [
            self.loop.create_task(self._keep(self._renew, scaled(RENEW_SECONDS))),
            self.loop.create_task(self._keep(self._checkpoint, scaled(CHECKPOINT_SECONDS))),
            self.loop.create_task(self._keep(self._look_for_turns, scaled(LOOK_SECONDS))),
            self.loop.create_task(self._listen()),
            self.loop.create_task(worker_life.watch_loop_lag()),
        ]
        self.loop.run_forever()

    def submit(self, turn_id: UUID) -> None:
        """From any thread; returns at once."""
        self.loop.call_soon_threadsafe(self._start, turn_id)

    def _start(self, turn_id: UUID) -> None:
        if self.is_closing or turn_id in self.running:
            return
        task = self.loop.create_task(self._run(turn_id))
        task.add_done_callback(_report)

    async def _run(self, turn_id: UUID) -> None:
        async with self._claiming:
            held = await self._claim(turn_id)
            if held is None:
                return
            running = self.running[turn_id] = Running(held, task=asyncio.current_task())
        try:
            with caused_by(held.correlation_id):
                await self._answer(running)
        finally:
            self.running.pop(turn_id, None)
            if self._turned_away and not self.is_closing:
                self._turned_away = False
                self.loop.create_task(self._start_waiting(timedelta(0))).add_done_callback(_report)

    async def _claim(self, turn_id: UUID) -> HeldTurn | None:
        if len(self.running) + self._being_claimed >= MAX_RUNNING_A_PROCESS:
            self._turned_away = True
            return None
        self._being_claimed += 1
        try:
            return await in_thread(services.claim_turn, actor=SYSTEM, turn_id=turn_id, worker=self.name)
        except DATABASE_AWAY:
            logger.warning("turn_not_claimed", extra={"turn": str(turn_id)})
            return None  # still queued: the coordinator hints again
        finally:
            self._being_claimed -= 1

    async def _answer(self, running: Running) -> None:
        held = running.held
        running.stream = stream = streams.TurnStream.open(
            held.turn_id, fence=held.fence, topic=held.topic, parts=held.start_parts, is_sealed=held.is_sensitive
        )
        status = publish_status_async(held.topic, held.turn_id, "running", message=held.message_id)
        telling = self.loop.create_task(status)
        ending = await self._consume(running)
        running.is_ending = ending is not None
        await telling
        if ending is None:
            stream.close()
            return
        await self._finish(running, ending)

    async def _consume(self, running: Running) -> Ending | None:
        """Iterate over the answer; None when the turn is, or will be, somebody else's."""
        try:
            answer_context = await in_thread(_read_context, running.held)
            if answer_context is None or isinstance(answer_context, Ending):
                return answer_context
            answer_context = await wait_for_files(running.held, answer_context)
            async with contextlib.aclosing(answering.answer(running.held, answer_context)) as operations:
                async for operation in operations:
                    running.take(operation)
        except asyncio.CancelledError:
            match running.cancelled_for:
                case "stopped":
                    return running.ending(TurnStatus.STOPPED)
                case "shutdown":
                    return running.ending(TurnStatus.INTERRUPTED, reason="shutdown")
                case _:
                    return None
        except (streams.LateWriter, LateWriter, *DATABASE_AWAY):
            return (
                None  # the database is asked between rounds, too: the lease lapses, and it runs again or is interrupted
            )
        except DomainError as error:
            return running.ending(TurnStatus.FAILED, reason=error.code)
        except Exception:
            logger.exception("turn_failed", extra={"turn": str(running.held.turn_id)})
            return running.ending(TurnStatus.FAILED, reason="internal_error")
        return running.ending(TurnStatus.COMPLETED)

    async def _finish(self, running: Running, ending: Ending) -> None:
        """Everything that was shown is in the stream, then the row is final, then readers hear of it."""
        held, stream = running.held, running.stream
        assert stream is not None
        try:
            await stream.drain()
            ending = await self._end(held, ending, stream.seq)
        except (streams.LateWriter, LateWriter):
            return
        finally:
            stream.close()
        logger.info("turn_ended", extra={"turn": str(held.turn_id), "status": ending.status, "reason": ending.reason})
        await publish_status_async(
            held.topic, held.turn_id, ending.status, message=held.message_id, reason=ending.reason
        )

    async def _end(self, held: HeldTurn, ending: Ending, seq: int) -> Ending:
        """What was written. An end that no row takes is told as one that failed, with the words alone."""

        def finish(ending: Ending) -> None:
            services.finish_turn(actor=SYSTEM, turn_id=held.turn_id, fence=held.fence, ending=ending, seq=seq)

        try:
            await self._persist(lambda: finish(ending))
        except (LateWriter, *DATABASE_AWAY):
            raise
        except Exception:
            logger.exception("turn_not_ended", extra={"turn": str(held.turn_id)})
            words = text_of_parts(ending.parts)
            parts = [{"type": "text", "text": words}] if words else []
            last = replace(ending, status=TurnStatus.FAILED, reason="internal_error", parts=parts)
            await self._persist(lambda: finish(last))
            return last
        return ending

    async def _persist(self, write: Callable[[], None]) -> None:
        """PostgreSQL may be away for a while: what was streamed waits up to 30 s, then the reaper ends the turn."""
        deadline = self.loop.time() + scaled(PERSIST_SECONDS)
        pause = 0.1
        while True:
            try:
                await in_thread(write)
            except DATABASE_AWAY:
                if self.loop.time() > deadline:
                    raise
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1.0)
            else:
                return

    async def _keep(self, act: Callable[[], Any], every_seconds: float) -> None:
        wait = every_seconds
        while True:
            await asyncio.sleep(wait)
            wait = every_seconds
            try:
                await act()
            except DATABASE_AWAY:
                logger.warning("database_away")
                wait = min(every_seconds, AWAY_SECONDS)  # leases lapse meanwhile: renewed as soon as it answers again
            except Exception:
                logger.exception("keeper_failed")

    async def _renew(self) -> None:
        held = [(each.held.turn_id, each.held.fence) for each in self.running.values()]
        if not held:
            return
        kept = await in_thread(services.renew_leases, actor=SYSTEM, held=held)
        for turn_id, fence in held:
            running = self.running.get(turn_id)
            if running is None or running.held.fence != fence:
                continue
            if turn_id not in kept:
                self._cancel(running, "late")
            elif kept[turn_id]:
                self._cancel(running, "stopped")

    async def _checkpoint(self) -> None:
        due = [
            Checkpoint.of(each.held, each.stream.parts, each.stream.seq)
            for each in self.running.values()
            if each.stream is not None and each.stream.seq > each.checkpointed_seq
        ]
        if not due:
            return
        try:
            await in_thread(services.checkpoint_turns, actor=SYSTEM, checkpoints=due)
        except DATABASE_AWAY:
            raise
        except DatabaseError:
            await self._checkpoint_each(due)
        for checkpoint in due:
            if running := self.running.get(checkpoint.turn_id):
                running.checkpointed_seq = checkpoint.seq

    async def _checkpoint_each(self, due: Sequence[Checkpoint]) -> None:
        """One that no row takes holds up no other; it is tried again when there is more of it."""
        for checkpoint in due:
            try:
                await in_thread(services.checkpoint_turns, actor=SYSTEM, checkpoints=[checkpoint])
            except DATABASE_AWAY:
                raise
            except DatabaseError:
                logger.exception("turn_not_checkpointed", extra={"turn": str(checkpoint.turn_id)})

    async def _look_for_turns(self) -> None:
        """While Redis takes no hints (away, silent or full) turns that wait are found in the database."""
        if self.is_closing or await control.takes_hints():
            return
        await self._start_waiting(timedelta(seconds=scaled(LOOK_SECONDS)))

    async def _start_waiting(self, age: timedelta) -> None:
        for turn_id in await in_thread(turn_order.list_startable, older_than=age, limit=LOOKED_FOR):
            self._start(turn_id)

    async def _listen(self) -> None:
        while True:
            try:
                async for turn_id in control.stops():
                    if running := self.running.get(turn_id):
                        self._cancel(running, "stopped")
            except (*redis.Away, TimeoutError):
                await asyncio.sleep(0.5)

    def _cancel(self, running: Running, why: str) -> None:
        """A turn that is writing its end is left to it: the fence refuses the row to a late one, and readers wait for the status."""
        if not running.cancelled_for and not running.is_ending and running.task is not None:
            running.cancelled_for = why
            running.task.cancel()

    def warm_up(self) -> None:
        """What the first answer would wait for: imports and certificates, then routes and clients on the loop."""
        llm.warm_up()
        asyncio.run_coroutine_threadsafe(llm.warm_up_loop(), self.loop)

    def close(self) -> None:
        """No new claims; what runs gets 30 s, the rest is cancelled and says ``interrupted: shutdown``."""
        self.is_closing = True
        done: Future[None] = asyncio.run_coroutine_threadsafe(self._drain(), self.loop)
        with contextlib.suppress(TimeoutError):
            done.result(timeout=(GRACE_SECONDS + 8) * max(settings.PARLANCE_TIME_SCALE, 0.2))

    async def _drain(self) -> None:
        tasks = [each.task for each in self.running.values() if each.task]
        if tasks:
            await asyncio.wait(tasks, timeout=scaled(GRACE_SECONDS))
        for running in list(self.running.values()):
            self._cancel(running, "shutdown")
        left = [each.task for each in self.running.values() if each.task]
        if left:
            await asyncio.wait(left, timeout=5)


def _read_context(held: HeldTurn) -> AnswerContext | Ending | None:
    """In a thread. A context that cannot be read ends the turn; with the database away the lease lapses and it runs again."""
    try:
        return context.read_context(held)
    except DATABASE_AWAY:
        logger.warning("context_not_read", extra={"turn": str(held.turn_id)})
        return None
    except DomainError as error:
        return Ending(TurnStatus.FAILED, held.start_parts, reason=error.code)
    except (DatabaseError, OSError, ValueError, KeyError):
        logger.exception("context_failed", extra={"turn": str(held.turn_id)})
        return Ending(TurnStatus.FAILED, held.start_parts, reason="internal_error")


def _report(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("task_failed", exc_info=error)


_runner: Runner | None = None
_lock = threading.Lock()


def runner() -> Runner:
    global _runner  # noqa: PLW0603  (one a process, made on first use, after any fork)
    with _lock:
        if _runner is None:
            _runner = Runner()
    return _runner


def close() -> None:
    if _runner is not None:
        _runner.close()
