"""Rows out of files that people bring: CSV, JSON, JSON Lines, XLSX. Read piece by piece, however long they are.

What a row says is not judged here. A row that cannot be read is told with its number, and the next one is read.
"""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import itertools
import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from django.utils.translation import gettext as _

from apps.core.storable import storable
from apps.extraction import spreadsheets
from apps.extraction.types import FileUnreadable

FORMATS = ("csv", "json", "jsonl", "xlsx")
MAX_COLUMNS = 400
MAX_CELL = 1_000_000
_CHUNK = 1 << 16
#: Of all lines of one row: what is longer is not read to its end.
_LONGEST_LINE = 4 * MAX_CELL
#: Control characters but those that part words and lines, end a file (old DOS) or begin a colour. A NUL may be half of a letter.
_NOT_IN_TEXT = bytes({*range(1, 32)} - {*b"\t\n\v\f\r\x1a\x1b"})
_TEXT_FROM = 0.98
#: The header stands among the first.
_FIRST_ROWS = 1_000
_FIRST_OBJECTS = 200
_SUFFIXES = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".xlsx": "xlsx",
}  # fmt: skip
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")

csv.field_size_limit(MAX_CELL)


@dataclass(frozen=True, slots=True)
class RawRow:
    """``number`` is the line or row in the file, as its own program counts it; ``problem`` says why it could not be read."""

    number: int
    values: dict[str, Any] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """``columns`` are the names of the header, of JSON those of its first objects. ``rows`` reads from the beginning each time."""

    columns: list[str]
    rows: Callable[[], Iterator[RawRow]]


def format_of(name: str, path: Path) -> str:
    """By the name, else by how it begins."""
    if found := _SUFFIXES.get(Path(name).suffix.lower()):
        return found
    with path.open("rb") as source:
        start = source.read(64).lstrip(codecs.BOM_UTF8).lstrip()
    if start.startswith(b"PK"):
        return "xlsx"
    return "json" if start.startswith(b"[") else "jsonl" if start.startswith(b"{") else "csv"


def opened(path: Path, kind: str) -> Sheet:
    """Raises ``FileUnreadable`` for what is no table of that kind."""
    match kind:
        case "csv":
            return _csv(path)
        case "xlsx":
            return _xlsx(path)
        case "json" | "jsonl":
            rows = _json_rows if kind == "json" else _jsonl_rows
            return Sheet(_first_names(rows(path)), lambda: rows(path))
        case _:
            raise FileUnreadable(_("Choose one of CSV, JSON, JSON Lines and XLSX."))


# CSV


