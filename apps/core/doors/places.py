"""How many places for long work a process has, and how many are taken. Told with its heartbeat; run by ``core.pressure``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from apps.core.doors import Door


@dataclass(frozen=True, slots=True)
class Places:
    """``count`` gives (taken, all) of this process; (0, 0) where the work does not run. It must not wait."""

    name: str
    count: Callable[[], tuple[int, int]]


places: Door[Places] = Door("places")
