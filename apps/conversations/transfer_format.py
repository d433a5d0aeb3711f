"""What an export looks like, and whether a document that claims to be one is. Nothing in it is trusted.

Version 2 says of every message when it was written, and of every answer what it took; version 1 is still read.
Who may see the conversation stands beside it and in no digest; where nothing is said it is private.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import IO, Any, Protocol
from uuid import UUID

import rfc8785
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.conversations.types import (
    FINAL,
    MAX_CONTENT_CHARACTERS,
    ImportRefused,
    Role,
    TitleSource,
    Visibility,
)

FORMAT = "parlance.conversation"
VERSION = 2
READABLE = (1, VERSION)
MAX_MESSAGES = 20_000
MAX_POSITION = 2**31 - 1
MAX_PARTS = 500
MAX_FILES = 20_000
MAX_TEXT = MAX_CONTENT_CHARACTERS * 4  # an answer may be longer than what a person may post
DELETED = "deleted"  # a message that keeps its place in the tree and has lost its words

_MONEY = re.compile(r"\d{1,5}\.\d{8}\Z", re.ASCII)
_HASH = re.compile(r"[0-9a-f]{64}\Z")
_CLOCK = "%Y-%m-%dT%H:%M:%S.%fZ"

Check = Callable[[Any], bool]


class Contents(Protocol):
    """The files of an import by SHA-256, wherever they lie."""

    def sizes(self) -> Mapping[str, int]: ...

    def open(self, key: str) -> IO[bytes]: ...


@dataclass(frozen=True, slots=True)
class Embedded:
    """Files that came inside the document, as base64."""

    found: Mapping[str, bytes]

    def sizes(self) -> Mapping[str, int]:
        return {key: len(content) for key, content in self.found.items()}

    def open(self, key: str) -> IO[bytes]:
        return io.BytesIO(self.found[key])


def is_hash(value: Any) -> bool:
    return isinstance(value, str) and _HASH.match(value) is not None


def _is_id(value: Any) -> bool:
    try:
        return str(UUID(value)) == value
    except (AttributeError, TypeError, ValueError):
        return False


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


def moment(at: datetime) -> str:
    """As every export says it, to the microsecond."""
    return at.astimezone(UTC).strftime(_CLOCK)


def read_moment(given: str) -> datetime:
    return datetime.strptime(given, _CLOCK).replace(tzinfo=UTC)


def _moment(value: Any) -> bool:
    """A time that has been, in the one spelling: another would have another digest when it is exported again."""
    try:
        read = read_moment(value)
    except (TypeError, ValueError):
        return False
    return moment(read) == value and read.year > 1970 and read < timezone.now() + timedelta(days=1)  # noqa: PLR2004


_USAGE: dict[str, Check] = {
    "provider": text(100),
    "model": text(200),
    "is_fallback": lambda value: isinstance(value, bool),
    "input_tokens": lambda value: type(value) is int and 0 <= value <= MAX_POSITION,
    "output_tokens": lambda value: type(value) is int and 0 <= value <= MAX_POSITION,
    "cost": lambda value: value is None or (isinstance(value, str) and _MONEY.match(value) is not None),
    "currency": text(3),
    "estimated": lambda value: isinstance(value, bool),
    "milliseconds": lambda value: type(value) is int and 0 <= value <= MAX_POSITION,
}


def _usage(value: Any) -> bool:
    if value is None:
        return True
    if not isinstance(value, dict) or value.keys() != _USAGE.keys():
        return False
    return all(check(value[name]) for name, check in _USAGE.items())


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
        {"name": text(255, least=1), "sha256": lambda value: value == "" or is_hash(value)},
        {"media_type": text(255), "size": _number, "kind": text(40)},
    ),
    # Of the installation that it was saved in: somewhere else it names nothing, and stays as it is.
    "reference": Shape({"kind": text(40, least=1), "id": _is_id, "title": text(300)}, {}),
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
#: Only messages that were marked say so: the others have the digest that they always had.
_MARKS: dict[str, Check] = {"sensitive": lambda value: value is True}
_SINCE_2: dict[str, Check] = {"created_at": _moment, "usage": _usage}


def digest(body: dict[str, Any]) -> str:
    """SHA-256 over RFC 8785 canonical JSON; files count by their hash."""
    return hashlib.sha256(rfc8785.dumps(body)).hexdigest()


def canonical(head: Mapping[str, Any], messages: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """The same conversation in pieces, so that a long one is never in memory: "messages" is the first name in RFC 8785's order."""
    assert min(head) > "messages"
    yield b'{"messages":['
    for number, message in enumerate(messages):
        yield (b"," if number else b"") + rfc8785.dumps(message)  # type: ignore[arg-type]
    yield b"]," + rfc8785.dumps(dict(head))[1:]


