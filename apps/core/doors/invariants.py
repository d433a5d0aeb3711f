"""What must always be true of the stored data (docs: promises I1 to I8). Run by ``manage.py doctor`` and after every drill."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from apps.core.doors import Door


@dataclass(frozen=True, slots=True)
class Violation:
    """``detail`` names ids and counts, never what people wrote; ``advice`` says what the operator does now."""

    detail: str
    advice: str


@dataclass(frozen=True, slots=True)
class Invariant:
    """``check`` reads only, gives the first violations (twenty are enough) and nothing when all is well."""

    name: str
    promise: str
    says: str
    check: Callable[[], Sequence[Violation]]


invariants: Door[Invariant] = Door("invariant")
