"""Reading a body: JSON objects only, bounded in size and depth. Apart from ``core.api`` because REST framework imports it first."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import IO, Any

from django.utils.translation import gettext as _
from rest_framework.parsers import BaseParser

from apps.core import errors, rules

MAX_BODY_BYTES = 12 * 1024 * 1024


class BoundedJSONParser(BaseParser):
    """JSON objects only, at most 12 MB, at most 64 levels, no NaN, no number without end, no NUL, no lone surrogates, no name twice."""

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        raw = stream.read(MAX_BODY_BYTES + 1)
        if len(raw) > MAX_BODY_BYTES:
            raise errors.TooLarge
        if not raw.strip():
            return {}
        return parse_json_object(raw)


def parse_json_object(raw: bytes) -> dict[str, Any]:
    try:
        text = raw.decode("utf-8")
        rules.require_json_depth(text)
        data = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_object)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise errors.Malformed from error
    if not isinstance(data, dict):
        raise errors.Malformed
    if "\\u0000" in text or "\\ud" in text.lower():
        _require_storable(data)
    return data


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A name that comes twice is refused: readers differ in which of the two they take (RFC 8259 §4)."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("twice")
    return found


def _finite(text: str) -> float:
    """``1e999`` is a number of JSON, and none that a float or a column of the database holds."""
    number = float(text)
    if math.isinf(number):
        raise ValueError(text)
    return number


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _require_storable(data: dict[str, Any]) -> None:
    try:
        rules.require_storable(data)
    except ValueError as error:
        raise errors.Malformed(_("The text holds a character that cannot be kept.")) from error
