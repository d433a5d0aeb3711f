"""The pages about security name files and tests that exist, and the counts of the ASVS page are those of its tables."""

import re
from collections import Counter
from itertools import pairwise

import pytest

from tests.architecture.tree import ROOT

ASVS = ROOT / "docs" / "results" / "asvs.md"
PAGES = [ASVS, ROOT / "docs" / "security.md", ROOT / "SECURITY.md"]
STATES = {"met": "met", "not applicable": "not applicable", "open": "open", "open, in work": "open"}
LEVELS = {1: 70, 2: 183}  # of ASVS 5.0.0
FOLDERS = "apps|config|docker|docs|requirements|scripts|static|templates|tests"
PLACE = re.compile(rf"`((?:{FOLDERS})/[\w./-]+|[\w.-]+\.(?:md|toml|json))(?:::(\w+))?`")
OUTSIDE = {"keys.json", "services.json"}  # in the folder of the data


def named_in(text):
    return [found for found in PLACE.findall(text) if found[0] not in OUTSIDE]


def requirements():
    """Number, level, state, evidence."""
    rows = re.findall(
        r"^\| (\d+\.\d+\.\d+) \| (\d) \| [^|]+ \| ([^|]+) \| (.+) \|$", ASVS.read_text("utf-8"), re.MULTILINE
    )
    return [
        (tuple(map(int, number.split("."))), int(level), state, evidence) for number, level, state, evidence in rows
    ]


def counted(rows):
    found = Counter((level, STATES[state]) for _number, level, state, _evidence in rows)
    return [found[level, state] for level in LEVELS for state in ("met", "not applicable", "open")] + [len(rows)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_named_exists(page):
    missing = []
    for file, name in named_in(page.read_text(encoding="utf-8")):
        path = ROOT / file
        if not path.exists() or (name and f"def {name}(" not in path.read_text(encoding="utf-8")):
            missing.append(f"{file}::{name}" if name else file)

    assert missing == []


def test_every_requirement_of_both_levels_is_there_once():
    rows = requirements()

    assert Counter(level for _number, level, _state, _evidence in rows) == LEVELS
    assert all(earlier < later for (earlier, *_), (later, *_) in pairwise(rows))
    assert {state for _number, _level, state, _evidence in rows} <= STATES.keys()


def test_counts_at_the_top_are_those_of_the_tables():
    text, rows = ASVS.read_text(encoding="utf-8"), requirements()
    told = {
        name: [int(each) for each in cells.split(" | ")]
        for name, cells in re.findall(r"^\| (?:V(\d+) [^|]+|\*\*All\*\*) \| ([\d |]+) \|$", text, re.MULTILINE)
    }
    by_chapter = {str(number[0]): [] for number, *_ in rows}
    for row in rows:
        by_chapter[str(row[0][0])].append(row)
    whole = Counter(STATES[row[2]] for row in rows)
    in_work = sum(row[2] == "open, in work" for row in rows)

    assert told == {chapter: counted(some) for chapter, some in by_chapter.items()} | {"": counted(rows)}
    assert (
        f"**{whole['met']} met, {whole['not applicable']} not applicable, {whole['open']} open "
        f"(of these {in_work} in work), of {sum(LEVELS.values())}.**"
    ) in text


def test_promises_are_tested():
    """Every line of the table of promises names a test."""
    section = (
        (ROOT / "docs" / "security.md").read_text("utf-8").partition("how it is tested\n")[2].partition("\n## ")[0]
    )
    promises = [line for line in section.splitlines() if line.startswith("| ")][1:]

    assert len(promises) > 20
    assert [line for line in promises if "`tests/" not in line] == []


def test_no_page_was_left_in_the_middle_of_a_merge():
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "locale").rglob("*.po")]

    assert [page.name for page in pages if re.search(r"^(<{7}|>{7}) ", page.read_text("utf-8"), re.MULTILINE)] == []
