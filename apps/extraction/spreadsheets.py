"""Rows of an XLSX file that somebody brought: read one at a time, and measured before the library sees them.

The library holds a row, a shared string or a style whole, whatever stands in it, and reads a whole sheet to learn its size. So each part
that it opens passes a parser of ours first (``_Measured``), which holds nothing and stops where a part is no longer one that a program
for spreadsheets writes.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Generator
from pathlib import Path
from typing import IO, Any
from xml.parsers import expat

from django.utils.translation import gettext as _

from apps.extraction.types import FileUnreadable

MOST_PARTS = 10_000
#: Of all parts together: rows are read one at a time, however many there are.
MOST_UNPACKED = 512 << 20
#: Of the strings that cells share, which are held.
MOST_WORDS = 32 << 20
#: Of one row, or one shared string, as XML.
LONGEST_ROW = 4 << 20
#: Of a part, outside of rows: widths, styles, merged cells.
MOST_BESIDE, MOST_ELEMENTS_BESIDE = 8 << 20, 200_000
MOST_ROWS = 1_048_576  # ECMA-376: there is no row below
#: One after the other. Formats that were given to whole columns leave a million of them below the table.
MOST_EMPTY_ROWS = 10_000
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_ROW, _WORDS = f"{_MAIN} row", f"{_MAIN} si"
#: How deep they stand: in the data of a worksheet, in the table of strings.
_DEPTHS = {_ROW: 3, _WORDS: 2}


def rows_of(path: Path, *, most_columns: int) -> Generator[tuple[int, tuple[Any, ...]]]:
    """Of the first sheet, with what its formulas gave when it was last saved."""
    try:
        from openpyxl.reader.excel import ExcelReader
    except ImportError:
        raise FileUnreadable(_("The parsers for documents are not installed here: save it as CSV.")) from None
    try:
        # It goes by the suffix of a name; content lies under a generated one.
        with path.open("rb") as source, _Archive(source) as archive:
            archive.refuse_bomb()
            reader = ExcelReader(source, read_only=True, data_only=True, keep_links=False)
            reader.archive = archive
            reader.read()
            sheet = reader.wb.worksheets[0]
            sheet.reset_dimensions()
            empty = 0
            for number, cells in enumerate(sheet.iter_rows(max_col=most_columns, values_only=True), start=1):
                empty = 0 if any(cell not in (None, "") for cell in cells) else empty + 1
                if empty > MOST_EMPTY_ROWS:
                    raise _too_empty(number)
                if number > MOST_ROWS:
                    raise _too_much()
                yield number, cells
    except (FileUnreadable, GeneratorExit):
        raise
    except Exception as error:  # whatever a broken file makes of the library
        raise FileUnreadable(_("This spreadsheet could not be read.")) from error


def _too_much() -> FileUnreadable:
    return FileUnreadable(_("This spreadsheet unpacks to far more than it should."))


def _too_empty(number: int) -> FileUnreadable:
    said = {"number": number, "most": MOST_EMPTY_ROWS}
    detail = _(
        "Up to row %(number)d there are more than %(most)d empty rows one after the other. Delete them, or save it as CSV."
    )
    return FileUnreadable(detail % said)


class _Archive(zipfile.ZipFile):
    def refuse_bomb(self) -> None:
        """Before anything is unpacked; ``zipfile`` never gives more of a part than it declares."""
        parts = self.infolist()
        if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > MOST_UNPACKED:
            raise _too_much()

    def open(self, *args: Any, **named: Any) -> IO[bytes]:  # type: ignore[override]
        return io.BufferedReader(_Measured(super().open(*args, **named)), 1 << 16)


class _Measured(io.RawIOBase):
    """A part of the archive, read through a parser that counts. ``FileUnreadable`` where a row does not end in time, where too much stands
    beside rows, and for entities, which no program for spreadsheets declares.
    """

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._read = self._mark = self._beside = self._depth = self._elements = self._rows = 0
        self._is_in_row = False
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.ordered_attributes = True
        self._parser.StartElementHandler, self._parser.EndElementHandler = self._begin, self._end
        self._parser.StartDoctypeDeclHandler = self._refuse

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = self._source.read(len(buffer))
        if chunk:
            self._parser.Parse(chunk, False)
        self._read += len(chunk)
        open_for = self._read - self._mark
        if (self._is_in_row and open_for > LONGEST_ROW) or (
            not self._is_in_row and self._beside + open_for > MOST_BESIDE
        ):
            raise _too_much()
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        self._source.close()
        super().close()

    def _begin(self, name: str, _attributes: Any) -> None:
        self._depth += 1
        if name in _DEPTHS:
            if self._is_in_row or self._depth != _DEPTHS[name]:
                raise _too_much()
            place = self._parser.CurrentByteIndex
            self._beside += place - self._mark
            self._mark, self._is_in_row = place, True
        elif not self._is_in_row:
            self._elements += 1
            if self._elements > MOST_ELEMENTS_BESIDE:
                raise _too_much()

    def _end(self, name: str) -> None:
        self._depth -= 1
        if name in _DEPTHS:
            place = self._parser.CurrentByteIndex
            self._rows += 1
            if self._rows > MOST_ROWS or place - self._mark > LONGEST_ROW or (name == _WORDS and place > MOST_WORDS):
                raise _too_much()
            self._mark, self._is_in_row = place, False

    def _refuse(self, *_said: Any) -> None:
        raise FileUnreadable(_("This spreadsheet could not be read."))
