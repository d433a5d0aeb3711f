"""The containers that models wrap scalars in, and every scalar with its place."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.extraction import readings, schema_limits
from apps.extraction.pointers import pointer

PAIR_NAMES, PAIR_VALUES = {"name", "field", "key", "property"}, {"value", "content"}

Member = tuple[str, Any, str]


@dataclass(slots=True)
class Members:
    """Key, value and pointer of each; ``names`` are keys that stood as values, ``beside`` what stood with them."""

    inside: list[Member]
    names: list[tuple[str, Any]] = field(default_factory=list)
    beside: list[tuple[str, Any]] = field(default_factory=list)


def scalars(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Every scalar that says something, with its pointer. JSON in a string counts as what it holds."""
    waiting: list[tuple[str, Any]] = [(at, value)]
    while waiting:
        place, each = waiting.pop()
        each = unpacked(each)
        if isinstance(each, dict):
            waiting += [(place + pointer([key]), inner) for key, inner in each.items()]
        elif isinstance(each, list):
            waiting += [(place + pointer([number]), inner) for number, inner in enumerate(each)]
        elif not readings.is_nothing(each):
            yield place, each


def unpacked(value: Any) -> Any:
    """JSON in a string, as what it holds."""
    if isinstance(value, str) and value[:1] in {"{", "["} and value.rstrip()[-1:] in {"}", "]"}:
        try:
            inner = json.loads(value)
        except (ValueError, RecursionError):
            return value
        return inner if isinstance(inner, dict | list) and schema_limits.problem_of_value(inner) is None else value
    return value


def items(value: Any, at: str) -> list[tuple[Any, str]]:
    """What a list field is given: a list, an object numbered like one, or a single value."""
    value = unpacked(value)
    if isinstance(value, list):
        return [(each, at + pointer([number])) for number, each in enumerate(value)]
    if isinstance(value, dict) and value and all(key.isdecimal() for key in value):
        return [(each, at + pointer([key])) for key, each in value.items()]
    return [(value, at)]


def of_object(value: Mapping[str, Any], at: str) -> Members:
    return Members([(key, each, at + pointer([key])) for key, each in value.items()])


def members(value: Any, at: str) -> Members | None:
    """Of an object, or of a list of ``{"name": …, "value": …}``; None for anything else."""
    if isinstance(value, dict):
        return of_object(value, at)
    if not isinstance(value, list) or not value:
        return None
    found = Members([])
    for number, pair in enumerate(value):
        if not isinstance(pair, dict):
            return None
        spoken = {readings.plain(key): key for key in pair}
        name = next(
            (spoken[each] for each in spoken if each in PAIR_NAMES and isinstance(pair[spoken[each]], str)), None
        )
        content = next((spoken[each] for each in spoken if each in PAIR_VALUES), None)
        if name is None or content is None:
            return None
        place = at + pointer([number])
        found.inside.append((pair[name], pair[content], place + pointer([content])))
        found.names += scalars(pair[name], place + pointer([name]))
        found.beside += [(place + pointer([key]), each) for key, each in pair.items() if key not in {name, content}]
    return found
