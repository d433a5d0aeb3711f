"""docs/results/speed.md from what was measured: each row with its goal and the best peer's figure."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

PAGE = Path("docs/results/speed.md")


def _get(results: dict[str, Any], *path: str) -> Any:
    at: Any = results
    for name in path:
        if not isinstance(at, dict) or name not in at:
            return None
        at = at[name]
    return at


def _pair(found: Any, digits: int = 1) -> str:
    if not isinstance(found, dict) or "p50" not in found:
        return "not measured"
    return f"{found['p50']:.{digits}f} / {found['p95']:.{digits}f}"


def _number(value: Any, unit: str = "", digits: int = 0) -> str:
    return f"{value:.{digits}f}{unit}" if isinstance(value, (int, float)) else "not measured"


def _total(found: Any, unit: str) -> str:
    if not isinstance(found, dict):
        return "not measured"
    parts = ", ".join(f"{role} {value:.0f}" for role, value in found.items())
    return f"{sum(found.values()):.0f}{unit} ({parts})"


def _held(results: dict[str, Any], section: str) -> str:
    rows = _get(results, section, "held") or []
    good = [row for row in rows if row["late_p95_ms"] <= 250 and not row["lost"] and not row["refused"]]
    if not rows:
        return "not measured"
    best = max((row["count"] for row in good), default=0)
    worst = next((row for row in rows if row["count"] == best), rows[0])
    return f"{best} (p95 {worst['late_p95_ms']:.0f} ms late)"


def _lost(results: dict[str, Any]) -> str:
    rows = [*(_get(results, "talk", "held") or []), *(_get(results, "talk_uvicorn", "held") or [])]
    return str(sum(row["lost"] + row["gaps"] for row in rows)) if rows else "not measured"


def rows(results: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """(measure, ours, best peer, goal)."""
    found: list[tuple[str, str, str, str]] = []
    for section, server in (("talk", "Daphne"), ("talk_uvicorn", "uvicorn")):
        found += [
            (
                f"added time to first token, 1 user, p50 / p95 ms ({server})",
                _pair(_get(results, section, "one")),
                "Chainlit 10 / 10, Open WebUI 29 / 31",
                "≤ 9 / 14",
            ),
            (
                f"the same, 20 users together ({server})",
                _pair(_get(results, section, "twenty")),
                "Chainlit 33 / 57, Open WebUI 191 / 401",
                "≤ 10 / 25",
            ),
            (
                f"the same, burst of 100 ({server})",
                _pair(_get(results, section, "hundred")),
                "Chainlit 104 / 193, Open WebUI 2,715 / 6,550",
                "≤ 40 / 100",
            ),
            (
                f"streams of 50 tokens/s held on one core ({server})",
                _held(results, section),
                "Chainlit 60, Open WebUI 20",
                "≥ 200",
            ),
            (
                f"CPU per token, 200-token answers, 20 at once ({server})",
                _total(_get(results, section, "per_token", "cpu_us_a_token"), " µs"),
                "Chainlit 231 µs, Open WebUI 355 µs",
                "≤ 130 µs",
            ),
        ]
    found += [
        ("answers with tokens lost, doubled or out of order", _lost(results), "0", "0"),
        (
            "list conversations (2,000), p50 / p95 ms",
            _pair(_get(results, "reads", "list")),
            "Open WebUI 3.3 / 4.2",
            "≤ 4 / 8",
        ),
        (
            "the same, 20 users, requests/s",
            _number(_get(results, "reads", "list_per_second")),
            "Open WebUI 255",
            "≥ 250",
        ),
        (
            "open a conversation of 1,000 messages (first 100), p50 / p95 ms",
            _pair(_get(results, "reads", "open")),
            "Open WebUI 34 / 641",
            "≤ 7 / 20",
        ),
        (
            "open a conversation of 5,000 messages in Chromium until it can be written in, p50 / p95 ms",
            _pair(_get(results, "opening", "ready"), 0),
            "",
            "< 1,000",
        ),
        (
            "frames over 50 ms while 1,000 of them scroll by",
            _number(_get(results, "opening", "scroll", "frames_over_50_ms")),
            "",
            "",
        ),
        (
            "search 20,000 messages, p50 / p95 ms",
            _pair(_get(results, "search_20k", "usual")),
            "Open WebUI p95 213",
            "p95 ≤ 30",
        ),
        ("search 1,000,000 messages, p50 / p95 ms", _pair(_get(results, "search_1m", "usual")), "", "p95 ≤ 100"),
        ("the same with the commonest words", _pair(_get(results, "search_1m", "commonest")), "", "p95 ≤ 200"),
        (
            "idle memory (PSS), web + interactive + calls + jobs with beat",
            _number(_get(results, "memory", "mb"), " MB"),
            "Chainlit 128, LiteLLM 304, Open WebUI 1,270 MB",
            "≤ 350 MB",
        ),
        (
            "warm start to healthy",
            _number(_get(results, "start", "warm"), " s", 1),
            "Chainlit 2.1 s, Open WebUI 10.4 s",
            "≤ 5 s",
        ),
        (
            "install size, production without document parsers",
            _number(_get(results, "size", "production"), " MB"),
            "Chainlit 183 MB, Open WebUI 7,418 MB",
            "≤ 400 MB",
        ),
        (
            "2,000 open sockets on one web process, each",
            _number(_get(results, "sockets", "kb_each"), " kB"),
            "",
            "≤ 60 kB",
        ),
        (
            "reconnect storm of 1,000 clients, all caught up",
            _number(_get(results, "sockets", "all_after_seconds"), " s", 1),
            "",
            "≤ 10 s",
        ),
        (
            "commit → reader by position at 50 events/s, p95",
            _number(_get(results, "events", "steady", "p95_ms"), " ms"),
            "",
            "≤ 50 ms",
        ),
        (
            "events missed with 8 writers",
            _number(_get(results, "events", "burst", "missed")),
            "cursor on ids: 31 %",
            "0",
        ),
    ]
    return found


def write(results: dict[str, Any]) -> None:
    lines = [
        "# Speed",
        "",
        " ".join(
            [
                f"Measured {datetime.now(UTC):%Y-%m-%d} by `make bench` on {platform.system()}, Python {platform.python_version()},",
                f"{os.cpu_count()} cores, {psutil.virtual_memory().total // 2**30} GB, shared with other work: figures vary.",
            ]
        ),
        "Web, interactive, calls, jobs, PostgreSQL and Redis are pinned to one core; the scripted model server (100 ms to its first token, 50 tokens/s) and the",
        "clients run on the other. Clients sign in with keys, follow over the socket, and everything is saved. Peers were measured the same way on this class of machine.",
        "",
        "| Measure | Parlance | Best peers | Goal |",
        "|---|---|---|---|",
        *(f"| {measure} | {ours} | {peer} | {goal} |" for measure, ours, peer, goal in rows(results)),
        "",
    ]
    failed = {name: found["failed"] for name, found in results.items() if isinstance(found, dict) and "failed" in found}
    if failed:
        lines += [
            "Sections that could not be measured in this run:",
            "",
            *(f"- {name}: {why}" for name, why in failed.items()),
            "",
        ]
    notes = PAGE.with_name("speed-notes.md")
    if notes.exists():
        lines += [notes.read_text()]
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text("\n".join(lines))
