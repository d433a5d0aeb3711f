"""Notes the outcome of every drill; ``make drills`` writes them to docs/results/drills.md."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.faults.catalogue import ELSEWHERE, NOT_YET
from tests.faults.drill import ENV, LONG, Talker, invariants, seed
from tests.faults.ward import Ward
from tests.provider.fixtures import Provider, provider, running_provider
from tests.stack import Stack

__all__ = ["provider", "running_provider"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "results" / "drills.md"
_has_failed = pytest.StashKey[bool]()
_rows: dict[str, tuple[str, str, str]] = {}

#: How a drill differs from the promise it stands for.
REMARKS = (
    (
        "D5 to D9: the page is the reference client (tests/live), which waits as docs/live.md says; the browser's own "
        "back-off is tested in tests/browser."
    ),
    "D8: the proxy keeps what is sent and passes nothing on; connections that were opened in the hole are cut at its end.",
    (
        "D13: volumes are tmpfs mounts of their own size; where an account may not mount, the three cases are left out and the "
        "file store's full disk is tested by a failpoint (tests/files)."
    ),
    "No drill draws lots, so there is no seed to repeat one by; only the pauses of clients that come back are random, as the browser's are.",
    (
        "D34: of runs, where a lost hint and a lost worker are what can go missing; between send and mark it is the second case of D1. "
        "Deliveries come with webhooks. Every place where a worker may die between its commits is gone through in tests/workflows."
    ),
    "D28: a turn that lasts longer than three leases; hints are never redelivered by Redis, so there is no visibility time-out to outlast.",
)


#: What `make test` proves of all this, and what it does not.
SHORT_FORM = (
    "The short form divides all time-outs by 5, not by 20 (a lease of less than three seconds lapses by itself on a busy machine), "
    "and asserts order and outcome, not speed. `make test` runs it without the second case of D1 of runs, D2, D3, D6, D7, D8, D11, "
    "D12, the three cases of D13, D25, D28 and D34, which measure seconds that other tests beside them would take: `PARLANCE_DRILLS=short make test "
    "ARGS=tests/faults` runs those too. The probe of D17 after the breaker's rest is drilled here, and proven without "
    "processes in tests/llm."
)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    result = yield
    report = result.get_result()  # type: ignore[attr-defined]
    if report.when == "call" and report.failed:
        item.stash[_has_failed] = True
    if report.when == "call" and item.name.startswith("test_d"):
        said = dict(item.user_properties)
        number = item.name.split("_")[1].upper()
        verdict = "held" if report.passed else "FAILED"
        what = (item.function.__doc__ or "").strip().splitlines()[0]  # type: ignore[attr-defined]
        _rows[item.name] = (
            number,
            what,
            f"{verdict}{': ' + said['seen'] if 'seen' in said else ''} ({report.duration:.0f} s)",
        )


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not LONG or not _rows:
        return
    lines = [
        "# Drills",
        "",
        f"Run {datetime.now(UTC):%Y-%m-%d} by `make drills` with the real time-outs, against real processes, PostgreSQL, Redis and the scripted provider.",
        "After each drill that breaks a process or a service `manage.py doctor --data-only` found no violation of I1 to I5.",
        "",
        "| # | Fault and expectation | Outcome |",
        "|---|---|---|",
        *(
            f"| {number} | {what} | {seen} |"
            for number, what, seen in sorted(_rows.values(), key=lambda row: int(row[0][1:]))
        ),
        "",
        "Not yet, or elsewhere:",
        "",
        *(f"- D{number}: comes with {what}." for number, (what, _sign) in NOT_YET.items()),
        *(f"- D{number}: {', '.join(f'`{place}`' for place in places)}." for number, places in ELSEWHERE.items()),
        "",
        "Remarks:",
        "",
        *(f"- {remark}" for remark in REMARKS),
        "",
        SHORT_FORM,
        "",
    ]
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text("\n".join(lines))


@pytest.fixture
def seen(request: pytest.FixtureRequest):
    """``seen("ended after 9 s")`` goes into the report."""
    return lambda text: request.node.user_properties.append(("seen", text))


@pytest.fixture(scope="session")
def ward(running_provider: Provider) -> Iterator[Ward]:
    made = Ward(running_provider)
    try:
        yield made
        made.examine()
    finally:
        made.close()


@pytest.fixture
def broken(
    request: pytest.FixtureRequest, ward: Ward, provider: Provider
) -> Iterator[tuple[Stack, Talker, Callable[[], None]]]:
    """Stack, somebody who talks, and the check of the invariants: after each drill in the long form, at the end in the short."""
    with ward.admit() as (stack, talker):
        yield stack, talker, ward.examine if LONG else lambda: None
    if request.node.stash.get(_has_failed, False):
        ward.discard()


@pytest.fixture(scope="module")
def steady(running_provider: Provider) -> Iterator[Stack]:
    """A stack that stays whole: for faults of the provider."""
    running_provider.reset()
    with Stack(env=ENV) as stack:
        yield stack
        time.sleep(0.5)
        invariants(stack)


@pytest.fixture(scope="module")
def crowd(steady: Stack, running_provider: Provider) -> dict[bool, list[dict[str, Any]]]:
    """People to take from, without and with a fallback model: each drill gets one of their own."""
    return {fallback: seed(steady, running_provider, people=30, fallback=fallback) for fallback in (False, True)}


@pytest.fixture
def talker(steady: Stack, crowd: dict[bool, list[dict[str, Any]]], provider: Provider) -> Iterator[Talker]:
    with contextlib.closing(Talker(steady, crowd[False].pop())) as made:
        yield made


@pytest.fixture
def talker_with_fallback(
    steady: Stack, crowd: dict[bool, list[dict[str, Any]]], provider: Provider
) -> Iterator[Talker]:
    with contextlib.closing(Talker(steady, crowd[True].pop())) as made:
        yield made
