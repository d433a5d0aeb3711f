"""Building the parts of a message from stream entries or operations, in the form in which the row stores them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from apps.live.types import TEXT_TYPES, Entry

NOT_STORABLE = "\ufffd"


def storable(text: str) -> str:
    """Text as PostgreSQL and UTF-8 take it: NUL and lone surrogates become U+FFFD, so that row and stream stay equal."""
    if "\x00" in text:
        text = text.replace("\x00", NOT_STORABLE)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = "".join(NOT_STORABLE if "\ud800" <= letter <= "\udfff" else letter for letter in text)
    return text


class PartsBuilder:
    """Parts by index. Text is kept in pieces: a long answer is joined when somebody asks, not at every token."""

    def __init__(self, parts: Iterable[Mapping[str, Any]] = ()) -> None:
        self._types: dict[int, str] = {}
        self._pieces: dict[int, list[str]] = {}
        self._data: dict[int, dict[str, Any]] = {}
        self.replace(parts)

    def replace(self, parts: Iterable[Mapping[str, Any]]) -> None:
        self._types.clear()
        self._pieces.clear()
        self._data.clear()
        for index, part in enumerate(parts):
            data = {name: value for name, value in part.items() if name not in ("type", "text")}
            kind = part["type"]
            self._types[index] = kind
            if kind in TEXT_TYPES:
                self._pieces[index] = [part.get("text", "")]
            if data or kind not in TEXT_TYPES:
                self._data[index] = data

    def type_of(self, index: int) -> str:
        return self._types.get(index, "text")

    def open(self, index: int, kind: str) -> None:
        self._types[index] = kind
        if kind in TEXT_TYPES:
            self._pieces.setdefault(index, [])

    def append(self, index: int, text: str) -> None:
        self._types.setdefault(index, "text")
        self._pieces.setdefault(index, []).append(text)

    def set(self, index: int, data: Mapping[str, Any]) -> None:
        self._types.setdefault(index, "text")
        self._data[index] = dict(data)

    def data_of(self, index: int) -> dict[str, Any]:
        return self._data.get(index, {})

    def apply(self, entry: Entry) -> None:
        if entry.get("reset"):
            self.replace(entry["parts"])
            return
        index = entry["part"]
        self.open(index, entry["type"])
        if "data" in entry:
            self.set(index, entry["data"])
        else:
            self.append(index, entry["text"])

    def stored(self) -> list[dict[str, Any]]:
        """The list that belongs in ``Message.parts``. A copy: later tokens do not change it.

        A part that was opened and stayed empty is not in the stream; whoever reads puts an empty text in its place.
        """
        return [self._stored(index) for index in range(max(self._types, default=-1) + 1)]

    def text(self) -> str:
        """The joined text of the text parts: ``Message.content``."""
        return "".join(
            "".join(self._pieces.get(index, ())) for index in sorted(self._types) if self._types[index] == "text"
        )

    @property
    def is_empty(self) -> bool:
        return not any(any(pieces) for pieces in self._pieces.values()) and not self._data

    def _stored(self, index: int) -> dict[str, Any]:
        kind = self._types.get(index, "text")
        part: dict[str, Any] = {"type": kind}
        if kind in TEXT_TYPES:
            pieces = self._pieces.get(index, [])
            if len(pieces) > 1:
                self._pieces[index] = pieces = ["".join(pieces)]
            part["text"] = pieces[0] if pieces else ""
        part.update(self._data.get(index, {}))
        return part
