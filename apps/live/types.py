"""Words of the stream: entries, what a reader finds, and how a writer learns that it came too late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

TEXT_TYPES = frozenset({"text", "reasoning"})
FINAL_STATES = frozenset({"completed", "stopped", "failed", "interrupted"})

# One entry of a turn's stream, as JSON. Either ``{"seq", "part", "type", "text"}`` (append), ``{"seq", "part", "type", "data"}``
# (replace the part's data whole) or ``{"seq", "reset": true, "parts": [...]}`` (forget what you have, take these parts).
Entry = dict[str, Any]


class LateWriter(Exception):
    """A newer owner of the turn has written: this one must stop and change nothing more."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What the stream of a turn still holds, parts in stored form; an expired or lost stream has ``seq`` 0 and no parts."""

    fence: int
    seq: int
    parts: list[dict[str, Any]]

    @property
    def text(self) -> str:
        return "".join(part["text"] for part in self.parts if part["type"] == "text")

    def over(self, stored: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The stream's parts where it has any, else ``stored``. Whether it is later than the row tells ``seq``."""
        return self.parts or stored
