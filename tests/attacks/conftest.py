"""One table of all attacks at the end; ``PARLANCE_ATTACKS=long`` also writes it to ``docs/results/attacks.md``.

``PARLANCE_ATTACKS=short`` writes it from the short form, and the page says so.
"""

import os
import platform
import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from django.db import connection

from tests.attacks import caller
from tests.attacks.catalogue import ATTACKS, ELSEWHERE, NOT_YET
from tests.provider.fixtures import running_provider
from tests.services import CHECKOUT

__all__ = ["running_provider"]

REPORT = CHECKOUT / "docs" / "results" / "attacks.md"
FORM = os.environ.get("PARLANCE_ATTACKS", "")
_NUMBER = re.compile(r"^test_a(\d+)_")


@dataclass
class Tried:
    passed: int = 0
    over_http: int = 0
    sent: int = 0
    failed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    files: set[str] = field(default_factory=set)


_tried: dict[int, Tried] = defaultdict(Tried)
_counts: dict[str, int] = {}


def _goes_over_http(item):
    """In the long form every attack through ``caller.Client``, but for those that say why they cannot."""
    of_ours = getattr(item, "module", None) and getattr(item.module, "Client", None) is caller.Client
    return FORM == "long" and of_ours and item.get_closest_marker("in_process") is None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Another process sees only what is committed."""
    for item in items:
        if _goes_over_http(item):
            item.add_marker(pytest.mark.django_db(transaction=True), append=False)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item, call):
    """Counted is what went over the wire, not what was meant to."""
    if call.when == "call" and (sent := caller.count_sent()):
        item.user_properties.append(("over http", sent))


@pytest.fixture(scope="session")
def processes(django_db_setup):
    with caller.Processes(connection.settings_dict["NAME"]) as running:
        yield running


@pytest.fixture(autouse=True)
def _way(request):
    """Before anything else of a test: its fixtures make clients, too."""
    if not _goes_over_http(request.node):
        yield
        return
    request.getfixturevalue("transactional_db")
    caller.send_to(request.getfixturevalue("processes"))
    yield
    caller.send_to(None)


class Counting:
    """A plugin of its own: of a conftest pytest would leave the hook out for tests of other folders, which attacks are, too."""

    def pytest_runtest_logreport(self, report):
        """Tests are named after what they try: ``test_a59_…``, or named in the catalogue. A note of theirs is the property ``got``;
        what is counted over the whole run is the property ``count``: (what, how many).
        """
        place, _colons, name = report.nodeid.partition("::")
        if report.when != "call" and report.passed:
            return
        own = _NUMBER.match(name)
        numbers = (
            {int(own[1])}
            if own
            else {number for number, places in ELSEWHERE.items() if _is_among(report.nodeid, places)}
        )
        for number in numbers:
            tried = _tried[number]
            if own:
                tried.files.add(place)
            if report.passed:
                tried.passed += 1
                sent = [value for key, value in report.user_properties if key == "over http"]
                tried.over_http += bool(sent)
                tried.sent += sum(sent)
                tried.notes += [value for key, value in report.user_properties if key == "got"]
            elif report.failed:
                tried.failed.append(name)
        if numbers and report.passed:
            _counts.update(value for key, value in report.user_properties if key == "count")


def pytest_configure(config):
    config.pluginmanager.register(Counting(), "attacks counted")


def _is_among(nodeid, places):
    return any(nodeid == place or nodeid.startswith((f"{place}::", f"{place}[")) for place in places)


def rows():
    """(id, request, expected, got, where), one line an attack."""
    for number in sorted(ATTACKS.keys() | NOT_YET.keys()):
        if number in NOT_YET:
            yield f"A{number}", "", "", f"not yet: comes with {NOT_YET[number][0]}", ""
            continue
        tried = _tried.get(number)
        places = ELSEWHERE.get(number, ())
        own = sorted(tried.files) if tried else ()
        where = [*(file for file in own if not _is_among(file, places)), *places]
        got = "not tried in this run" if not where else _got(tried)
        yield f"A{number}", *ATTACKS[number], got, ", ".join(f"`{place}`" for place in where)


def _got(tried):
    if tried is None or not (tried.passed or tried.failed):
        return "tried in the place named"
    if tried.failed:
        return f"**failed**: {', '.join(tried.failed)}"
    cases = f"as expected in {tried.passed} case{'s' if tried.passed > 1 else ''}"
    if tried.over_http:
        cases += f", {tried.over_http} over HTTP to a running process in {tried.sent} requests"
    return f"{cases} ({'; '.join(tried.notes)})" if tried.notes else cases


def totals():
    run = {number: tried for number, tried in _tried.items() if number in ATTACKS}
    yield "attacks run", len(run)
    yield "of these as expected in every case", sum(not tried.failed for tried in run.values())
    yield "cases of them", sum(tried.passed + len(tried.failed) for tried in run.values())
    yield "of these over HTTP to a running process", sum(tried.over_http for tried in run.values())
    yield "requests of these", sum(tried.sent for tried in run.values())
    yield "attacks of functions that are not there yet", len(NOT_YET)
    yield from sorted(_counts.items())


def pytest_terminal_summary(terminalreporter, config):
    if not _tried:
        return
    terminalreporter.section("attacks")
    for number, request, expected, got, _where in rows():
        if request:
            terminalreporter.line(f"{number:>4}  {request}\n      expected  {expected}\n      got       {got}")
    for what, many in totals():
        terminalreporter.line(f"{many:>8,}  {what}")
    is_whole = _tried.keys() >= ATTACKS.keys() - ELSEWHERE.keys()
    if FORM and is_whole:
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        REPORT.write_text(_page(), encoding="utf-8")
        terminalreporter.line(f"written: {REPORT.relative_to(CHECKOUT)}")


def _page():
    today = datetime.now(UTC).date()
    lines = [
        "# Attacks",
        "",
        "What was tried against the real addresses, what had to come and what came. `make attacks` runs them all in their long form, prints",
        "this table and rewrites this page: what tests send through `tests/attacks/caller.py` goes over HTTP to a running process then, of the",
        "application's role and behind a proxy's headers, on the database in which the test made what it attacks. `make test` runs their short",
        "form: the same cases in one process, with fewer generated bodies and queries. What needs its own process in both forms says why",
        "(`in_process`), or is a test of its own function elsewhere in `tests/`, a body of the fuzz or a case of schemathesis, which all call",
        "the application in the process of the tests. Everywhere: no answer of 500 or more, no row changed, no provider called.",
        "",
        "**A** and **B** are members of one organization, **R** may only read in it, **X** belongs to another, **N** is nobody. *Hidden* is the",
        "same 404, body and headers, as for an id that does not exist.",
        "",
        f"Last run: {today}, {FORM} form, Python {platform.python_version()}, {platform.system()} {platform.machine()}.",
        "",
        "| Counted in this run | |",
        "|---|---|",
        *(f"| {what} | {many:,} |" for what, many in totals()),
        "",
        "| # | Request | Expected | Got | Where |",
        "|---|---|---|---|---|",
        *(f"| {' | '.join(part.replace('|', '&#124;') for part in row)} |" for row in rows()),
    ]
    return "\n".join(lines) + "\n"
