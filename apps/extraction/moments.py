"""Moments in fields: one moment is one text, in UTC, whichever offset it was said with. So texts are in the order of time, and equal when it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.utils import timezone

from apps.extraction.pointers import steps
from apps.extraction.schema import Field, Schema

# RFC 3339, section 5.6; a leap second, and what lies beyond the calendar of Python, stay as they are said.
_SAID = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d)?)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)?")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def is_moment(field: Field) -> bool:
    """Whether its values are moments that may be said in several ways; of choices each stands as it is."""
    return field.type == "string" and field.format == "date-time" and not field.enum


def settled(found: Schema, data: dict[str, Any]) -> dict[str, Any]:
    """The same with all moments in UTC; as it is where the schema takes them only as they were said."""
    said = data
    for field in found.fields:
        if is_moment(field):
            said = _in_place(said, steps(field.pointer), is_list=field.is_list)
    return said if said == data or found.is_valid(said) or not found.is_valid(data) else data


def _in_place(value: Any, path: list[str], *, is_list: bool) -> Any:
    """A copy where something of it changes."""
    if not path:
        if is_list and isinstance(value, list):
            return [in_utc(each) if isinstance(each, str) else each for each in value]
        return in_utc(value) if isinstance(value, str) else value
    name, *rest = path
    if name == "*" and isinstance(value, list):
        return [_in_place(each, rest, is_list=is_list) for each in value]
    if isinstance(value, Mapping) and name in value:
        return {**value, name: _in_place(value[name], rest, is_list=is_list)}
    return value


def in_utc(text: str) -> str:
    """``2024-05-01T12:00:00+02:00`` is ``2024-05-01T10:00:00Z``. What says no offset, or is no moment, stays."""
    found = _SAID.fullmatch(text.strip())
    return (found and found[4] and _in_utc(found)) or text


def of_reader(text: str) -> str:
    """As ``in_utc``, of what somebody typed: without an offset it is in the time zone that is active."""
    found = _SAID.fullmatch(text.strip())
    return (found and _in_utc(found)) or text


def _in_utc(found: re.Match[str]) -> str:
    day, clock, fraction, offset = found.groups()
    try:
        said = datetime.fromisoformat(f"{day}T{clock}{(offset or '').upper().replace('Z', '+00:00')}")
        moment = said if said.tzinfo else timezone.make_aware(said)
        plain = moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")
    except OverflowError:  # at the ends of the calendar: 9999-12-31 for ever
        return moment.isoformat()
    except ValueError:
        return ""
    rest = (fraction or "").rstrip("0")
    return f"{plain}.{rest}Z" if rest else f"{plain}Z"


def day_in(text: str) -> tuple[str, str] | None:
    """Of a bare day, in the time zone that is active: where it begins, and where the day after does. None: it is none.

    Without ``Z``: before every fraction of that second, in the order of texts.
    """
    if not _DAY.fullmatch(text.strip()):
        return None
    try:
        first = date.fromisoformat(text.strip())
        after = first + timedelta(days=1)
    except (ValueError, OverflowError):
        return None
    return of_reader(f"{first}T00:00:00").removesuffix("Z"), of_reader(f"{after}T00:00:00").removesuffix("Z")
