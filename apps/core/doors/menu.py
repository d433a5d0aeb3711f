"""Entries of the sidebar and of the settings shell. Run by ``web``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from django.utils.functional import Promise

from apps.core.doors import Door
from apps.core.types import ActorRef

Group = Literal["you", "organization", "projects", "operations"]


@dataclass(frozen=True, slots=True)
class MenuEntry:
    """``url_name`` is reversed without arguments. ``is_shown`` may hide it from some; ``order`` sorts within the place, and in the
    settings within the ``group``, which is the heading that it stands under.

    The entry is marked as current on its own address, below it, and below the paths in ``also``.
    """

    label: str | Promise
    url_name: str
    icon: str
    place: Literal["main", "settings"] = "main"
    order: int = 100
    is_shown: Callable[[ActorRef], bool] | None = None
    also: tuple[str, ...] = ()
    group: Group = "operations"


menu: Door[MenuEntry] = Door("menu entry")
