"""The one way to a model: choose, reserve, call, try again before the first visible token, fall back, settle, record.

It spans transactions and opens none: the ledger and the budget are written by services, in threads.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

from apps.core.db import in_thread
from apps.core.leases import scaled
from apps.llm import attempts, clients, fitting, routing, selectors, shared_state, tokens
from apps.llm.errors import BreakerOpen, ContextTooLong, ModelError
from apps.llm.routes import ModelRoute
from apps.llm.types import Answered, AppendText, CompletionRequest, Operation

logger = logging.getLogger(__name__)

ATTEMPTS_A_MODEL = 3
RETRY_SECONDS = 10.0
LONGEST_RETRY_AFTER_SECONDS = 30.0
FIRST_PAUSE_SECONDS = 0.4

WARM_ORGANIZATIONS = 50


async def stream(request: CompletionRequest) -> AsyncGenerator[Operation]:
    """``Answered``, then operations on parts, ``Usage`` and ``Finished``. Raises ``ModelError``; what was yielded stays valid.

    Iterate under ``contextlib.aclosing``: closing ends the call at the provider, and its row and budget are settled before
    ``aclose`` returns. Nothing is tried again once something visible was yielded.
    """
    routes, seen = await routing.routes_of(request.organization_id, request.model_id)
    plan = routes.plan(request.model_id, allow_fallback=request.allow_fallback)
    number = 0
    refused: ModelError | None = None
    for place, route in enumerate(plan):
        if not await _may_call(route, seen):
            refused = refused or BreakerOpen(route.provider.name)
            continue
        is_probe = route.provider.breaker in seen.tripped
        begun = asyncio.get_running_loop().time()
        fitted = fitting.fit(request, route)
        for tried in range(1, ATTEMPTS_A_MODEL + 1):
            number += 1
            sent = fitting.worded(fitted)
            attempt = attempts.Attempt(
                sent,
                route,
                number=number,
                expected_input_tokens=tokens.of_messages(sent.messages, sent.tools),
                has_budget=routes.has_budget,
                is_fallback=place > 0,
                requested=plan[0].name,
                connect_within=_left(begun),
            )
            try:
                async with aclosing(attempt.operations()) as operations:  # type: ignore[type-var]
                    async for operation in operations:
                        if fitted.may_leave_out < request.may_leave_out and isinstance(operation, Answered):
                            yield replace(operation, left_out=request.may_leave_out - fitted.may_leave_out)
                            continue
                        yield operation
            except ModelError as error:
                refused = error
                is_resting = await _note_failure(route, error, is_probe=is_probe)
                if attempt.is_visible:
                    raise
                if smaller := _smaller(fitted, error, tried):
                    fitted = smaller
                    continue
                pause = None if is_resting else _pause(error, tried, begun)
                if pause is None:
                    break
                await asyncio.sleep(pause)
            except BaseException:
                if is_probe:
                    await asyncio.shield(shared_state.end_probe(route.provider.breaker))
                raise
            else:
                if is_probe:
                    await shared_state.note_success(route.provider.breaker)
                return
        if refused is None or not refused.allows_fallback:
            break
    assert refused is not None
    raise refused


warm_up = clients.warm_up


async def warm_up_loop() -> None:
    """On the loop that will call: routes and clients of the organizations that were here last. Without a database: nothing."""
    try:
        active = await in_thread(selectors.list_active_organizations, WARM_ORGANIZATIONS)
        for organization_id in active:
            routes, _seen = await routing.routes_of(organization_id, None)
            for provider in {model.provider.id: model.provider for model in routes.models.values()}.values():
                await clients.adapter_of(provider)
    except attempts.DATABASE_AWAY as away:
        logger.warning("routes_not_warmed", extra={"reason": type(away).__name__})


@asynccontextmanager
async def own_loop() -> AsyncGenerator[None]:
    """Around calls on a loop that ends with them (``asyncio.run`` in a job): connections made for it are closed with it."""
    is_guest = not clients.has_any()
    try:
        yield
    finally:
        if is_guest:
            await leave_loop()


async def leave_loop() -> None:
    """Before a loop ends that called: what is being settled is waited for, connections are closed."""
    await attempts.wait_settled()
    await clients.close_all()
    await shared_state.leave_loop()


async def complete(request: CompletionRequest) -> str:
    """The whole text of a short answer (titles), on a loop of its own."""
    async with own_loop(), aclosing(stream(request)) as operations:
        return "".join([o.text async for o in operations if isinstance(o, AppendText)])


async def _may_call(route: ModelRoute, seen: shared_state.Seen) -> bool:
    breaker = route.provider.breaker
    if route.provider.is_demo:
        return True
    if breaker in seen.resting:
        return False
    return breaker not in seen.tripped or await shared_state.may_probe(breaker)


async def _note_failure(route: ModelRoute, error: ModelError, *, is_probe: bool) -> bool:
    """True when the provider rests from now on."""
    if route.provider.is_demo:
        return False
    if error.trips_breaker:
        return await shared_state.note_failure(route.provider.breaker)
    if is_probe:
        await shared_state.end_probe(route.provider.breaker)
    return False


def _smaller(request: CompletionRequest, error: ModelError, tried: int) -> CompletionRequest | None:
    """The estimate was wrong, or nobody knows how much the model can read."""
    if not isinstance(error, ContextTooLong) or tried >= ATTEMPTS_A_MODEL:
        return None
    return fitting.smaller(request, is_last=tried + 1 == ATTEMPTS_A_MODEL)


def _left(begun: float) -> float:
    """A connection that cannot be made must not eat the time in which another model could answer."""
    return max(scaled(0.5), begun + scaled(RETRY_SECONDS) - asyncio.get_running_loop().time())


def _pause(error: ModelError, tried: int, begun: float) -> float | None:
    """Seconds until the next attempt of this model; None when it had its chances.

    Full jitter around a doubling pause keeps a crowd from coming back at once. What the provider asks for is kept where it
    is bearable; a longer wait is none of ours.
    """
    if not error.is_transient or tried >= ATTEMPTS_A_MODEL:
        return None
    if error.retry_after_seconds is not None:
        asked = error.retry_after_seconds
        return asked + random.uniform(0, scaled(0.2)) if asked <= scaled(LONGEST_RETRY_AFTER_SECONDS) else None  # noqa: S311
    pause = scaled(FIRST_PAUSE_SECONDS) * 2 ** (tried - 1) * random.uniform(0.5, 1.5)  # noqa: S311  (jitter)
    spent = asyncio.get_running_loop().time() - begun
    return pause if spent + pause < scaled(RETRY_SECONDS) else None
