"""One attempt of one model: its row and reservation before, its operations, its outcome after, however it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from decimal import Decimal

from django.db import InterfaceError, OperationalError
from psycopg_pool import PoolTimeout

from apps.accounts.types import SYSTEM
from apps.core.db import in_thread
from apps.core.ids import uuid7
from apps.core.leases import scaled
from apps.llm import clients, services, tokens
from apps.llm.errors import EmptyAnswer, ModelError
from apps.llm.models import AttemptStatus
from apps.llm.presets import Wire
from apps.llm.routes import ModelRoute
from apps.llm.services.ledger import Closing, Opening
from apps.llm.types import (
    Answered,
    AppendText,
    CompletionRequest,
    Finished,
    ImageContent,
    OpenPart,
    Operation,
    Usage,
    WireCall,
)

logger = logging.getLogger(__name__)

DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeout)
DEFAULT_OUTPUT_TOKENS = 4096
SETTLE_SECONDS = 60.0
WAIT_FOR_SETTLING_SECONDS = 2.0
SECONDS_UNTIL_SENT = 0.003
BYTES_PER_TOKEN_AT_LEAST = 2

# Settling goes on when its caller is cancelled; the set keeps the tasks from being collected.
_settling: set[asyncio.Task[None]] = set()


class Attempt:
    def __init__(
        self,
        request: CompletionRequest,
        route: ModelRoute,
        *,
        number: int,
        expected_input_tokens: int,
        has_budget: bool,
        is_fallback: bool,
        requested: str,
        connect_within: float,
    ) -> None:
        self.id = uuid7()
        self.request, self.route = request, route
        self.number = number
        self.is_visible = False
        self._is_fallback, self._requested = is_fallback, requested
        self._expected = expected_input_tokens
        self._loop = asyncio.get_running_loop()
        self._limit = self._output_limit(has_budget=has_budget)
        self._reserve = self._worst_case() if has_budget else Decimal(0)
        self._connect_within = connect_within
        self._begun = self._loop.time()
        self._first_token_ms: int | None = None
        self._pieces: list[str] = []
        self._usage: Usage | None = None
        self._is_sent = False

    async def operations(self) -> AsyncGenerator[Operation]:
        opening = self._loop.create_task(self._open() if self._reserve else self._open_beside())
        status, error = "stopped", None
        try:
            if self._reserve:
                # Money first: the call is made only when the budget holds it.
                self.number = await asyncio.shield(opening)
            self._begun = self._loop.time()
            self._is_sent = True
            adapter = await clients.adapter_of(self.route.provider)
            source = adapter.stream(self._call(), headers=self._headers())
            async with aclosing(source):  # type: ignore[type-var]
                finished: Finished | None = None
                async for operation in source:
                    kind = type(operation)
                    if kind is AppendText:
                        self._pieces.append(operation.text)  # type: ignore[union-attr]
                    elif kind is OpenPart:
                        if not self.is_visible:
                            # The row was written beside the call: what is shown has one, even if this process dies now.
                            self.number = await self._opened(opening)
                            self.is_visible = True
                            self._first_token_ms = self._milliseconds()
                            yield self._answered()
                    elif kind is Usage:
                        self._usage = operation  # type: ignore[assignment]
                        continue
                    elif kind is Finished:
                        finished = operation  # type: ignore[assignment]
                        continue
                    yield operation
            status = "completed"
            usage = self._final_usage(status)
            await self._settle(status, usage, None, opening)
            if not self.is_visible:
                yield self._answered()
            yield usage
            assert finished is not None
            known = self.route.prices.are_known
            cost = self._cost(usage) if known else None
            yield replace(
                finished,
                cost=str(cost) if cost is not None else "",
                currency=self.route.prices.currency if known else "",
            )
        except ModelError as failure:
            status, error = "failed", failure
            failure.said = self.route.provider.without_secrets(failure.said)
            failure.cost = self._cost_of_failure(failure)
            raise
        except Exception:
            status = "failed"
            raise
        finally:
            if status != "completed":
                await self._settle(status, self._final_usage(status, error), error, opening)

    def _call(self) -> WireCall:
        request, route = self.request, self.route
        timeouts = route.provider.timeouts
        if timeouts.connect_seconds > self._connect_within:
            timeouts = replace(timeouts, connect_seconds=self._connect_within)
        asked = request.parameters.max_output_tokens
        return WireCall(
            model=route.name,
            messages=request.messages,
            parameters=replace(request.parameters, max_output_tokens=min(asked, self._limit))
            if asked and self._limit
            else request.parameters,
            tools=request.tools if route.can_call_tools else (),
            timeouts=timeouts,
            can_see=route.can_see,
            max_output_tokens=self._limit,
            purpose=request.purpose,
            language=request.language,
        )

    def _headers(self) -> dict[str, str]:
        """An id that a provider's support can find the call by; it names nobody."""
        return {"X-Client-Request-Id": f"{self.request.turn_id or self.id}"}

    def _output_limit(self, *, has_budget: bool) -> int | None:
        """What no answer passes: the model's own limit, or a plain one where a budget must be able to count on it."""
        if has_budget and self.route.prices.are_known:
            asked = self.request.parameters.max_output_tokens
            highest = self.route.max_output_tokens or DEFAULT_OUTPUT_TOKENS
            return min(asked or min(highest, DEFAULT_OUTPUT_TOKENS), highest)
        if self.route.provider.preset.wire is Wire.ANTHROPIC or self.request.parameters.max_output_tokens:
            return self.route.max_output_tokens
        return None

    def _worst_case(self) -> Decimal:
        """No tokenizer makes more tokens than bytes, and none of today's more than one of two in prose."""
        size = sum(
            len(part.data) and tokens.TOKENS_PER_IMAGE * 2 * BYTES_PER_TOKEN_AT_LEAST
            if isinstance(part, ImageContent)
            else len(str(part).encode())
            for message in self.request.messages
            for part in message.parts
        )
        most = size // BYTES_PER_TOKEN_AT_LEAST + self._expected + 64 * len(self.request.messages)
        return self.route.prices.cost_of(Usage(input_tokens=most, output_tokens=self._limit or 0))

    def _answered(self) -> Answered:
        provider = self.route.provider
        return Answered(
            provider=provider.name,
            model=self.route.name,
            attempt=self.number,
            provider_id=provider.id,
            model_id=self.route.id,
            is_fallback=self._is_fallback,
            is_demo=provider.is_demo,
            requested=self._requested,
        )

    def _milliseconds(self) -> int:
        return int((self._loop.time() - self._begun) * 1000)

    def _final_usage(self, status: str, error: ModelError | None = None) -> Usage:
        """The provider's count, or an estimate. Nothing was used by a call that failed before it showed anything."""
        if self._usage is not None:
            return self._usage
        if not self._is_sent or (status == "failed" and not self.is_visible):
            return Usage()
        return Usage(input_tokens=self._expected, output_tokens=tokens.of_text("".join(self._pieces)), estimated=True)

    def _cost_of_failure(self, failure: ModelError) -> Decimal:
        return Decimal(0) if isinstance(failure, EmptyAnswer) else self._cost(self._final_usage("failed", failure))

    def _cost(self, usage: Usage) -> Decimal:
        return self.route.prices.cost_of(usage)

    async def _open_beside(self) -> int:
        """First the request goes out: its thread would compete for the interpreter with what the person waits for."""
        await asyncio.sleep(SECONDS_UNTIL_SENT)
        return await self._open()

    async def _open(self) -> int:
        opening = Opening(
            id=self.id,
            request=self.request,
            route=self.route,
            attempt=self.number,
            expected_input_tokens=self._expected,
            reserve=self._reserve,
        )
        return await in_thread(services.open_attempt, actor=SYSTEM, opening=opening)

    async def _opened(self, opening: asyncio.Task[int]) -> int:
        try:
            return await asyncio.shield(opening)
        except DATABASE_AWAY:
            # The answer goes on; the row is written with its outcome.
            return self.number

    async def _settle(self, status: str, usage: Usage, error: ModelError | None, opening: asyncio.Task[int]) -> None:
        """Wait a moment for the outcome to be written; with the database away it is written when that is back."""
        cost = self._cost_of_failure(error) if error else self._cost(usage)
        closing = Closing(
            id=self.id,
            organization_id=self.request.organization_id,
            status=AttemptStatus(status),
            usage=usage,
            cost=cost,
            currency=self.route.prices.currency,
            duration_ms=self._milliseconds(),
            first_token_ms=self._first_token_ms,
            error_code=error.code if error else "" if status != "failed" else "internal_error",
            error_said=error.said if error else "",
            provider_status=error.provider_status if error else None,
        )
        task = self._loop.create_task(self._write(closing, opening))
        _settling.add(task)
        task.add_done_callback(_settling.discard)
        await asyncio.wait({task}, timeout=WAIT_FOR_SETTLING_SECONDS)

    async def _write(self, closing: Closing, opening: asyncio.Task[int]) -> None:
        await asyncio.wait({opening})
        is_open = opening.exception() is None
        if not is_open and not isinstance(opening.exception(), DATABASE_AWAY):
            return
        deadline = self._loop.time() + scaled(SETTLE_SECONDS)
        pause = 0.1
        while True:
            try:
                if not is_open:
                    await self._open()
                    is_open = True
                await in_thread(services.close_attempt, actor=SYSTEM, closing=closing)
            except DATABASE_AWAY as away:
                if self._loop.time() > deadline:
                    logger.exception("attempt_not_closed", extra={"attempt": str(self.id)}, exc_info=away)
                    return
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)
            else:
                return


async def wait_settled(seconds: float = 10.0) -> None:
    """Before this loop ends: what is still being written."""
    loop = asyncio.get_running_loop()
    if left := {task for task in tuple(_settling) if task.get_loop() is loop}:  # loops of other threads change it
        await asyncio.wait(left, timeout=seconds)
