"""How an app forgets: a person's traces, an object for good. Run by ``accounts``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from apps.core.doors import Door


@dataclass(frozen=True, slots=True)
class Eraser:
    """``erase_person`` anonymizes what names the person; ``erase_organization`` removes rows for good. Both say how many rows
    they touched. Both run in the caller's transaction and announce nothing; what lies on the disk goes after its commit.

    ``erase_piece`` takes an organization and a number: it removes about so many rows of what there may be very many of, and says how
    many; None: nothing of that is left. Each piece is a transaction of its own, so nothing that stays may point to what went. What is
    not worth pieces is left to ``erase_organization``.
    """

    name: str
    erase_person: Callable[[UUID], int]
    erase_organization: Callable[[UUID], int]
    erase_piece: Callable[[UUID, int], int | None] | None = None


erasers: Door[Eraser] = Door("eraser")
