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
    """

    name: str
    erase_person: Callable[[UUID], int]
    erase_organization: Callable[[UUID], int]


erasers: Door[Eraser] = Door("eraser")
