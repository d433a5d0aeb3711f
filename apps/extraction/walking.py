"""A long text is read in overlapping pieces that fit the model's window; and what is done when one of them cannot be read. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import Enum, auto
from typing import Any

from apps.extraction import earlier_names
from apps.extraction.reading_types import Piece, Unread, Work
from apps.extraction.types import LEAST_PIECE, MAX_PIECES, MAX_RUN_ATTEMPTS, PIECE_CHARACTERS
from apps.llm import tokens
from apps.llm.errors import ContentRefused, ContextTooLong, EmptyAnswer, ModelError, ProviderProtocolError

#: Of a piece: what is said at its end is said again at the beginning of the next.
OVERLAP = 1_000
#: A piece ends where a paragraph, a line, a sentence or a word does, if there is one in its last part.
_ENDS = ("\n\n", "\n", ". ", "! ", "? ", "。", " ")
_LAST_PART = 0.15
#: Instructions and names of earlier pieces beside the schemas, and what an answer takes besides its values.
_BESIDE = 700 + earlier_names.MOST_TOKENS
#: An answer is seldom longer than this part of what it was read out of.
_ANSWERED = 0.25
#: Tokens are estimated: what is left free for the error.
_SURE = 0.8
#: Not of the provider but of these very words: the others may be read all the same.
_OF_THE_WORDS = (ContentRefused, EmptyAnswer, ProviderProtocolError)

Span = tuple[int, int]


class Next(Enum):
    """After a piece that could not be read."""

    FAIL = auto()
    LATER = auto()
    SMALLER = auto()
    PASS_OVER = auto()
    STOP = auto()


def size_for(window: int | None, text: str, documents: Mapping[str, Any]) -> int:
    """Characters of a piece for a model that reads ``window`` tokens; None: nobody said how many."""
    if not window:
        return PIECE_CHARACTERS
    beside = _BESIDE + tokens.of_text(json.dumps(documents, ensure_ascii=False))
    room = (window - beside) * _SURE / (1 + _ANSWERED)
    sample = text[:PIECE_CHARACTERS]
    letters = len(sample) / max(1, tokens.of_text(sample))
    return max(LEAST_PIECE, min(PIECE_CHARACTERS, int(room * letters)))


def next_span(text: str, after: int, size: int) -> Span:
    """The piece that follows one which ended at ``after`` (0: the first). Places count code points."""
    overlap = min(OVERLAP, size // 8)
    start = max(0, after - overlap)
    if start:
        # Not in the middle of a word.
        start = next((place + 1 for place in range(start, after) if text[place].isspace()), start)
    if len(text) - start <= size + overlap:
        return start, len(text)
    whole = start + size
    least = max(after + 1, whole - int(size * _LAST_PART))
    for sign in _ENDS:
        if (found := text.rfind(sign, least, whole)) >= 0:
            return start, found + len(sign)
    return start, whole


def spans(text: str, after: int, size: int) -> list[Span]:
    """All that is left to be read."""
    found: list[Span] = []
    while after < len(text) and len(found) <= MAX_PIECES:
        found.append(next_span(text, after, size))
        after = found[-1][1]
    return found


def digest(text: str, documents: Mapping[str, Any]) -> bytes:
    """Of what a piece was read as: words or schemas that are others by now are read again."""
    schemas = json.dumps(documents, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(f"{schemas}\x00{text}".encode("utf-8", "surrogatepass")).digest()


def cut(pieces: Sequence[Piece], start: int, end: int) -> tuple[Piece, ...]:
    """The part of the words from ``start`` to ``end``, each with its place in the message or file that it is from."""
    found = []
    for piece in pieces:
        begin, stop = max(start - piece.start, 0), min(end - piece.start, len(piece.text))
        if begin >= stop:
            continue
        wide = len(piece.text[:begin].encode("utf-16-le", "surrogatepass")) // 2
        found.append(
            Piece(
                piece.text[begin:stop],
                piece.start + begin - start,
                piece.message_id,
                piece.file_id,
                piece.offset + begin,
                piece.offset_utf16 + wide,
            )
        )
    return tuple(found)


def stopped(work: Work, code: str) -> Work:
    """Nothing more is read: what is left is told as unread."""
    after = work.parts[-1].end if work.parts else 0
    left = Unread(code, after, work.length, work.length - after)
    return replace(work, span=None, stopped_by=code, unread=(*work.unread, left))


def after(error: Exception, work: Work) -> Next:
    """What becomes of a run one of whose pieces was not read."""
    assert work.span is not None
    is_smaller_possible = work.span[1] - work.span[0] > LEAST_PIECE
    if isinstance(error, ContextTooLong) and is_smaller_possible:
        return Next.SMALLER
    if work.is_whole:
        return Next.FAIL
    if isinstance(error, (*_OF_THE_WORDS, ContextTooLong)):
        return Next.PASS_OVER
    if not any(part.text for part in work.parts):
        return Next.FAIL
    passes = isinstance(error, TimeoutError) or (isinstance(error, ModelError) and error.is_transient)
    return Next.LATER if passes and work.attempt < MAX_RUN_ATTEMPTS else Next.STOP