def refused(what: str) -> ImportRefused:
    return ImportRefused(_("The import was refused: %(what)s.") % {"what": what})


def checked(document: dict[str, Any], contents: Contents) -> dict[str, Any]:
    """The conversation of a document whose files are ``contents``, or ``ImportRefused`` that names what is wrong.

    In a document of version 1 the messages have no time and no usage: both are None.
    """
    version = document.get("version")
    if document.get("format") != FORMAT:
        raise ImportRefused(_("This file was not saved by Parlance."))
    if type(version) is not int or version not in READABLE:
        raise refused("version")
    body = document.get("conversation")
    known = {"format", "version", "digest", "conversation", "files", "left_out", "visibility"}
    if document.keys() - known or not isinstance(body, dict):
        raise refused("unknown fields")
    _check(body, _CONVERSATION, "conversation")
    _check_messages(body["messages"], _MESSAGE if version == 1 else _MESSAGE | _SINCE_2)
    try:
        is_whole = digest(body) == document.get("digest")
    except (rfc8785.CanonicalizationError, ValueError, RecursionError):
        is_whole = False
    if not is_whole:
        raise refused("digest")
    _check_files(body, document.get("left_out", []), contents)
    if version == 1:
        body["messages"] = [{"created_at": None, "usage": None} | entry for entry in body["messages"]]
    return body


def visibility_of(document: dict[str, Any]) -> Visibility:
    """As it was where the document was saved. Earlier ones do not say: what may have been private stays so."""
    given = document.get("visibility", Visibility.PRIVATE)
    if not isinstance(given, str) or given not in Visibility.values:
        raise refused("visibility")
    return Visibility(given)


def _check_messages(messages: list[Any], shape: dict[str, Check]) -> None:
    seen: set[int] = set()
    last = 0
    for entry in messages:
        if not isinstance(entry, dict):
            raise refused("message")
        _check(entry, shape | {name: check for name, check in _MARKS.items() if name in entry}, "message")
        if entry["position"] <= last:
            raise refused("position")
        if entry["parent"] is not None and entry["parent"] not in seen:
            raise refused("parent")
        _check_parts(entry)
        last = entry["position"]
        seen.add(last)


def _check_files(body: dict[str, Any], left_out: Any, contents: Contents) -> None:
    """Every file that is named is there or was said to be left out, and there is none that nobody names."""
    if not isinstance(left_out, list) or not all(
        isinstance(each, dict) and is_hash(each.get("sha256")) for each in left_out
    ):
        raise refused("left_out")
    there, missing = contents.sizes().keys(), {each["sha256"] for each in left_out}
    named = {key for _part, key in files_of(body)}
    if len(there) > MAX_FILES or there - named or named - there - missing:
        raise refused("files")


def files_of(body: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """(part, SHA-256) of each part that shows a file that was there when it was exported."""
    for entry in body["messages"]:
        for part in entry["parts"]:
            if part["type"] == "file" and part["sha256"]:
                yield part, part["sha256"]


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


def embedded(document: dict[str, Any]) -> Embedded:
    """The files that a document carries inside, each what its name says."""
    given = document.get("files", {})
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
    return Embedded(contents)
