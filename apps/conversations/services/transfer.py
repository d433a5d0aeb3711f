"""Export of a conversation: as JSON or as a ZIP (the whole tree), and as Markdown (one's path).

The digest is SHA-256 over RFC 8785 canonical JSON of the conversation without ids and import times, files by their hash:
a conversation that was exported, imported and exported again has the same digest.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import rfc8785
from django.db.models import F
from django.utils.translation import gettext as _

from apps.accounts.types import Actor
from apps.conversations import selectors
from apps.conversations.message_parts import is_said
from apps.conversations.models import Conversation, Message
from apps.conversations.transfer_archive import DOCUMENT, Piece, file_name, written
from apps.conversations.transfer_format import (
    DELETED,
    FINAL,
    FORMAT,
    MAX_MESSAGES,
    VERSION,
    canonical,
    digest,
    moment,
)
from apps.conversations.types import ExportTooLarge, MessageStatus
from apps.conversations.usage import usage_of
from apps.files import selectors as files
from apps.files import storage
from apps.files.types import Content

MAX_EXPORTED_FILES_BYTES = 64 * 1024 * 1024
AT_ONCE = 100


def export_json(*, conversation: Conversation, viewer: Actor, has_files: bool = True) -> dict[str, Any]:
    """The whole tree; messages name their parent by position.

    Deleted messages keep their place without words. So do answers that are still being written: as ``interrupted``.
    Raises ``ExportTooLarge`` when the files are too much for one document; without ``has_files`` they are named under
    ``left_out``.
    """
    shown: dict[str, _Shown] = {}
    body = _head(conversation) | {"messages": list(_messages(conversation, shown))}
    carried, left_out = (_embedded(shown), []) if has_files else ({}, [each.name_only() for each in shown.values()])
    return {
        "format": FORMAT,
        "version": VERSION,
        "digest": digest(body),
        "conversation": body,
        "files": carried,
        "left_out": left_out,
        "visibility": conversation.visibility,
    }


def export_archive(*, conversation: Conversation, viewer: Actor) -> Iterator[bytes]:
    """The same as a ZIP, in pieces: ``conversation.json``, and each file once under its hash. Holds some messages at a time."""
    shown: dict[str, _Shown] = {}
    return written(_entries(conversation, shown))


def _entries(conversation: Conversation, shown: dict[str, _Shown]) -> Iterator[Piece]:
    yield DOCUMENT, _document(conversation, shown)
    for key, each in shown.items():
        yield file_name(key), storage.chunks(each.content.path, 0, each.content.size)


def _document(conversation: Conversation, shown: dict[str, _Shown]) -> Iterator[bytes]:
    """As ``export_json`` without contents, in RFC 8785's order: the digest is known when the conversation is written."""
    said = hashlib.sha256()
    yield b'{"conversation":'
    for piece in canonical(_head(conversation), _messages(conversation, shown)):
        said.update(piece)
        yield piece
    rest: dict[str, Any] = {
        "digest": said.hexdigest(),
        "files": {},
        "format": FORMAT,
        "left_out": [],
        "version": VERSION,
        "visibility": conversation.visibility,
    }
    yield b"," + rfc8785.dumps(rest)[1:]


def _head(conversation: Conversation) -> dict[str, Any]:
    return {
        "title": conversation.title,
        "title_source": conversation.title_source,
        "tags": sorted(conversation.tags),
        "system_prompt": conversation.system_prompt,
    }


@dataclass(frozen=True, slots=True)
class _Shown:
    """A file that some message shows."""

    name: str
    content: Content

    def name_only(self) -> dict[str, Any]:
        return {"sha256": self.content.etag, "name": self.name, "size": self.content.size}


