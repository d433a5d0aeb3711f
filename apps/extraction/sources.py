"""The words that a run reads, for who asked: a message, a part of one, a file, or the path of a conversation."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from apps.accounts.types import Actor
from apps.conversations import selectors as conversations
from apps.extraction.models import ExtractionRun
from apps.extraction.types import MAX_TEXT, NothingToRead, Piece, WordsAreSensitive
from apps.files import selectors as files

_APART = "\n\n"
_MOST_MESSAGES = 400


def pieces_of(run: ExtractionRun, viewer: Actor) -> tuple[tuple[Piece, ...], bool]:
    """With whether some of it was left out. ``NotFound`` for what the viewer may not see, ``NothingToRead`` when there is no word."""
    if run.file_id is not None:
        found = [_of_file(run.file_id, viewer)]
    elif run.message_id is not None:
        found = [_of_message(run.message_id, viewer)]
    else:
        assert run.conversation_id is not None
        found = _of_conversation(run.conversation_id, viewer)
    if run.selection_start is not None:
        found = [_selected(found[0], run.selection_start, run.selection_end or run.selection_start)]
    if not any(piece.text.strip() for piece in found):
        raise NothingToRead
    return _as_one(found)


def project_of(run: ExtractionRun, viewer: Actor) -> UUID:
    """Where the words are at home: they are read for no other project, whose people and models are others."""
    if run.file_id is not None:
        return files.get_file(run.file_id, viewer).project_id
    if run.message_id is not None:
        return conversations.get_message(message_id=run.message_id, viewer=viewer).conversation.project_id
    assert run.conversation_id is not None
    return conversations.get_conversation(conversation_id=run.conversation_id, viewer=viewer).project_id


def place_of(run: ExtractionRun, viewer: Actor) -> tuple[UUID | None, UUID | None]:
    """The conversation and the message below which the run is shown; neither for a file that nobody has put into one."""
    if run.message_id is not None:
        return conversations.get_message(message_id=run.message_id, viewer=viewer).conversation_id, run.message_id
    if run.file_id is not None:
        showing = conversations.find_showing(file_id=run.file_id, viewer=viewer)
        return (showing.conversation_id, showing.pk) if showing else (None, None)
    assert run.conversation_id is not None
    talk = conversations.get_conversation(conversation_id=run.conversation_id, viewer=viewer)
    return talk.pk, conversations.active_leaf(conversation=talk, user_id=viewer.user_id)


def _of_file(file_id: UUID, viewer: Actor) -> Piece:
    file = files.get_usable_file(file_id, viewer)
    words = files.text_of([file.pk]).get(file.pk)
    return Piece(words.text if words else "", 0, file_id=file.pk)


def _of_message(message_id: UUID, viewer: Actor) -> Piece:
    message = conversations.get_message(message_id=message_id, viewer=viewer)
    if message.is_sensitive:
        raise WordsAreSensitive
    return Piece("" if message.deleted_at else message.text, 0, message_id=message.pk)


def _of_conversation(conversation_id: UUID, viewer: Actor) -> list[Piece]:
    """The viewer's path, the newest messages first to be kept; sensitive and deleted ones are passed over."""
    conversation = conversations.get_conversation(conversation_id=conversation_id, viewer=viewer)
    leaf = conversations.active_leaf(conversation=conversation, user_id=viewer.user_id)
    before = conversation.last_number + 1
    rows = conversations.list_path(conversation=conversation, leaf_id=leaf, before=before, limit=_MOST_MESSAGES)
    return [
        Piece(row.text, 0, message_id=row.pk)
        for row in rows
        if row.deleted_at is None and not row.is_sensitive and row.text.strip()
    ]


def _selected(piece: Piece, start: int, end: int) -> Piece:
    wide = len(piece.text[:start].encode("utf-16-le", "surrogatepass")) // 2
    return Piece(piece.text[start:end], 0, piece.message_id, piece.file_id, start, wide)


def _as_one(found: Iterable[Piece]) -> tuple[tuple[Piece, ...], bool]:
    """One after the other, as much as fits: what comes last of a conversation is what it is about."""
    kept: list[Piece] = []
    room, is_cut = MAX_TEXT, False
    for piece in reversed(list(found)):
        if room <= 0:
            is_cut = True
            break
        if len(piece.text) > room:
            is_cut = True
        kept.insert(0, Piece(piece.text[:room], 0, piece.message_id, piece.file_id, piece.offset, piece.offset_utf16))
        room -= len(piece.text) + len(_APART)
    placed: list[Piece] = []
    at = 0
    for number, piece in enumerate(kept):
        if number:
            placed.append(Piece(_APART, at))
            at += len(_APART)
        placed.append(Piece(piece.text, at, piece.message_id, piece.file_id, piece.offset, piece.offset_utf16))
        at += len(piece.text)
    return tuple(placed), is_cut
