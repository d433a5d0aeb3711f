"""One answer of a model: an object of a schema, or words. What it costs is told to a meter.

No transaction is open meanwhile. Cancelling it closes the connection to the provider.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from decimal import Decimal
from enum import Enum, auto
from typing import Any

from apps.core.doors.bulk_kinds import Meter, TryLater
from apps.core.leases import scaled
from apps.extraction import repair, strict_schema
from apps.extraction.reading_types import Answer
from apps.extraction.types import RUN_CALL_SECONDS
from apps.llm import abilities
from apps.llm import engine as llm
from apps.llm.errors import (
    BreakerOpen,
    FirstByteTimeout,
    ModelError,
    ProviderDisconnected,
    ProviderProtocolError,
    ProviderRefused,
    ProviderStalled,
    RateLimited,
)
from apps.llm.types import (
    Answered,
    AppendText,
    CompletionRequest,
    Finished,
    FinishReason,
    NeutralMessage,
    Parameters,
    Role,
    SetPart,
    ToolSpec,
    Usage,
)

IN_WORDS = "Answer with one JSON object of this JSON Schema and nothing else:\n"
#: Of a provider that is tired and does not say for how long.
PAUSE_SECONDS = 5.0
#: Of one that says for how long: so long nobody's operations ask it.
LEAST_REST_SECONDS, LONGEST_REST_SECONDS = 1.0, 600.0
#: The ways that failed are not tried again for so long.
LEARNT_SECONDS = 3600.0
_MOST_LEARNT = 1_000
TOOL = "answer"
_PASSING = (BreakerOpen, FirstByteTimeout, ProviderStalled, ProviderDisconnected)

#: The wanted object's schema in the dialect of a provider.
Shape = Callable[[strict_schema.Kind], Mapping[str, Any]]
Mark = tuple[str, bytes]
_failed_before: dict[Mark, tuple[int, float]] = {}


class Way(Enum):
    """How a model is asked for an object, the surest first."""

    SCHEMA = auto()
    TOOL = auto()
    WORDS = auto()


async def ask(request: CompletionRequest, wanted: Shape | None, meter: Meter) -> Answer:
    """Words, or an object of the schema ``wanted``. What passes by itself is ``TryLater``."""
    try:
        async with asyncio.timeout(scaled(RUN_CALL_SECONDS)):
            if wanted is None:
                return await _read(request, meter)
            return await answer(request, wanted, meter)
    except TimeoutError as error:
        raise TryLater(scaled(PAUSE_SECONDS), code="timeout", is_put_off=True) from error
    except ModelError as error:
        meter.add(error.cost)
        if (later := later_of(error)) is None:
            raise
        raise later from error


def holds_an_object(text: str) -> bool:
    return isinstance(repair.read(text).value, dict | list)


async def answer(
    request: CompletionRequest, wanted: Shape, meter: Meter, *, fits: Callable[[str], bool] = holds_an_object
) -> Answer:
    """An object of the schema ``wanted``, asked for in the best way that the model has: by the schema itself, as the arguments of a
    tool, in words.

    A model that refuses one way is asked in the next; so is one of which nobody knows that it keeps to schemas, when nothing in its
    answer ``fits``. For an hour the ways that failed are not tried again with that model and schema. Costs and tokens are those of
    all that was asked.
    """
    able = await abilities.abilities_of(request.organization_id, request.model_id)
    plain = await asyncio.to_thread(wanted, "plain")
    mark = (able.mark, hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).digest())
    ways = _ways_of(able)[_learnt(mark) :]
    first = len(_ways_of(able)) - len(ways)
    before = Answer("")
    for number, way in enumerate(ways):
        is_last = number == len(ways) - 1
        shape = plain if way is not Way.SCHEMA else await asyncio.to_thread(wanted, able.dialect)
        try:
            said = _after(before, await _read(_asked(request, way, shape), meter))
        except (ProviderRefused, ProviderProtocolError) as error:
            if is_last or (isinstance(error, ProviderProtocolError) and way is not Way.TOOL):
                raise
            meter.add(error.cost)
            before = _after(before, Answer("", cost=str(error.cost or "")))
            continue
        is_sure = way is Way.SCHEMA and able.enforces
        if is_last or is_sure or await asyncio.to_thread(fits, said.text):
            if number:
                _learn(mark, first + number)
            return said
        before = said
    raise AssertionError("the last way answers or raises")


def _ways_of(able: abilities.Abilities) -> list[Way]:
    found = [Way.SCHEMA] if able.enforces is not False else []
    return [*found, *([Way.TOOL] if able.can_call_tools else []), Way.WORDS]


def _learnt(mark: Mark) -> int:
    first, until = _failed_before.get(mark, (0, 0.0))
    return first if time.monotonic() < until else 0


def _learn(mark: Mark, first: int) -> None:
    if len(_failed_before) >= _MOST_LEARNT:
        _failed_before.pop(next(iter(_failed_before)), None)
    _failed_before[mark] = (first, time.monotonic() + LEARNT_SECONDS)


def forget() -> None:
    _failed_before.clear()


def _asked(request: CompletionRequest, way: Way, shape: Mapping[str, Any]) -> CompletionRequest:
    match way:
        case Way.SCHEMA:
            return replace(request, parameters=replace(request.parameters, response_schema=shape))
        case Way.TOOL:
            tool = ToolSpec(TOOL, "Takes the answer, all of it at once.", shape)
            return replace(request, tools=(tool,), parameters=replace(request.parameters, tool_choice=TOOL))
        case Way.WORDS:
            return _in_words(request, shape)


def _after(before: Answer, said: Answer) -> Answer:
    cost = str(Decimal(before.cost or 0) + Decimal(said.cost or 0)) if before.cost or said.cost else ""
    return replace(
        said,
        cost=cost,
        input_tokens=before.input_tokens + said.input_tokens,
        output_tokens=before.output_tokens + said.output_tokens,
    )


def later_of(error: ModelError) -> TryLater | None:
    """When to ask again after what passes by itself; None for what does not. The item is not at fault: it costs none of its attempts.

    What a provider says of itself (its limits, a time to wait) and what is said of it (its breaker is open) holds for all who ask it: it
    rests. That one call took too long, or broke off, may be this call's own.
    """
    if not (error.is_transient or isinstance(error, _PASSING)):
        return None
    wanted = error.retry_after_seconds
    if wanted is None and not isinstance(error, RateLimited | BreakerOpen):
        return TryLater(scaled(PAUSE_SECONDS), code=error.code, is_put_off=True)
    rest = PAUSE_SECONDS if wanted is None else min(max(wanted, LEAST_REST_SECONDS), LONGEST_REST_SECONDS)
    return TryLater(scaled(rest), code=error.code, rests=True)


def _in_words(request: CompletionRequest, wanted: Mapping[str, Any]) -> CompletionRequest:
    """At the end of the instructions, as the first message of every request here is: not all servers take two of them."""
    instructions, *rest = request.messages
    text = f"{instructions.text}\n\n{IN_WORDS}{json.dumps(wanted, ensure_ascii=False)}"
    return replace(request, messages=(NeutralMessage.of_text(Role.SYSTEM, text), *rest), parameters=Parameters())


async def _read(request: CompletionRequest, meter: Meter) -> Answer:
    said: list[str] = []
    called = ""
    who, used, end = None, Usage(), None
    async with aclosing(llm.stream(request)) as operations:
        async for operation in operations:
            match operation:
                case AppendText(text=text):
                    said.append(text)
                case SetPart(data={"name": name, "arguments": arguments}) if name == TOOL:
                    called = called or json.dumps(arguments, ensure_ascii=False)
                case Answered():
                    who = operation
                case Usage():
                    used = operation
                case Finished():
                    end = operation
                    meter.add(operation.cost)
    return Answer(
        text=called or "".join(said),
        model=f"{who.provider}/{who.model}" if who else "",
        is_demo=bool(who and who.is_demo),
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        cost=end.cost if end else "",
        currency=end.currency if end else "",
        is_cut=end is not None and end.reason == FinishReason.LENGTH,
    )
