"""What an export looks like, and whether a document that claims to be one is. Nothing in it is trusted."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import rfc8785
from django.utils.translation import gettext as _

from apps.conversations.types import MAX_CONTENT_CHARACTERS, ImportRefused, MessageStatus, Role, TitleSource

FORMAT = "parlance.conversation"
VERSION = 1
MAX_MESSAGES = 20_000
MAX_POSITION = 2**31 - 1
MAX_PARTS = 500
MAX_TEXT = MAX_CONTENT_CHARACTERS * 4  # an answer may be longer than what a person may post
FINAL = (MessageStatus.COMPLETED, MessageStatus.STOPPED, MessageStatus.FAILED, MessageStatus.INTERRUPTED)
DELETED = "deleted"  # a message that keeps its place in the tree and has lost its words

Check = Callable[[Any], bool]


def text(limit: int, *, least: int = 0) -> Check:
    """A string of a bearable length that PostgreSQL can store. (Half a surrogate pair has no digest.)"""
    return lambda value: isinstance(value, str) and least <= len(value) <= limit and "\x00" not in value


def _number(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**53


def _plain(value: Any) -> bool:
    """Any JSON of a bearable size whose strings can be stored."""
    try:
        written = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError):
        return False
    return "\\u0000" not in written and text(MAX_TEXT)(written)


def _object(value: Any) -> bool:
    return isinstance(value, dict) and _plain(value)


@dataclass(frozen=True, slots=True)
class Shape:
    """The fields of one type of part; ``is_open``: others may stand beside them, and are shown by nobody."""

    needed: Mapping[str, Check]
    optional: Mapping[str, Check]
    is_open: bool = False

    def fits(self, part: Mapping[str, Any]) -> bool:
        given = {name: value for name, value in part.items() if name != "type"}
        checks = {**self.optional, **self.needed}
        if not self.needed.keys() <= given.keys() or (given.keys() - checks.keys() and not self.is_open):
            return False
        return all(checks.get(name, _plain)(value) for name, value in given.items())


PARTS: dict[str, Shape] = {
    "text": Shape({"text": text(MAX_TEXT)}, {}),
    "reasoning": Shape({"text": text(MAX_TEXT)}, {"signature": text(MAX_TEXT)}),
    "file": Shape(
        {"name": text(255, least=1), "sha256": text(64)},
        {"media_type": text(255), "size": _number, "kind": text(40)},
    ),
    "tool_call": Shape({"id": text(200, least=1), "name": text(200, least=1)}, {"arguments": _object}),
    "tool_result": Shape(
        {"id": text(200, least=1), "content": text(MAX_TEXT)}, {"is_error": lambda v: v in (True, False)}
    ),
    "citation": Shape({}, {"title": text(1000), "quote": text(MAX_TEXT)}, is_open=True),
    "card": Shape({"kind": text(200, least=1)}, {}, is_open=True),
    "error": Shape({}, {"code": text(200), "detail": text(MAX_TEXT)}, is_open=True),
}

_CONVERSATION: dict[str, Check] = {
    "title": text(200),
    "title_source": lambda value: isinstance(value, str) and value in TitleSource.values,
    "tags": lambda value: isinstance(value, list) and len(value) <= 20 and all(map(text(40), value)),  # noqa: PLR2004
    "system_prompt": text(20_000),
    "messages": lambda value: isinstance(value, list) and len(value) <= MAX_MESSAGES,
}
_MESSAGE: dict[str, Check] = {
    "position": lambda value: type(value) is int and 0 < value <= MAX_POSITION,
    "parent": lambda value: value is None or type(value) is int,
    "role": lambda value: isinstance(value, str) and value in Role.values,
    "author": text(300),
    "status": lambda value: isinstance(value, str) and value in (*FINAL, DELETED),
    "model": text(200),
    "parts": lambda value: isinstance(value, list) and len(value) <= MAX_PARTS,
}


def digest(body: dict[str, Any]) -> str:
    """SHA-256 over RFC 8785 canonical JSON; files count by their hash."""
    return hashlib.sha256(rfc8785.dumps(body)).hexdigest()


def refused(what: str) -> ImportRefused:
    return ImportRefused(_("The import was refused: %(what)s.") % {"what": what})


def checked(document: dict[str, Any]) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The conversation and the files by hash, or ``ImportRefused`` that names what is wrong."""
    if document.get("format") != FORMAT or document.get("version") != VERSION:
        raise refused("format")
    body = document.get("conversation")
    known = {"format", "version", "digest", "conversation", "files", "left_out"}
    if document.keys() - known or not isinstance(body, dict):
        raise refused("unknown fields")
    _check(body, _CONVERSATION, "conversation")
    seen: set[int] = set()
    last = 0
    for entry in body["messages"]:
        if not isinstance(entry, dict):
            raise refused("message")
        _check(entry, _MESSAGE, "message")
        if entry["position"] <= last:
            raise refused("position")
        if entry["parent"] is not None and entry["parent"] not in seen:
            raise refused("parent")
        _check_parts(entry)
        last = entry["position"]
        seen.add(last)
    try:
        is_whole = digest(body) == document.get("digest")
    except (rfc8785.CanonicalizationError, ValueError, RecursionError):
        is_whole = False
    if not is_whole:
        raise refused("digest")
    return body, _files(document.get("files", {}))


def _check(given: dict[str, Any], checks: dict[str, Check], what: str) -> None:
    if given.keys() != checks.keys():
        raise refused(what)
    for name, check in checks.items():
        if not check(given[name]):
            raise refused(name)


def _check_parts(entry: dict[str, Any]) -> None:
    if entry["status"] == DELETED and entry["parts"]:
        raise refused("parts")
    for part in entry["parts"]:
        kind = part.get("type") if isinstance(part, dict) else None
        shape = PARTS.get(kind) if isinstance(kind, str) else None
        if shape is None:
            raise refused("part")
        if not shape.fits(part):
            raise refused(str(kind))


def _files(given: Any) -> dict[str, bytes]:
    if not isinstance(given, dict):
        raise refused("files")
    contents: dict[str, bytes] = {}
    for name, encoded in given.items():
        try:
            content = base64.b64decode(encoded, validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise refused("files") from error
        if hashlib.sha256(content).hexdigest() != name:
            raise refused("files")
        contents[name] = content
    return contents
