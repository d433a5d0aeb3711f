"""Words that somebody sent forge no line of a log, in either form."""

import io
import json
import logging
import re

import pytest

from apps.core import logs

FORGED = 'here\n2026-11-21T12:00:00Z [info     ] "Signed in" [accounts]\x1b[2J\r\x00'


@pytest.fixture
def lines(settings):
    root = logging.getLogger()
    before, level = root.handlers[:], root.level

    def written(form):
        logs.configure({"level": "INFO", "format": form})
        out = io.StringIO()
        root.handlers[0].setStream(out)
        logging.getLogger("forger").warning("asked for %s", FORGED, extra={"path": FORGED})
        return out.getvalue().removesuffix("\n").split("\n")

    yield written
    logs.configure(settings.LOGGING)
    root.handlers, root.level = before, level


def test_json_is_one_line_an_entry(lines):
    (line,) = lines("json")

    assert json.loads(line)["event"] == f"asked for {FORGED}"


def test_text_begins_no_line_of_its_own_and_steers_no_terminal(lines):
    first, *others = lines("text")

    assert re.match(r"\d{4}-", first)
    assert others
    assert all(line.startswith("    | ") for line in others)
    assert all(line.isprintable() for line in [first, *others])
