"""Durations of the DSL: ``{days, hours, minutes, seconds, milliseconds}``, or ISO 8601 (``PT15M``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

_ISO = re.compile(
    r"P(?!$)(?:(?P<weeks>\d+(?:\.\d+)?)W)?(?:(?P<days>\d+(?:\.\d+)?)D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d+(?:\.\d+)?)H)?(?:(?P<minutes>\d+(?:\.\d+)?)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
_UNITS = ("days", "hours", "minutes", "seconds", "milliseconds")


def read(value: Any) -> timedelta:
    """``ValueError`` for what is none; months and years have no fixed length and are none."""
    if isinstance(value, Mapping) and value and all(name in _UNITS for name in value):
        found = timedelta(**{name: float(amount) for name, amount in value.items()})
    elif isinstance(value, str) and (match := _ISO.fullmatch(value.strip())):
        found = timedelta(**{name: float(amount) for name, amount in match.groupdict().items() if amount})
    else:
        message = "This is no duration."
        raise ValueError(message)
    if found < timedelta(0):
        message = "A duration is not negative."
        raise ValueError(message)
    return found
