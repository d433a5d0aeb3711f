"""Sealed texts that are not a column of their own. Run by ``core.key_rotation``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from apps.core.doors import Door


@dataclass(frozen=True, slots=True)
class SealedPlace:
    """Texts that ``core.crypto.seal`` made, inside rows of another library or of another shape.

    ``count_old(key)``: how many rows are sealed with another key. ``reseal(key, limit)``: seal up to that many again, in one
    transaction, and say how many; rows that somebody is writing are left for the next call.
    """

    count_old: Callable[[str], int]
    reseal: Callable[[str, int], int]


sealed_places: Door[SealedPlace] = Door("sealed place")
