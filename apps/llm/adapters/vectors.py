"""What a server answers that was asked for vectors (``/v1/embeddings``, as OpenAI has it)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from apps.llm.errors import ProviderProtocolError
from apps.llm.types import Usage

MOST_DIMENSIONS = 4_096


def read(answer: object, count: int) -> tuple[tuple[float, ...], ...]:
    """One for each of ``count`` texts, in their order. ``ProviderProtocolError`` for anything else."""
    rows = answer.get("data") if isinstance(answer, Mapping) else None
    if not isinstance(rows, list) or len(rows) != count or not all(isinstance(row, Mapping) for row in rows):
        raise ProviderProtocolError("Not as many vectors as texts.")
    if all(isinstance(row.get("index"), int) for row in rows):
        rows = sorted(rows, key=lambda row: row["index"])
    found = tuple(_vector(row.get("embedding")) for row in rows)
    if len({len(each) for each in found}) > 1:
        raise ProviderProtocolError("Vectors of several lengths.")
    return found


def _vector(value: Any) -> tuple[float, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= MOST_DIMENSIONS:
        raise ProviderProtocolError("A vector is no list of numbers, or too long.")
    if not all(isinstance(each, int | float) and math.isfinite(each) for each in value):
        raise ProviderProtocolError("A vector has something in it that is no number.")
    length = math.sqrt(sum(each * each for each in value))
    if not length:
        raise ProviderProtocolError("A vector without a direction.")
    return tuple(each / length for each in value)


def usage(answer: object) -> Usage | None:
    """None: it was not counted."""
    said = answer.get("usage") if isinstance(answer, Mapping) else None
    counted = said.get("prompt_tokens", said.get("total_tokens")) if isinstance(said, Mapping) else None
    return Usage(input_tokens=counted) if isinstance(counted, int) else None
