"""Who else has a say in which tools a model is offered in a conversation. Asked by ``agents``, and only where there is something to offer."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from uuid import UUID

from apps.core.doors import Door


@dataclass(frozen=True, slots=True)
class ToolLimit:
    """``allowed(conversation_id)``: the names that may be offered there now, for whoever asks; None where it has nothing to say.

    What any limit leaves out is not offered.
    """

    name: str
    allowed: Callable[[UUID], Collection[str] | None]


tool_limits: Door[ToolLimit] = Door("tool limit")