def guarded(text: str) -> str:
    """As words for a spreadsheet that would calculate it; ``unguarded`` gives it back."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(text: str) -> str:
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def _csv(path: Path) -> Sheet:
    encoding = _encoding(path)
    if encoding != "utf-16" and _is_binary(path):
        raise FileUnreadable(_("This is not a table."))
    delimiter = _delimiter(path, encoding)

    def rows() -> Iterator[tuple[int, list[str] | None]]:
        with path.open(encoding=encoding, errors="replace", newline="") as source:
            lines = _Lines(source)
            reader = csv.reader(lines, delimiter=delimiter)
            while True:
                lines.in_row = 0
                try:
                    yield reader.line_num + 1, next(reader)
                except StopIteration:
                    return
                except (csv.Error, _RowTooLong):
                    yield reader.line_num, None

    def read() -> Iterator[RawRow]:
        columns: list[str] | None = None
        for number, cells in rows():
            if columns is None:
                columns = _named(cells) if cells and any(cell.strip() for cell in cells) else None
            elif cells is None:
                yield RawRow(number, problem=_("This row could not be read."))
            else:
                yield _row(number, columns, [unguarded(cell) for cell in cells])

    first = itertools.islice(rows(), _FIRST_ROWS)
    header = next((cells for _number, cells in first if cells is None or any(cell.strip() for cell in cells)), None)
    if header is None:
        raise FileUnreadable(_("There is no header in this file: a first row that names the columns."))
    return Sheet(_named(header), read)


class _RowTooLong(Exception):
    """A quote that nobody closes takes all that follows into its row: it is not read to its end."""


class _Lines:
    """Lines of a file; ``in_row`` counts the characters of the row that is being read, which may have many."""

    def __init__(self, source: IO[str]) -> None:
        self._source, self.in_row = source, 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if not (line := self._source.readline(_LONGEST_LINE)):
            raise StopIteration
        self.in_row += len(line)
        if self.in_row > _LONGEST_LINE:
            raise _RowTooLong
        return line.replace("\x00", "")


def _encoding(path: Path) -> str:
    """What the bytes say: a mark at the beginning, UTF-8 when all of it is, else what old spreadsheets write."""
    with path.open("rb") as source:
        start = source.read(4)
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        source.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while chunk := source.read(_CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8-sig"


def _is_binary(path: Path) -> bool:
    """Pictures, archives and programs have many characters that no text has."""
    with path.open("rb") as source:
        start = source.read(_CHUNK)
    return len(start.translate(None, _NOT_IN_TEXT)) < len(start) * _TEXT_FROM


def _delimiter(path: Path, encoding: str) -> str:
    """What stands most often between the names of the header."""
    with path.open(encoding=encoding, errors="replace", newline="") as source:
        first = itertools.islice(iter(lambda: source.readline(_LONGEST_LINE), ""), _FIRST_ROWS)
        line = next((line for line in first if line.strip()), "")
    plain = re.sub(r'"[^"]*"', "", line)
    return max(",;\t|", key=plain.count) if any(mark in plain for mark in ",;\t|") else ","


def _named(cells: list[Any]) -> list[str]:
    """One name for each column, none twice; what has no name is called after its place."""
    if len(cells) > MAX_COLUMNS:
        raise FileUnreadable(_("A table has at most %(number)d columns.") % {"number": MAX_COLUMNS})
    found: list[str] = []
    for place, cell in enumerate(cells, start=1):
        name = " ".join(storable(str(cell or "")).split())[:200] or f"#{place}"
        found.append(name if name not in found else f"{name} ({place})")
    return found


def _row(number: int, columns: list[str], cells: list[Any]) -> RawRow:
    if any(cell not in (None, "") for cell in cells[len(columns) :]):
        return RawRow(number, problem=_("This row has more cells than the header has names."))
    return RawRow(number, dict(zip(columns, storable(cells), strict=False)))


# JSON


def _first_names(rows: Iterator[RawRow]) -> list[str]:
    found: dict[str, None] = {}
    for _number, row in zip(range(_FIRST_OBJECTS), rows, strict=False):
        found |= dict.fromkeys(row.values)
        if len(found) > MAX_COLUMNS:
            raise FileUnreadable(_("A table has at most %(number)d columns.") % {"number": MAX_COLUMNS})
    if not found:
        raise FileUnreadable(_("There are no objects with fields in this file."))
    return list(found)


def _jsonl_rows(path: Path) -> Iterator[RawRow]:
    with path.open(encoding="utf-8-sig", errors="replace") as source:
        for number, line in enumerate(iter(lambda: source.readline(_LONGEST_LINE), ""), start=1):
            if line.strip():
                yield _object(number, line)


def _object(number: int, text: str) -> RawRow:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return RawRow(number, problem=_("This is no JSON object."))
    return _of_object(number, value)


def _of_object(number: int, value: Any) -> RawRow:
    if not isinstance(value, dict):
        return RawRow(number, problem=_("This is no JSON object."))
    return RawRow(number, storable(value))


def _json_rows(path: Path) -> Iterator[RawRow]:
    """Of one list of objects, read one at a time; a single object is a list of one."""
    decoder = json.JSONDecoder()
    with path.open(encoding="utf-8-sig", errors="replace") as source:
        buffer = source.read(_CHUNK).lstrip()
        is_list = buffer.startswith("[")
        if not is_list and not buffer.startswith("{"):
            raise FileUnreadable(_("This file is no JSON list of objects."))
        buffer, number = buffer[1:] if is_list else buffer, 0
        while True:
            buffer = buffer.lstrip(" \t\r\n,")
            if buffer.startswith("]"):
                return
            try:
                value, end = decoder.raw_decode(buffer)
                is_whole = end < len(buffer)  # a number at the end may go on
            except (ValueError, RecursionError):
                is_whole, value, end = False, None, 0
            if not is_whole:
                more = source.read(max(_CHUNK, len(buffer)))
                if more and len(buffer) < _LONGEST_LINE:
                    buffer += more
                    continue
                if not end:
                    if buffer:
                        yield RawRow(number + 1, problem=_("From here on this file is no JSON."))
                    return
            number += 1
            yield _of_object(number, value)
            buffer = buffer[end:]
            if not buffer and not (buffer := source.read(_CHUNK)):
                return


# XLSX


def _xlsx(path: Path) -> Sheet:
    with closing(spreadsheets.rows_of(path, most_columns=MAX_COLUMNS + 1)) as rows:
        first = itertools.islice(rows, _FIRST_ROWS)
        header = next((cells for _number, cells in first if any(cell not in (None, "") for cell in cells)), None)
    if header is None:
        raise FileUnreadable(_("There is no header in this file: a first row that names the columns."))
    while header and header[-1] in (None, ""):
        header = header[:-1]
    columns = _named(list(header))

    def read() -> Iterator[RawRow]:
        is_below = False
        for number, cells in spreadsheets.rows_of(path, most_columns=MAX_COLUMNS + 1):
            if is_below:
                yield _row(number, columns, [_plain(cell) for cell in cells])
            is_below = is_below or any(cell not in (None, "") for cell in cells)

    return Sheet(columns, read)


def _plain(cell: Any) -> Any:
    match cell:
        case dt.datetime():
            return cell.date().isoformat() if cell.time() == dt.time() else cell.isoformat()
        case dt.date() | dt.time():
            return cell.isoformat()
        case dt.timedelta():
            return str(cell)
        case float() if cell.is_integer():
            return int(cell)
        case str():
            return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), cell)
        case _:
            return cell
