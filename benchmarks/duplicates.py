"""``python -m benchmarks.duplicates``: how well duplicates of people are found, what looking costs; writes docs/results/records.md."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

from apps.extraction import schema
from apps.extraction.similarity import MOST_CANDIDATES, Comparer, Verdict, decide
from benchmarks.people import SCHEMA, Person, people
from benchmarks.records import MARK

PAGE = Path("docs/results/records.md")


def judged(found: Sequence[Person]) -> dict[str, Any]:
    """Every pair that shares a block is scored; counted over all pairs there are."""
    comparer = Comparer(schema.check(SCHEMA))
    known = [comparer.prepared(each.record) for each in found]
    blocks: dict[str, list[int]] = defaultdict(list)
    for number, each in enumerate(known):
        for block in comparer.blocks_of(each):
            blocks[block].append(number)
    pairs = {pair for members in blocks.values() for pair in combinations(members, 2)}
    verdicts = {pair: decide(comparer.score_of(known[pair[0]], known[pair[1]])) for pair in pairs}
    true = {pair for pair in combinations(range(len(found)), 2) if found[pair[0]].who == found[pair[1]].who}
    same = {pair for pair, verdict in verdicts.items() if verdict is Verdict.SAME}
    asked = {pair for pair, verdict in verdicts.items() if verdict is Verdict.ASK}
    right = len(same & true)
    precision, recall = right / max(1, len(same)), right / max(1, len(true))
    return {
        "records": len(found),
        "true_pairs": len(true),
        "compared": len(pairs),
        "in_no_block": len(true - pairs),
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / max(1e-9, precision + recall),
        "asked": len(asked),
        "asked_true": len(asked & true),
        "missed": sorted(true - same),
        "wrong": sorted(same - true),
    }


def adding(*, there: int = 100_000, adds: int = 300, seed: int = 5) -> dict[str, Any]:
    """One record against many: its blocks looked up in a dictionary, everyone in them scored. No database."""
    comparer = Comparer(schema.check(SCHEMA))
    found = people(there + adds, seed=seed)
    known = [comparer.prepared(each.record) for each in found]
    blocks: dict[str, list[int]] = defaultdict(list)
    for number, each in enumerate(known[:there]):
        for block in comparer.blocks_of(each):
            blocks[block].append(number)
    times, candidates = [], []
    doubles = kept = 0
    for each in found[there:]:
        before = time.perf_counter()
        prepared = comparer.prepared(each.record)
        shared = Counter(number for block in comparer.blocks_of(prepared) for number in blocks.get(block, ()))
        near = [number for number, _count in shared.most_common(MOST_CANDIDATES)]
        max((comparer.score_of(prepared, known[number]).total for number in near), default=0.0)
        times.append((time.perf_counter() - before) * 1000)
        candidates.append(len(shared))
        own = {number for number in range(there) if found[number].who == each.who} if len(times) <= 100 else set()
        doubles, kept = doubles + len(own & shared.keys()), kept + len(own & set(near))
    return {
        "there": there,
        "doubles": doubles,
        "kept": kept,
        "p50_ms": statistics.median(times),
        "p95_ms": statistics.quantiles(times, n=20)[18],
        "candidates_p50": statistics.median(candidates),
        "candidates_p95": statistics.quantiles(candidates, n=20)[18],
    }


def page(runs: dict[int, dict[str, Any]], cost: dict[str, Any]) -> str:
    rows = [
        f"| {seed} | {run['true_pairs']} | {run['compared']} | {run['precision']:.3f} | {run['recall']:.3f} | **{run['f1']:.3f}** "
        f"| {run['asked']} ({run['asked_true']}) | {run['in_no_block']} |"
        for seed, run in runs.items()
    ]
    lines = [
        "# Records",
        "",
        (
            f"Measured {datetime.now(UTC):%Y-%m-%d} by `python -m benchmarks.duplicates` on {platform.system()}, Python "
            f"{platform.python_version()}, {os.cpu_count()} cores shared with other work."
        ),
        "",
        "## Duplicates",
        "",
        "1,000 records of people a run (`benchmarks/people.py`, seeded): about half are doubles with one to five of the errors that Febrl makes",
        "(typing, spelling by ear, misread scans, swapped names, turned dates, missing and changed values); one original in twelve shares name,",
        "street and city with another person. The weights were set with seeds 1 to 3; these are others. *Same* is what would be merged",
        "without asking; the goal is F1 ≥ 0.93.",
        "",
        "| Seed | True pairs | Pairs compared | Precision | Recall | F1 | Asked (of them true) | True pairs in no block |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
        "",
        f"F1 of all runs together: **{_overall(runs):.3f}**.",
        "",
        f"One record against {cost['there']:,} in memory (normalizing, blocks, scoring the {MOST_CANDIDATES} who share most; no database): p50 {cost['p50_ms']:.2f} ms,",
        f"p95 {cost['p95_ms']:.2f} ms; {cost['candidates_p50']:.0f} share a block at p50, {cost['candidates_p95']:.0f} at p95;",
        f"{cost['kept']} of {cost['doubles']} doubles were among those scored.",
        "",
    ]
    return "\n".join(lines)


def _overall(runs: dict[int, dict[str, Any]]) -> float:
    right = sum(round(run["recall"] * run["true_pairs"]) for run in runs.values())
    wrong = sum(len(run["wrong"]) for run in runs.values())
    missed = sum(len(run["missed"]) for run in runs.values())
    return 2 * right / (2 * right + wrong + missed)


def main() -> None:
    runs = {seed: judged(people(1000, seed=seed)) for seed in (11, 12, 13, 14, 15)}
    text = page(runs, adding())
    print(text)
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    _before, mark, rest = (PAGE.read_text() if PAGE.exists() else "").partition(MARK)
    PAGE.write_text(text + mark + rest)


if __name__ == "__main__":
    main()