def _embedded(shown: dict[str, _Shown]) -> dict[str, str]:
    if sum(-(-each.content.size // 3) * 4 for each in shown.values()) > MAX_EXPORTED_FILES_BYTES:
        raise ExportTooLarge
    carried = {}
    for key, each in shown.items():
        with storage.open_content(each.content.path) as stream:
            carried[key] = base64.b64encode(stream.read()).decode("ascii")
    return carried


def _messages(conversation: Conversation, shown: dict[str, _Shown]) -> Iterator[dict[str, Any]]:
    """All that are there when it begins, in short reads; notes the files they show."""
    last, after = Conversation.objects.values_list("last_number", flat=True).get(pk=conversation.pk), 0
    while after < last:
        page = selectors.messages().filter(conversation=conversation, number__gt=after, number__lte=last)
        rows = list(
            page.select_related(None)
            .select_related("author", "turn")
            .annotate(above=F("parent__number"))
            .order_by("number")[:AT_ONCE]
        )
        if not rows:
            return
        for row in rows:
            yield _message(row, shown)
        after = rows[-1].number


def _message(row: Message, shown: dict[str, _Shown]) -> dict[str, Any]:
    """Sensitive words are in clear in what somebody takes away who may read them, and the document says of which it is so."""
    is_deleted, is_final = row.deleted_at is not None, row.status in FINAL
    has_words = is_final and not is_deleted
    said = {
        "position": row.number,
        "parent": row.above,  # type: ignore[attr-defined]
        "role": row.role,
        "author": _author(row) if has_words else "",
        "created_at": moment(row.created_at),
        "status": DELETED if is_deleted else row.status if is_final else MessageStatus.INTERRUPTED,
        "model": row.answered_by if has_words else "",
        "usage": _usage(row) if has_words else None,
        "parts": [_part(part, shown) for part in row.parts] if has_words else [],
    }
    return said | {"sensitive": True} if row.is_sensitive else said


def _usage(row: Message) -> dict[str, Any] | None:
    """With all that was continued: counts are summed, names are those of the last turn."""
    turn, usage = row.turn, usage_of(row)
    if turn is None or usage is None:
        return None
    return {
        "provider": turn.provider_name,
        "model": turn.model_name,
        "is_fallback": turn.is_fallback,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cost": f"{usage.cost:.8f}" if usage.cost is not None else None,
        "currency": usage.currency,
        "estimated": usage.is_estimated,
        "milliseconds": int((usage.seconds or 0) * 1000 + 0.5),
    }


def _author(row: Message) -> str:
    """The name of who wrote it; imported messages keep the name they came with."""
    for part in row.parts:
        if part["type"] == "text" and part.get("author"):
            return str(part["author"])
    return row.author.display_name if row.author is not None else ""


def _part(part: dict[str, Any], shown: dict[str, _Shown]) -> dict[str, Any]:
    plain = {name: value for name, value in part.items() if name not in ("author", "is_gone")}
    if part["type"] != "file":
        return plain
    found = files.find_file(UUID(part["file"]))
    plain.pop("file")
    if found is None:
        return plain | {"sha256": ""}
    content = files.content_of(found)
    shown.setdefault(content.etag, _Shown(found.name, content))
    return plain | {"sha256": content.etag}


def export_markdown(*, conversation: Conversation, viewer: Actor) -> str:
    """The viewer's path as a document."""
    leaf = selectors.active_leaf(conversation=conversation, user_id=viewer.user_id)
    rows = selectors.list_path(conversation=conversation, leaf_id=leaf, limit=MAX_MESSAGES)
    lines = [f"# {conversation.title or _('Conversation')}", ""]
    for row in rows:
        if row.deleted_at is not None:
            continue
        name = f"{row.speaker} ({row.answered_by})" if row.answered_by else row.speaker
        lines += [f"## {name}, {row.created_at:%Y-%m-%d %H:%M} UTC", ""]
        if row.is_sensitive:
            lines += [f"*{_('Sensitive')}*", ""]
        for part in row.parts:
            if part["type"] == "text":
                lines += [part["text"], ""]
            elif part["type"] == "file":
                lines += [f"*{_('File')}: {part['name']}*", ""]
            elif part["type"] == "reference" and not is_said(part, row.text):
                lines += [f"*#{part['title']}*", ""]
    return "\n".join(lines)
