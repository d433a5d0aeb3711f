"""What is read out of words: the words, the work, and what was found."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from apps.extraction.types import PIECE_CHARACTERS


@dataclass(frozen=True, slots=True)
class Piece:
    """Words with where they come from. ``start`` is where they begin in the text that is read as one."""

    text: str
    start: int
    message_id: UUID | None = None
    file_id: UUID | None = None
    offset: int = 0  # of the first character in the message or file: a selection begins later
    offset_utf16: int = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """What a conversation was asked about one thing: ``fields`` by their titles."""

    collection: str
    title: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unread:
    """Words that no model read, and why. Places count code points of what was to be read; None: they are not among these."""

    reason: str
    start: int | None = None
    end: int | None = None
    characters: int | None = None

    def as_json(self) -> dict[str, Any]:
        return {"reason": self.reason, "start": self.start, "end": self.end, "characters": self.characters}


@dataclass(frozen=True, slots=True)
class Part:
    """One piece that was read before, with what the model said; ``code``: it could not be read, for this reason."""

    start: int
    end: int
    text: str = ""
    is_cut: bool = False
    code: str = ""
    cost: Decimal = Decimal(0)
    is_told: bool = False
    is_suggested: bool = False  # before somebody went on reading


@dataclass(frozen=True, slots=True)
class Work:
    """A claimed run with all that the engine needs to ask and to understand.

    ``span`` is the piece to be read now; None: nothing more is read, because of ``stopped_by``. ``parts`` were read before.
    """

    run_id: UUID
    fence: int
    organization_id: UUID
    project_id: UUID
    user_id: UUID | None
    model_id: UUID | None
    language: str
    correlation_id: str
    pieces: tuple[Piece, ...]
    documents: dict[str, dict[str, Any]]  # schemas by short name
    aliases: dict[str, dict[str, str]]
    asked: tuple[Asked, ...] = ()
    ids: dict[str, UUID] = field(
        default_factory=dict
    )  # of the collections: a short name may change until the answer is there
    keys: dict[str, list[list[str]]] = field(default_factory=dict)  # unique ones, by short name
    attempt: int = 1
    size: int = PIECE_CHARACTERS
    span: tuple[int, int] | None = None
    parts: tuple[Part, ...] = ()
    expected: int = 1  # pieces in all
    unread: tuple[Unread, ...] = ()
    stopped_by: str = ""

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)

    @property
    def length(self) -> int:
        return sum(len(piece.text) for piece in self.pieces)

    @property
    def is_whole(self) -> bool:
        """One call reads all of it."""
        return self.span == (0, self.length)

    @property
    def is_last(self) -> bool:
        return self.span is None or self.span[1] >= self.length


@dataclass(frozen=True, slots=True)
class Source:
    """Where the words of one field stand; ``method`` empty: nowhere, the value is inferred."""

    pointer: str
    method: str = ""
    confidence: float = 0.0
    start: int = 0
    end: int = 0
    start_utf16: int = 0
    end_utf16: int = 0
    message_id: UUID | None = None
    file_id: UUID | None = None

    def as_json(self) -> dict[str, Any]:
        """As a proposal keeps it."""
        return {
            "field": self.pointer,
            "is_inferred": not self.method,
            "method": self.method,
            "confidence": round(self.confidence, 3),
            "start": self.start,
            "end": self.end,
            "start_utf16": self.start_utf16,
            "end_utf16": self.end_utf16,
            "message": str(self.message_id) if self.message_id else None,
            "attachment": str(self.file_id) if self.file_id else None,
        }


@dataclass(frozen=True, slots=True)
class Suggested:
    """One object that an answer speaks of."""

    collection: str
    entity_id: str
    data: dict[str, Any]
    sources: tuple[Source, ...]
    links: tuple[dict[str, str], ...]
    confidence: float
    collection_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """All of one answer: every scalar of it is in ``suggested`` or in ``unplaced``."""

    suggested: tuple[Suggested, ...]
    unplaced: tuple[dict[str, Any], ...]
    steps: tuple[str, ...]
    unread: tuple[Unread, ...] = ()
    stopped_by: str = ""
    is_any_read: bool = True
    earlier: tuple[Suggested, ...] = ()  # what was suggested of it before somebody went on reading


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said and who it was."""

    text: str
    model: str = ""
    is_demo: bool = False
    input_tokens: int = 0
    output_tokens: int = 0
    cost: str = ""
    currency: str = ""
    is_cut: bool = False
