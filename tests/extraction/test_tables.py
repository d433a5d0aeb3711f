"""Tables of all kinds: what is exported comes back the same, nothing in it is a formula, and broken ones are told."""

import io
import json
import random
import subprocess
import sys
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.extraction import exporting, importing, schema, spreadsheets, tables
from apps.extraction.types import FileUnreadable

DOCUMENT = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "title": "Full name"},
        "age": {"type": "integer", "minimum": 0},
        "height": {"type": "number"},
        "born": {"type": "string", "format": "date"},
        "is_alive": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}, "x-aliases": ["labels"]},
        "role": {"enum": ["lead", "extra"]},
        "seen_at": {"type": "string", "format": "date-time"},
        "more": {"type": "object", "properties": {"a": {"type": "integer"}}},
    },
    "required": ["name"],
    "additionalProperties": False,
}
SCHEMA = schema.check(DOCUMENT)
ID = "0198c0de-0000-7000-8000-000000000001"
WORDS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), min_size=1, max_size=30)
FORMULAS = st.builds(
    lambda sign, rest: sign + rest, st.sampled_from(["=", "+", "-", "@", "\t", "\r", "'", "'="]), WORDS
)
TEXT = st.one_of(
    WORDS, FORMULAS, st.sampled_from(["_x0041_", "_x0041_x0042_", "=1+1", "007", "true", "[1", "n/a", " a "])
)
RECORDS = st.fixed_dictionaries(
    {"name": TEXT},
    optional={
        "age": st.integers(0, 2**62),
        "height": st.floats(-1e12, 1e12),
        "born": st.dates().map(lambda day: day.isoformat()),
        "is_alive": st.booleans(),
        "tags": st.lists(WORDS.filter(str.strip), min_size=1, max_size=3),
        "role": st.sampled_from(["lead", "extra"]),
        "more": st.fixed_dictionaries({"a": st.integers(-9, 9)}),
    },
)


def opened(tmp_path, content, name="people.csv"):
    path = tmp_path / "content"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return tables.opened(path, tables.format_of(name, path))


def read(sheet, **mapping):
    reader = importing.Reader(SCHEMA, mapping or importing.suggested(sheet.columns, SCHEMA, {}))
    return [reader.read(row) for row in sheet.rows()]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "xlsx"])
@settings(max_examples=30, deadline=None)
@given(records=st.lists(RECORDS, min_size=1, max_size=4))
def test_what_is_exported_is_imported_the_same(tmp_path_factory, kind, records):
    folder = tmp_path_factory.mktemp("table")

    content = b"".join(exporting.pieces(kind, SCHEMA, [(ID, each) for each in records]))

    found = read(opened(folder, content, f"people.{kind}"))
    assert [(each.record_id, each.data, each.misfits) for each in found] == [(ID, each, ()) for each in records]


def test_no_cell_has_what_no_text_column_keeps(tmp_path):
    rows = tmp_path / "a.jsonl"
    rows.write_text('{"na\\u0000me": "a\\u0000b", "tags": ["\\ud800", "\\ud83d\\ude00"]}\n')

    assert [row.values for row in tables.opened(rows, "jsonl").rows()] == [{"name": "ab", "tags": ["\ufffd", "😀"]}]


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_a_formula(tmp_path, sign):
    import openpyxl

    rows = [(ID, {"name": f"{sign}cmd|' /C calc'!A0", "tags": [f"{sign}1"]})]

    line = b"".join(exporting.pieces("csv", SCHEMA, rows)).decode("utf-8-sig")
    book = openpyxl.load_workbook(io.BytesIO(b"".join(exporting.pieces("xlsx", SCHEMA, rows))))

    assert f"'{sign}cmd" in line
    assert [cell.data_type for row in book.worksheets[0] for cell in row if cell.value is not None] == ["s"] * 13


