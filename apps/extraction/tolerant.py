"""Reads what was meant to be JSON in one pass: every scalar in the text comes out, at its place or as a spare.

For texts that json-repair would take too long for (it looks ahead again at every quote), or of which it lost something.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

MAX_NESTING = 100
_LONGEST_NUMBER = 40

_QUOTES = {'"': '"', "'": "'", "“": "”", "„": "“", "‘": "’", "`": "`"}  # noqa: RUF001
_SPACE = re.compile(r"[\s,;\ufeff]*")
_BLANK = re.compile(r"\s*")
_BARE = re.compile(r"[^,:{}\[\]\"\n]+")
_COMMENT = re.compile(r"//[^\n]*|#[^\n]*|/\*.{0,10000}?\*/", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(?:\d[\d_]*)?\.?\d+(?:[eE][+-]?\d{1,3})?")
_LITERALS = {"true": True, "false": False, "null": None, "none": None, "undefined": None}
_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt\'])|(.)|$)', re.DOTALL)
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_AFTER_COMMA_IN_OBJECT = re.compile(r"\s{0,200}(?:[\"'}\]]|[\w$-]{1,60}\s{0,20}:|$)")
_AFTER_COMMA_IN_LIST = re.compile(r"\s{0,200}(?:[\"'{}\[\]\d-]|true|false|null|$)")


class TooDeep(ValueError):
    pass


@dataclass(slots=True)
class Found:
    """``spares``: values that had no place, with the key they stood under where there was one. ``is_open``: brackets were missing."""

    roots: list[Any] = field(default_factory=list)
    spares: list[tuple[str, Any]] = field(default_factory=list)
    is_open: bool = False


@dataclass(slots=True)
class _Frame:
    value: dict[str, Any] | list[Any]
    key: str | None = None


def read(text: str) -> Found:
    """Raises ``TooDeep``. Linear in the text."""
    return _Reader(text).read()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._found = Found()
        self._stack: list[_Frame] = []

    def read(self) -> Found:
        text, at = self._text, 0
        while (at := _SPACE.match(text, at).end()) < len(text):  # type: ignore[union-attr]
            letter = text[at]
            if letter in "{[":
                self._open({} if letter == "{" else [])
                at += 1
            elif letter in "}]":
                self._close(dict if letter == "}" else list)
                at += 1
            elif letter == ":":
                at += 1
            elif comment := _COMMENT.match(text, at):
                self._found.spares.append(("", comment.group().strip("/#* \n")))
                at = comment.end()
            elif letter in _QUOTES:
                end = self._end_of_string(at)
                at = self._take(_unescaped(text[at + 1 : end]), end + 1)
            else:
                bare = _BARE.match(text, at)
                end = bare.end() if bare else at + 1
                at = self._take(_literal(text[at:end].strip()), end)
        self._found.is_open = bool(self._stack)
        return self._found

    def _end_of_string(self, start: int) -> int:
        """The quote that is followed by what follows a string; one in the middle of words belongs to them."""
        text, closing = self._text, _QUOTES[self._text[start]]
        at = start + 1
        in_list = bool(self._stack) and isinstance(self._stack[-1].value, list)
        while at < len(text):
            letter = text[at]
            if letter == "\\":
                at += 2
                continue
            if letter == closing and self._closes(at + 1, in_list=in_list):
                return at
            at += 1
        return len(text)

    def _closes(self, after: int, *, in_list: bool) -> bool:
        text = self._text
        after = _BLANK.match(text, after).end()  # type: ignore[union-attr]
        if after >= len(text) or text[after] in ":}]#" or text[after : after + 2] in {"//", "/*"}:
            return True
        if text[after] == ",":
            return bool((_AFTER_COMMA_IN_LIST if in_list else _AFTER_COMMA_IN_OBJECT).match(text, after + 1))
        # A comma was forgotten where the next string begins on a line of its own.
        return text[after] in "\"'" and "\n" in text[max(0, after - 200) : after]

    def _take(self, value: Any, after: int) -> int:
        text = self._text
        after_blank = _BLANK.match(text, after).end()  # type: ignore[union-attr]
        is_key = after_blank < len(text) and text[after_blank] == ":"
        top = self._stack[-1] if self._stack else None
        if is_key and top is not None:
            if isinstance(top.value, list):
                self._open({})
                top = self._stack[-1]
            if top.key is not None:
                self._found.spares.append(("", top.key))
            top.key = str(value)
            return after_blank + 1
        if top is None:
            self._found.spares.append(("", value))
        else:
            self._put(value)
        return after

    def _put(self, value: Any) -> None:
        if not self._stack:
            self._found.roots.append(value)
            return
        top = self._stack[-1]
        if isinstance(top.value, list):
            top.value.append(value)
        elif top.key is None or top.key in top.value:
            self._found.spares.append((top.key or "", value))
        else:
            top.value[top.key] = value
        top.key = None

    def _open(self, value: dict[str, Any] | list[Any]) -> None:
        if len(self._stack) >= MAX_NESTING:
            raise TooDeep
        self._put(value)
        self._stack.append(_Frame(value))

    def _close(self, kind: type) -> None:
        """Brackets that were forgotten inside close with the one that stands; one that closes nothing is passed over."""
        if not any(isinstance(frame.value, kind) for frame in self._stack):
            return
        while self._stack:
            frame = self._stack.pop()
            if frame.key is not None:
                self._found.spares.append(("", frame.key))
            if isinstance(frame.value, kind):
                return


def _literal(text: str) -> Any:
    if text.lower() in _LITERALS:
        return _LITERALS[text.lower()]
    if _NUMBER.fullmatch(text) and len(text) < _LONGEST_NUMBER:
        plain = text.replace("_", "").lstrip("+")
        try:
            return int(plain)
        except ValueError:
            return float(plain)
    return text.strip("\"'")


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    try:
        return str(json.loads(f'"{text}"'))
    except ValueError:
        return _ESCAPE.sub(_meant, text)


def _meant(found: re.Match[str]) -> str:
    if found[1]:
        return chr(int(found[1], 16))
    if found[2]:
        return _ESCAPED.get(found[2], found[2])
    return found[3] or ""
