"""The words that a run reads, for who asked: a message, a part of one, a file, or the path of a conversation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from apps.accounts.types import Actor
from apps.conversations import selectors as conversations
from apps.extraction.models import ExtractionRun
from apps.extraction.reading_types import Piece, Unread
from apps.extraction.types import MAX_TEXT, NothingToRead, WordsAreSensitive
from apps.files import selectors as files

_APART = "\n\n"
_MOST_MESSAGES = 2_000

Left = tuple[Unread, ...]


def pieces_of(run: ExtractionRun, viewer: Actor) -> tuple[tuple[Piece, ...], Left]:
    """With what is left out of them. ``NotFound`` for what the viewer may not see, ``NothingToRead`` when there is no word."""
    left: Left = ()
    if run.file_id is not None:
        file, left = _of_file(run.file_id, viewer)
        found = [file]
    elif run.message_id is not None:
        found = [_of_message(run.message_id, viewer)]
    else:
        assert run.conversation_id is not None
        found, left = _of_conversation(run.conversation_id, viewer)
    if run.selection_start is not None:
        found = [_selected(found[0], run.selection_start, run.selection_end or run.selection_start)]
    if not any(piece.text.strip() for piece in found):
        raise NothingToRead
    whole = run.conversation_id is not None and run.message_id is None and run.file_id is None
    pieces, more = _as_one(found, newest=whole)
    return pieces, (*left, *more)


def project_of(run: ExtractionRun, viewer: Actor) -> UUID:
    """Where the words are at home: they are read for no other project, whose people and models are others."""
    if run.file_id is not None:
        return files.get_file(run.file_id, viewer).project_id
    if run.message_id is not None:
        return conversations.get_message(message_id=run.message_id, viewer=viewer).conversation.project_id
    assert run.conversation_id is not None
    return conversations.get_conversation(conversation_id=run.conversation_id, viewer=viewer).project_id


def place_of(run: ExtractionRun, viewer: Actor, *, at_end: bool = False) -> tuple[UUID | None, UUID | None]:
    """The conversation and the message below which the run is shown; neither for a file that nobody has put into one.

    ``at_end``: below the last message of the viewer's path, whatever is read.
    """
    if run.message_id is not None:
        talk = conversations.get_message(message_id=run.message_id, viewer=viewer).conversation
        leaf = conversations.active_leaf(conversation=talk, user_id=viewer.user_id) if at_end else None
        return talk.pk, leaf or run.message_id
    if run.file_id is not None:
        showing = conversations.find_showing(file_id=run.file_id, viewer=viewer)
        return (showing.conversation_id, showing.pk) if showing else (None, None)
    assert run.conversation_id is not None
    talk = conversations.get_conversation(conversation_id=run.conversation_id, viewer=viewer)
    return talk.pk, conversations.active_leaf(conversation=talk, user_id=viewer.user_id)


def are_open(messages: Iterable[UUID], viewer: Actor) -> bool:
    """Whether the viewer may read all of them still, and none was sealed or deleted."""
    wanted = set(messages)
    there = conversations.list_readable(ids=wanted, viewer=viewer) if wanted else []
    return {row.pk for row in there if not row.is_sensitive} == wanted


def _of_file(file_id: UUID, viewer: Actor) -> tuple[Piece, Left]:
    file = files.get_usable_file(file_id, viewer)
    words = files.text_of([file.pk]).get(file.pk)
    left = (Unread("file_too_long"),) if words and words.is_truncated else ()
    return Piece(words.text if words else "", 0, file_id=file.pk), left


def _of_message(message_id: UUID, viewer: Actor) -> Piece:
    message = conversations.get_message(message_id=message_id, viewer=viewer)
    if message.is_sensitive:
        raise WordsAreSensitive
    return Piece("" if message.deleted_at else message.text, 0, message_id=message.pk)


def _of_conversation(conversation_id: UUID, viewer: Actor) -> tuple[list[Piece], Left]:
    """The viewer's path, the newest messages first to be kept; sensitive and deleted ones are passed over."""
    conversation = conversations.get_conversation(conversation_id=conversation_id, viewer=viewer)
    leaf = conversations.active_leaf(conversation=conversation, user_id=viewer.user_id)
    before = conversation.last_number + 1
    rows = conversations.list_path(conversation=conversation, leaf_id=leaf, before=before, limit=_MOST_MESSAGES + 1)
    left = (Unread("older_messages"),) if len(rows) > _MOST_MESSAGES else ()
    return [
        Piece(row.text, 0, message_id=row.pk)
        for row in rows[-_MOST_MESSAGES:]
        if row.deleted_at is None and not row.is_sensitive and row.text.strip()
    ], left


def _selected(piece: Piece, start: int, end: int) -> Piece:
    wide = len(piece.text[:start].encode("utf-16-le", "surrogatepass")) // 2
    return Piece(
        piece.text[start:end],
        0,
        piece.message_id,
        piece.file_id,
        piece.offset + start,
        piece.offset_utf16 + wide,
    )


def _as_one(found: list[Piece], *, newest: bool) -> tuple[tuple[Piece, ...], Left]:
    """One after the other, as much as fits: the beginning, or with ``newest`` the end, of which the first may lack its beginning."""
    kept: list[Piece] = []
    room, lost = MAX_TEXT, 0
    for piece in reversed(found) if newest else found:
        taken = max(0, min(room, len(piece.text)))
        lost += len(piece.text) - taken
        room -= taken + len(_APART)
        if taken:
            start = len(piece.text) - taken if newest else 0
            kept.append(_selected(piece, start, start + taken))
    placed: list[Piece] = []
    at = 0
    for number, piece in enumerate(reversed(kept) if newest else kept):
        if number:
            placed.append(Piece(_APART, at))
            at += len(_APART)
        placed.append(replace(piece, start=at))
        at += len(piece.text)
    left = (Unread("older_messages" if newest else "too_long", characters=lost),) if lost else ()
    return tuple(placed), left