def test_long_file_is_made_and_read_piece_by_piece(tmp_path):
    rows = ((ID, {"name": f"Sarah {number}", "age": number}) for number in range(4_000))

    pieces = list(exporting.pieces("xlsx", SCHEMA, rows))

    assert max(map(len, pieces)) < 100_000
    assert (
        sum(1 for row in opened(tmp_path, b"".join(pieces), "a.xlsx").rows() if row.values["age"] is not None) == 4_000
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_spreadsheets_of_all_places_are_read(tmp_path, encoding, mark):
    lines = [["Full  name", "Age", "Labels", "Nonsense"], ["Zoë, “Z”", "28 years", "a; b", "x"], ["", "", "", ""]]
    content = "\r\n".join(mark.join(f'"{cell}"' for cell in line) for line in lines).encode(encoding)

    sheet = opened(tmp_path, content)
    found = read(sheet)

    assert sheet.columns == ["Full name", "Age", "Labels", "Nonsense"]
    assert importing.suggested(sheet.columns, SCHEMA, {}) == {"Full name": "name", "Age": "age", "Labels": "tags"}
    assert found[0].data == {"name": "Zoë, “Z”", "age": 28, "tags": ["a", "b"]}
    assert found[1].is_blank


@pytest.mark.parametrize(
    ("cells", "language"),
    [
        (["1,01", "1.234", "02.02.2025"], "de"),
        (["1.992,50", "1.234.567", "31/12/2025"], "de"),
        (["1.5", "1,234", "12/31/2025"], "en"),
        (["1,992.50 $", "1,234,567"], "en"),
        (["1.234", "1,234", "3/4/2025", "7", "2025-02-02", "", "old"], ""),
        (["1,5", "1.5"], ""),
    ],
)
def test_how_numbers_and_dates_are_written_is_told_by_those_that_can_be_read_one_way(tmp_path, cells, language):
    sheet = opened(tmp_path, "height;born\n" + "".join(f"{cell};{cell}\n" for cell in cells))

    assert importing.language_of(sheet, SCHEMA, {"height": "height", "born": "born"}) == language
    assert importing.language_of(sheet, SCHEMA, {"height": "name"}) == ""


@pytest.mark.parametrize("name", ["random.csv", "random.txt", "random"])
def test_bytes_that_are_no_text_are_no_table(tmp_path, name):
    with pytest.raises(FileUnreadable) as refused:
        opened(tmp_path, b"-" + random.Random(1).randbytes(200_000), name)

    assert refused.value.detail == "This is not a table."


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_number_that_is_none_is_wrong_in_its_row_alone(tmp_path, number):
    lines = [
        f'{{"name": "Ana", "height": {number}}}',
        f'{{"name": "Rui", "age": {number}}}',
        f'{{"name": "Eva", "more": {{"a": {number}}}}}',
        '{"name": "Tom", "height": 1.5}',
    ]

    found = read(opened(tmp_path, "\n".join(lines), "people.jsonl"))

    assert [bool(row.misfits) for row in found] == [True, True, True, False]
    assert (found[0].misfits[0].column, found[2].misfits[0].column) == ("height", "more")
    for row in found:
        json.dumps([row.data, [each.as_json(1) for each in row.misfits]], allow_nan=False)


def test_what_is_wrong_is_told_by_row_and_column(tmp_path):
    content = 'name,age,born,role,extra\nSarah,28,01.02.1998,lead,x\n,3,,,\nTom,old,2001-02-30,boss,\n"a",1,,,,,7\nAna,-1,,,\n'

    sheet = opened(tmp_path, content)
    mapping = importing.suggested(sheet.columns, SCHEMA, {})
    reader, findings = importing.Reader(SCHEMA, mapping), importing.Findings(sheet, mapping)
    found = [(row, reader.read(row)) for row in sheet.rows()]
    for row, fitted in found:
        findings.note(row, fitted)

    assert found[0][1].data == {"name": "Sarah", "age": 28, "born": "1998-02-01", "role": "lead"}
    assert [(row.number, [each.column for each in fitted.misfits]) for row, fitted in found[1:]] == [
        (3, ["name"]),
        (4, ["age", "born", "role"]),
        (5, [""]),
        (6, ["age"]),
    ]
    said = findings.as_json()
    assert {name: said[name] for name in ("rows", "good", "bad", "blank", "left_out")} == {
        "rows": 5, "good": 1, "bad": 4, "blank": 0, "left_out": ["extra"],
    }  # fmt: skip
    assert {(each["column"], each["count"], each["samples"][0]["row"]) for each in said["errors"]} == {
        ("name", 1, 3), ("age", 1, 4), ("born", 1, 4), ("role", 1, 4), ("", 1, 5), ("age", 1, 6),
    }  # fmt: skip


def test_json_is_read_one_object_at_a_time_and_goes_on_after_a_broken_line(tmp_path):
    many = [{"name": f"Sarah {number}", "tags": ["x" * 90]} for number in range(2_000)]

    assert [each.data for each in read(opened(tmp_path, json.dumps(many, indent=1), "a.json"))] == many
    assert [bool(each.misfits) for each in read(opened(tmp_path, '{"name": "A"}\n{"name": \n[1]\n{"name":"B"}', "a.jsonl"))] == [
        False, True, True, False,
    ]  # fmt: skip
    assert [bool(each.misfits) for each in read(opened(tmp_path, '[{"name": "A"}, {"name": ', "a.json"))] == [
        False,
        True,
    ]
    assert read(opened(tmp_path, '{"name": "A", "age": 3}', "a.json"))[0].data == {"name": "A", "age": 3}


def test_cells_of_a_spreadsheet_keep_their_kind(tmp_path):
    import datetime as dt

    import openpyxl

    book, content = openpyxl.Workbook(), io.BytesIO()
    book.active.append([])
    book.active.append(["name", "age", "height", "born", "is_alive", "seen_at"])
    moment = dt.datetime(2026, 11, 21, 9, 30)  # noqa: DTZ001  (a spreadsheet knows no time zone)
    book.active.append([4711, 28.0, 1.5, dt.date(1998, 2, 1), True, moment])
    book.save(content)

    found = read(opened(tmp_path, content.getvalue(), "people.xlsx"))

    assert found[0].misfits == ()
    assert found[0].data == {
        "name": "4711", "age": 28, "height": 1.5, "born": "1998-02-01", "is_alive": True, "seen_at": "2026-11-21T09:30:00Z",
    }  # fmt: skip


MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
HEAD = f'<worksheet {MAIN}><sheetData><row><c t="inlineStr"><is><t>name</t></is></c></row>'
CELL = '<c t="inlineStr"><is><t>%s</t></is></c>'


def spreadsheet(sheet, **parts):
    """As small as the library takes it; ``sheet`` is text, or pieces of it."""
    content = io.BytesIO()
    exported = io.BytesIO(b"".join(exporting.pieces("xlsx", SCHEMA, [])))
    with zipfile.ZipFile(exported) as made, zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in made.infolist():
            if part.filename != "xl/worksheets/sheet1.xml":
                archive.writestr(part, made.read(part))
        for name, text in {"xl/worksheets/sheet1.xml": sheet, **parts}.items():
            with archive.open(name, "w") as opened_part:
                for piece in [text] if isinstance(text, str) else text:
                    opened_part.write(piece.encode())
    return content.getvalue()


def of_many(head, piece, count, tail):
    """So many megabytes of a piece that is repeated."""
    block = piece * (1 + (1 << 20) // len(piece))
    return [head, *[block] * count, tail]


HUGE = {
    "cell": lambda: spreadsheet(of_many(f"{HEAD}<row><c t='inlineStr'><is><t>", "a", 24, "</t></is></c></row>")),
    "cell of many runs": lambda: spreadsheet(
        of_many(f"{HEAD}<row><c t='inlineStr'><is>", "<r><t>aaaa</t></r>", 24, "</is></c></row>")
    ),
    "foreign rows in a cell": lambda: spreadsheet(
        of_many(f"{HEAD}<row><c t='inlineStr'><is>", "<row xmlns='x'></row><t>aaaa</t>", 24, "</is></c></row>")
    ),
    "words between rows": lambda: spreadsheet(of_many(HEAD, f"{'a' * 4000}<row/>", 24, "")),
    "elements beside rows": lambda: spreadsheet(of_many(f"<worksheet {MAIN}>", "<a/>", 24, "")),
    "attribute": lambda: spreadsheet(of_many(f"{HEAD}<row spans='", "a", 24, "'/>")),
    "styles": lambda: spreadsheet(HEAD, **{"xl/styles.xml": of_many(f"<styleSheet {MAIN}><cellXfs>", "<xf/>", 24, "")}),
    "entities": lambda: spreadsheet(f"<!DOCTYPE a [<!ENTITY a 'aaaa'>]>{HEAD}<row>{CELL % '&a;'}</row>"),
    "unpacked": lambda: spreadsheet(of_many(HEAD, f"<row>{CELL % 'a'}</row>", 513, "</sheetData></worksheet>")),
    "parts": lambda: spreadsheet(HEAD, **{f"x/{number}": "" for number in range(10_001)}),
    "columns of CSV": lambda: b'"a\n",' * (4 << 20),
    "lines before the header": lambda: b"\n" * (4 << 20),
}


@pytest.mark.parametrize(
    ("rows", "last"),
    [
        (["<row/>" * 10_000] * 100, 10_002),  # formats of whole columns
        (["<row><c s='1'/><c s='1'/></row>" * 10_000] * 10, 10_002),
        ([f"<row r='1048576'>{CELL % 'far below'}</row>"], 10_002),  # the library fills such a gap
        ([f"<row>{CELL % 'Ana'}</row>", "<row/>" * 20_000], 10_003),
    ],
)
def test_spreadsheet_with_a_million_empty_rows_is_refused_after_the_first_of_them(tmp_path, rows, last):
    """Whatever dimension it declares: that is never asked."""
    head = HEAD.replace("<sheetData>", "<dimension ref='A1:A1'/><sheetData>")
    path = tmp_path / "a.xlsx"
    path.write_bytes(spreadsheet([head, *rows, "</sheetData></worksheet>"]))
    read = []

    with pytest.raises(FileUnreadable) as refused:
        read.extend(number for number, _cells in spreadsheets.rows_of(path, most_columns=4))

    assert "empty rows" in refused.value.detail
    assert max(read) == last - 1


@pytest.mark.parametrize("name", HUGE)
def test_huge_table_is_refused_without_being_held(tmp_path, name):
    """Many megabytes, of which a few are looked at: measured in a process of its own."""
    path = tmp_path / ("a.csv" if "CSV" in name or "lines" in name else "a.xlsx")
    path.write_bytes(HUGE[name]())
    code = (
        "import os, pathlib, resource, sys, django; os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'config.settings'); django.setup()\n"
        "import openpyxl\n"
        "from openpyxl.reader import excel\n"
        "from apps.extraction import tables\n"
        "from apps.extraction.types import FileUnreadable\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    sheet = tables.opened(pathlib.Path(sys.argv[1]), sys.argv[2]); list(sheet.rows()); said = 'read'\n"
        "except FileUnreadable: said = 'refused'\n"
        "print(said, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)"
    )
    kind = path.suffix[1:]
    command = [sys.executable, "-c", code, str(path), kind]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)

    said, megabytes = done.stdout.split()
    assert said == "refused"
    assert int(megabytes) <= 60


def test_row_of_csv_that_does_not_end_is_told_and_the_next_are_read(tmp_path):
    """A quote that nobody closes takes what follows into its row, up to a limit."""
    path = tmp_path / "a.csv"
    path.write_text('name\nAnn\n"' + f"{'w' * 99}\n" * 15_000 + "Bob\n")

    rows = list(tables.opened(path, "csv").rows())

    first, second, last = rows[0], rows[1], rows[-1]
    assert (first.values, second.values, bool(second.problem), last.values) == (
        {"name": "Ann"},
        {},
        True,
        {"name": "Bob"},
    )


def test_spreadsheet_with_gaps_shared_words_and_much_beside_its_rows_is_read(tmp_path):
    words = f"<sst {MAIN}>" + "".join(f"<si><t>w{number}</t></si>" for number in range(3)) + "</sst>"
    merged = "".join(f'<mergeCell ref="A{number}:B{number}"/>' for number in range(10, 5000))
    rows = '<row r="4"><c r="A4" t="s"><v>2</v></c></row><row r="7"><c r="A7" t="s"><v>0</v></c></row>'
    sheet = f"{HEAD}{rows}</sheetData><mergeCells>{merged}</mergeCells></worksheet>"
    kinds = (
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
        '<Override PartName="/xl/worksheets/sheet1.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
        '<Override PartName="/xl/sharedStrings.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/></Types>'
    )
    content = spreadsheet(sheet, **{"xl/sharedStrings.xml": words})
    again = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as made, zipfile.ZipFile(again, "w") as archive:
        for part in made.infolist():
            archive.writestr(part.filename, kinds if part.filename == "[Content_Types].xml" else made.read(part))

    found = [(row.number, row.values["name"]) for row in opened(tmp_path, again.getvalue(), "a.xlsx").rows()]

    assert found[2:] == [(4, "w2"), (5, None), (6, None), (7, "w0")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"\n\n"),
        ("a.csv", b",".join([b"a"] * 401)),
        ("a.json", b'"words"'),
        ("a.json", b"[]"),
        ("a.json", b"[" * 100_000),
        ("a.xlsx", b"PK no archive"),
        ("a.json", json.dumps([{f"{row}-{place}": 1 for place in range(9)} for row in range(99)]).encode()),
    ],
    ids=["empty", "wide", "words", "nothing", "deep", "broken", "many names"],
)
def test_what_is_no_table_is_refused(tmp_path, name, content):
    with pytest.raises(FileUnreadable) as refused:
        opened(tmp_path, content, name)

    assert refused.value.code == "table_unreadable"
