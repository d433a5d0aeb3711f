"""One answer of a model for one item of an operation: an object of a schema, or words. What it costs is told to the item's meter.

No transaction is open meanwhile. Cancelling it closes the connection to the provider.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from apps.core.doors.bulk_kinds import Meter, TryLater
from apps.core.leases import scaled
from apps.extraction.types import RUN_CALL_SECONDS, Answer
from apps.llm import engine as llm
from apps.llm.errors import (
    BreakerOpen,
    FirstByteTimeout,
    ModelError,
    ProviderDisconnected,
    ProviderRefused,
    ProviderStalled,
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
    Usage,
)

IN_WORDS = "Answer with one JSON object of this JSON Schema and nothing else:\n"
#: Of a provider that is tired and does not say for how long.
PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 120.0
_PASSING = (BreakerOpen, FirstByteTimeout, ProviderStalled, ProviderDisconnected)


async def ask(request: CompletionRequest, wanted: Mapping[str, Any] | None, meter: Meter) -> Answer:
    """Words, or an object of the schema ``wanted``. What passes by itself is ``TryLater``."""
    try:
        async with asyncio.timeout(scaled(RUN_CALL_SECONDS)):
            if wanted is None:
                return await _read(request, meter)
            return await answer(request, wanted, meter)
    except TimeoutError as error:
        raise TryLater(PAUSE_SECONDS, code="timeout") from error
    except ModelError as error:
        meter.add(error.cost)
        if (later := later_of(error)) is None:
            raise
        raise later from error


async def answer(request: CompletionRequest, wanted: Mapping[str, Any], meter: Meter) -> Answer:
    """An object of the schema ``wanted``: as the provider takes schemas; one that refuses it is told in words."""
    try:
        parameters = replace(request.parameters, response_schema=wanted)
        return await _read(replace(request, parameters=parameters), meter)
    except ProviderRefused:
        return await _read(_in_words(request, wanted), meter)


def later_of(error: ModelError) -> TryLater | None:
    """When to ask again after what passes by itself; None for what does not."""
    if not (error.is_transient or isinstance(error, _PASSING)):
        return None
    pause = error.retry_after_seconds if error.retry_after_seconds is not None else PAUSE_SECONDS
    return TryLater(scaled(min(pause, LONGEST_PAUSE_SECONDS)), code=error.code)


def _in_words(request: CompletionRequest, wanted: Mapping[str, Any]) -> CompletionRequest:
    """At the end of the instructions, as the first message of every request here is: not all servers take two of them."""
    instructions, *rest = request.messages
    text = f"{instructions.text}\n\n{IN_WORDS}{json.dumps(wanted, ensure_ascii=False)}"
    return replace(request, messages=(NeutralMessage.of_text(Role.SYSTEM, text), *rest), parameters=Parameters())


async def _read(request: CompletionRequest, meter: Meter) -> Answer:
    said: list[str] = []
    who, used, end = None, Usage(), None
    async with aclosing(llm.stream(request)) as operations:
        async for operation in operations:
            match operation:
                case AppendText(text=text):
                    said.append(text)
                case Answered():
                    who = operation
                case Usage():
                    used = operation
                case Finished():
                    end = operation
                    meter.add(operation.cost)
    return Answer(
        text="".join(said),
        model=f"{who.provider}/{who.model}" if who else "",
        is_demo=bool(who and who.is_demo),
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        cost=end.cost if end else "",
        currency=end.currency if end else "",
        is_cut=end is not None and end.reason == FinishReason.LENGTH,
    )
