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
    """What the stream of a turn still holds. ``parts`` are in stored form, by index; an expired or lost stream has ``seq`` 0."""

    fence: int
    seq: int
    parts: dict[int, dict[str, Any]]
    is_whole: bool

    @property
    def text(self) -> str:
        return "".join(part["text"] for _index, part in sorted(self.parts.items()) if part["type"] == "text")

    def over(self, stored: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """``stored`` with the stream's parts in their places: the later of row and stream, when the stream is later."""
        if self.is_whole:
            return [part for _index, part in sorted(self.parts.items())]
        merged = dict(enumerate(stored)) | self.parts
        return [part for _index, part in sorted(merged.items())]
