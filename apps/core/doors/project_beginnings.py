"""What a new project may begin with. Run by ``accounts`` when one is made, in the same transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.core.doors import Door


@dataclass(frozen=True, slots=True)
class Beginning:
    """One choice. ``name`` is unique within its door entry; title and summary are in the language that was asked for."""

    name: str
    title: str
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Beginnings:
    """``choices(language)`` lists them; ``begin(actor, project_id, name)`` does it, or raises ``NotFound``."""

    choices: Callable[[str], list[Beginning]]
    begin: Callable[[Any, UUID, str], None]


project_beginnings: Door[Beginnings] = Door("project beginning")
