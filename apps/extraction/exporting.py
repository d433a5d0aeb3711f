"""Records as a file: CSV, JSON, JSON Lines, XLSX, made piece by piece. What is imported from it again is what was exported.

No cell is a formula, whatever it says: in CSV an apostrophe stands before it, in XLSX every text is one by its type.
"""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from xml.sax.saxutils import escape

from apps.extraction.importing import ID_COLUMN
from apps.extraction.schema import Schema
from apps.extraction.tables import guarded

CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_PIECE = 1 << 16
#: A program for spreadsheets holds no more in one cell.
MAX_XLSX_CELL = 32_767
_NO_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff\r]|_(?=x[0-9A-Fa-f]{4}_)")

Row = tuple[str, dict[str, Any]]


def columns_of(schema: Schema) -> list[str]:
    return [ID_COLUMN, *(each.name for each in schema.top if each.name != ID_COLUMN)]


def pieces(kind: str, schema: Schema, rows: Iterable[Row]) -> Iterator[bytes]:
    """``rows`` are ids with their fields. Memory does not grow with them."""
    columns = columns_of(schema)
    match kind:
        case "csv":
            return _csv(columns, rows)
        case "xlsx":
            return _xlsx(columns, rows)
        case "json":
            return _json(rows)
        case _:
            return _jsonl(rows)


def _json(rows: Iterable[Row]) -> Iterator[bytes]:
    """One array, a record a line."""
    held = bytearray(b"[")
    for number, (record_id, data) in enumerate(rows):
        line = json.dumps({ID_COLUMN: record_id, **data}, ensure_ascii=False).encode("utf-8", "replace")
        held += (b",\n" if number else b"\n") + line
        if len(held) >= _PIECE:
            yield bytes(held)
            held.clear()
    yield bytes(held) + b"\n]\n"


def _jsonl(rows: Iterable[Row]) -> Iterator[bytes]:
    held = bytearray()
    for record_id, data in rows:
        held += json.dumps({ID_COLUMN: record_id, **data}, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        if len(held) >= _PIECE:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


def _csv(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[bytes]:
    """With the mark that makes spreadsheets read it as UTF-8."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write("\ufeff")
    writer.writerow([guarded(name) for name in columns])
    for record_id, data in rows:
        writer.writerow([record_id, *(_cell(data.get(name)) for name in columns[1:])])
        if buffer.tell() >= _PIECE:
            yield buffer.getvalue().encode("utf-8", "replace")
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode("utf-8", "replace")


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return json.dumps(value)
        case str():
            return guarded(value)
        case _:
            return json.dumps(value, ensure_ascii=False)


# XLSX (ECMA-376, part 1), the few parts that a table needs


_PARTS = {
    "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
    '<Override PartName="/xl/worksheets/sheet1.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>',
    "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets>'
    '<sheet name="Records" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship '
    'Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/>'
    "</Relationships>",
}
_DECLARED = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'


class _Sink(io.RawIOBase):
    """What the archive writes, until somebody takes it; it cannot go back."""

    def __init__(self) -> None:
        super().__init__()
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self._held += data
        return len(data)

    def take(self) -> bytes:
        found = bytes(self._held)
        self._held.clear()
        return found

    def __len__(self) -> int:
        return len(self._held)


def _xlsx(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[bytes]:
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in _PARTS.items():
            archive.writestr(name, _DECLARED + content)
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            begin = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
            sheet.write((_DECLARED + begin + _line(columns)).encode())
            for record_id, data in rows:
                cells = [record_id, *(data.get(name) for name in columns[1:])]
                sheet.write(_line(cells).encode("utf-8", "replace"))
                if len(sink) >= _PIECE:
                    yield sink.take()
            sheet.write(b"</sheetData></worksheet>")
    yield sink.take()


def _line(cells: Sequence[Any]) -> str:
    return f"<row>{''.join(map(_xml, cells))}</row>"


def _xml(value: Any) -> str:
    match value:
        case None | "":
            return "<c/>"
        case bool():
            return f'<c t="b"><v>{int(value)}</v></c>'
        case int() if abs(value) < 10**15:
            return f"<c><v>{value}</v></c>"
        case float():
            return f"<c><v>{value!r}</v></c>"
        case str() | int():
            return _words(str(value))
        case _:
            return _words(json.dumps(value, ensure_ascii=False))


def _words(text: str) -> str:
    safe = _NO_XML.sub(lambda found: _spelled(found[0]), text[:MAX_XLSX_CELL])
    return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(safe)}</t></is></c>'


def _spelled(found: str) -> str:
    """Characters that XML cannot hold, and words that look as if one were meant (ECMA-376, part 1, 22.4.2.4)."""
    return f"_x{ord(found):04X}_"
