"""``python -m benchmarks.records``: 100,000 records of people in a durable database, written to and read as people and programs do.

One record added (over HTTP, duplicates looked for), pages of the table and conditions that many, few and no records meet, a table of a
million rows planned for import, some of its rows imported by the real worker, everything exported. Writes a part of docs/results/records.md.

On two quiet cores it takes about 20 minutes, most of it seeding and the million rows; ``--records 10000 --planned 50000 --imported 1000`` takes three.
``--only table`` leaves out import and export.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import time
import urllib.parse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.bulk import memory_of_children, shell
from benchmarks.people import people
from tests.stack import Stack

RAW = Path("docs/results/records.json")
PAGE = Path("docs/results/records.md")
MARK = "\n## 100,000 records\n"

SEED = """
import json, time
from apps.accounts.types import SYSTEM
from apps.extraction import duplicates, schema, services, shape
from apps.extraction.models import Record, RecordBlock, RecordRevision
from apps.core.ids import uuid7
from benchmarks.people import SCHEMA, people
from tests.accounts.factories import ProjectFactory, UserFactory, actor_of, key_of
owner = UserFactory()
project = ProjectFactory(owner=owner)
made = services.create_collection(actor=actor_of(owner), project_id=project.pk, name="People", document=SCHEMA,
    title_template="{{given_name}} {{surname}}", unique_keys=[])
found = schema.check(SCHEMA)
many = people({count} + {adds}, seed=5)[:{count}]
for start in range(0, len(many), 2000):
    rows, blocks, past = [], [], []
    for each in many[start:start + 2000]:
        title = shape.title_of(made.title_template, found.fields, each.record)
        row = Record(id=uuid7(), organization_id=made.organization_id, collection=made, project_id=project.pk, schema_number=1,
            title=title, data=each.record, is_complete=True, text=shape.text_of(title, each.record), shape_number=1)
        rows.append(row)
        blocks += [RecordBlock(organization_id=made.organization_id, collection=made, record=row, block=block)
            for block in duplicates.digests_of(found, each.record)]
        past.append(RecordRevision(organization_id=made.organization_id, record=row, number=1, kind="created", schema_number=1,
            data=each.record))
    Record.objects.bulk_create(rows)
    RecordBlock.objects.bulk_create(blocks)
    RecordRevision.objects.bulk_create(past)
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("ANALYZE")
# A project has more than one collection: the table page says of each how many records it has.
for number in range(19):
    services.create_collection(actor=actor_of(owner), project_id=project.pk, name=f"Other {{number}}", document=SCHEMA, title_template="",
        unique_keys=[])
from django.conf import settings
from django.test import Client
browser = Client()
browser.force_login(owner)
print(json.dumps({{"user": str(owner.pk), "project": str(project.pk), "collection": str(made.pk),
    "key": key_of(owner, project.organization), "cookie": f"{{settings.SESSION_COOKIE_NAME}}={{browser.session.session_key}}"}}))
"""

#: In a process of its own, as a worker plans: the rate, and what memory it took.
PLAN = """
import io, json, resource, time
from uuid import UUID
from apps.accounts.actors import actor_of_row
from apps.bulk import engine, selectors, services
from apps.files import services as files
actor = actor_of_row(user_id=UUID({user!r}))
def rss(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
class Table(io.RawIOBase):
    def __init__(self, rows):
        self.lines = self.made(rows)
    def made(self, rows):
        yield b"Vorname;surname;born;phone\\n"
        for number in range(rows):
            born = b"unknown day" if number % 100 == 99 else b"19%02d-0%d-1%d" % (number % 90, number % 9 + 1, number % 9)
            yield b"N%d;S%d;%s;0%d\\n" % (number % 4000, number % 7000, born, number)
    def read(self, size=-1):
        held = bytearray()
        for line in self.lines:
            held += line
            if len(held) >= 65536: break
        return bytes(held)
def plan(rows, start=False):
    file = files.store_upload(actor=actor, project_id=UUID({project!r}), name="people.csv", stream=Table(rows))
    operation = services.create_operation(actor=actor, project_id=UUID({project!r}), kind="records.import", start=start,
        params={{"collection": {collection!r}, "attachment": str(file.pk), "columns": {{"Vorname": "given_name", "surname": "surname",
            "born": "born", "phone": "phone"}}}})
    began = time.monotonic()
    engine.plan_operation(operation_id=operation.pk)
    return selectors.get_operation(operation_id=operation.pk, viewer=actor), time.monotonic() - began
plan(1000)
before = rss()
operation, took = plan({rows}, {start})
found = operation.dry_run["found"]
print(json.dumps({{"id": str(operation.pk), "rows": {rows}, "per_second": {rows} / took, "bad": found["bad"], "rss_before_mb": before,
    "rss_after_mb": rss()}}))
"""

EXPORT = """
import json, resource, time
from uuid import UUID
from apps.accounts.actors import actor_of_row
from apps.extraction import exporting, selectors
actor = actor_of_row(user_id=UUID({user!r}))
collection = selectors.get_collection(collection_id=UUID({collection!r}), viewer=actor)
found = {{}}
for kind in ("csv", "jsonl", "xlsx"):
    rows = selectors.list_records(collection=collection).order_by("created_at", "pk").values_list("pk", "data").iterator(chunk_size=2000)
    began, size = time.monotonic(), 0
    for piece in exporting.pieces(kind, selectors.schema_of(collection), ((str(pk), data) for pk, data in rows)):
        size += len(piece)
    found[kind] = {{"seconds": time.monotonic() - began, "mb": size / 2**20}}
found["rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps(found))
"""


class Refused(Exception):
    """What was sent does not fit the collection."""


class Caller:
    """One connection that stays open, as programs have it."""

    def __init__(self, stack: Stack, key: str, cookie: str) -> None:
        self._line = http.client.HTTPConnection("127.0.0.1", stack.ports["web"], timeout=60)
        self._key = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._cookie = {"Cookie": cookie}

    def __call__(self, path: str, body: Any = None, **query: Any) -> tuple[Any, float]:
        address = f"/api/v1/{path}?{urllib.parse.urlencode(query, doseq=True)}"
        content, took = self._ask(address, self._key, json.dumps(body).encode() if body is not None else None)
        return json.loads(content), took

    def page(self, path: str, **query: Any) -> tuple[bytes, float]:
        """As a browser asks, until the last byte of the page."""
        return self._ask(f"/{path}?{urllib.parse.urlencode(query, doseq=True)}", self._cookie, None)

    def _ask(self, address: str, headers: dict[str, str], data: bytes | None) -> tuple[bytes, float]:
        began = time.perf_counter()
        self._line.request("POST" if data is not None else "GET", address, data, headers)
        answer = self._line.getresponse()
        content = answer.read()
        took = (time.perf_counter() - began) * 1000
        if answer.status == 400:
            raise Refused
        if answer.status >= 300:
            raise RuntimeError(f"{address}: {answer.status} {content[:500]!r}")
        return content, took


def spread(times: list[float]) -> dict[str, float]:
    return {"p50": statistics.median(times), "p95": statistics.quantiles(times, n=20)[18]}


def add(call: Caller, who: dict[str, str], *, count: int, adds: int) -> dict[str, Any]:
    new = people(count + adds, seed=5)[count:]
    found: dict[str, Any] = {}
    for rule, part in (("list", new[: adds // 2]), ("new", new[adds // 2 :])):
        times, near = [], 0
        for number, each in enumerate(part):
            try:
                answer, took = call(
                    "records/", {"collection": who["collection"], "data": each.record}, on_duplicate=rule
                )
            except Refused:
                continue  # one of the errors that people make: an address or a day that is none
            if number >= 20:  # the first ones warm the process
                times.append(took)
            near += bool(answer["duplicates"])
        found[rule] = spread(times) | {"with_candidates": near, "times": len(times)}
    return found


#: What a table is asked for: how many fit matters as much as the comparison, so there are conditions that many, few and none meet.
ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "page": ("the newest first", {}),
    "by_title": ("by title", {"sort": "title"}),
    "is": ("`city is Berlin`", {"where": "city:Berlin"}),
    "is_by_title": ("`city is Berlin`, by title", {"where": "city:Berlin", "sort": "title"}),
    "is_none": ("`city is Nowhere` (none)", {"where": "city:Nowhere"}),
    "not": ("`city is not Berlin`", {"where": "city:not:Berlin"}),
    "over": ("`born over 1999-01-01`", {"where": "born:over:1999-01-01"}),
    "over_none": ("`born over 2100-01-01` (none)", {"where": "born:over:2100-01-01"}),
    "has": ("`surname contains sch`", {"where": "surname:has:sch"}),
    "has_none": ("`surname contains zzzz` (none)", {"where": "surname:has:zzzz"}),
    "two": ("`born over …` and `surname contains sch`", {"where": ["born:over:1999-01-01", "surname:has:sch"]}),
    "filled": ("`email is filled`", {"where": "email:filled"}),
    "empty_none": ("`surname is empty` (none)", {"where": "surname:empty"}),
    "word": ("the word `anna`", {"q": "anna"}),
    "words_none": ("the words `anna zzzz` (none)", {"q": "anna zzzz"}),
}


def read(call: Caller, who: dict[str, str], *, times: int) -> dict[str, Any]:
    """Rows by the API, and the page of the table as a browser gets it."""
    rows, pages = {}, {}
    for name, (_says, query) in ASKED.items():
        took = [call("records/", collection=who["collection"], limit=100, **query)[1] for _each in range(times)]
        rows[name] = spread(took[5:])
        took = [
            call.page(f"records/{who['collection']}/", **{"sort": "-created_at"} | query)[1] for _each in range(times)
        ]
        pages[name] = spread(took[5:])
    record = call("records/", collection=who["collection"], limit=1)[0]["results"][0]["id"]
    near = spread([call(f"records/{record}/duplicates/")[1] for _each in range(times)][5:])
    return {"rows": rows, "pages": pages, "duplicates": near}


def imported(stack: Stack, who: dict[str, str], rows: int) -> dict[str, Any]:
    """By one process of the real worker, by the database's clock."""
    planned = shell(stack, PLAN.format(**who, rows=rows, start=True))
    deadline = time.monotonic() + 900
    most = 0.0
    while time.monotonic() < deadline:
        status, took = stack.sql(
            "SELECT status, extract(epoch FROM finished_at - started_at) FROM bulk_operation WHERE id = %s",
            [planned["id"]],
        )[0]
        most = max(most, memory_of_children(stack))
        if status.startswith("completed"):
            return {"rows": rows, "per_second": rows / float(took), "uss_most_mb": most}
        time.sleep(0.5)
    raise RuntimeError(f"not done: {status}")


def page(found: dict[str, Any], count: int) -> str:
    added, reads, plan, done, out = (found[name] for name in ("add", "read", "plan", "import", "export"))

    def pair(times: dict[str, float]) -> str:
        return f"{times['p50']:.1f} / {times['p95']:.1f}"

    rows = [
        ("one record added over HTTP, duplicates looked for, p50 / p95 ms", pair(added["list"]), "p95 ≤ 50"),
        ("the same, nobody looks (`on_duplicate=new`)", pair(added["new"]), ""),
        ("who may be the same as one record", pair(reads["duplicates"]), ""),
        (f"rows planned for import, of {plan['rows']:,}", f"{plan['per_second']:,.0f}/s", ""),
        (
            f"memory of the planner before and after ({plan['bad']:,} rows are wrong)",
            f"{plan['rss_before_mb']:.0f} → {plan['rss_after_mb']:.0f} MB",
            "flat",
        ),
        (f"rows imported, duplicates looked for, of {done['rows']:,}", f"{done['per_second']:.0f}/s", ""),
        (
            f"{count:,} records as CSV / JSON Lines / XLSX",
            " / ".join(f"{out[kind]['seconds']:.1f} s" for kind in ("csv", "jsonl", "xlsx")),
            "",
        ),
    ]
    lines = [
        f"Measured {datetime.now(UTC):%Y-%m-%d} by `python -m benchmarks.records`, {found['conditions']}: own durable PostgreSQL, one web process, one worker, the",
        f"collection of people above with {count:,} records (seeded), one caller at a time. Of {added['list']['times'] + 20} that were added with a look,",
        f"{added['list']['with_candidates']} had candidates.",
        "",
        "| Measure | Parlance | Goal |",
        "|---|---|---|",
        *(f"| {measure} | {ours} | {goal} |" for measure, ours, goal in rows),
        "",
        "The table, p50 / p95 in ms (goal: p95 ≤ 100): 100 records by the API, and the page of 50 as a browser gets it, in a project of 20 collections.",
        "",
        "| Asked for | API | Page |",
        "|---|---|---|",
        *(
            f"| {says} | {pair(reads['rows'][name])} | {pair(reads['pages'][name])} |"
            for name, (says, _query) in ASKED.items()
        ),
        "",
    ]
    return MARK + "\n" + "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--adds", type=int, default=600)
    parser.add_argument("--planned", type=int, default=1_000_000)
    parser.add_argument("--imported", type=int, default=5_000)
    parser.add_argument("--times", type=int, default=60, help="how often each page and condition is asked for")
    parser.add_argument("--only", choices=["", "table"], default="")
    parser.add_argument("--conditions", default="2 cores")
    given = parser.parse_args()
    env = {"PARLANCE_LIMITS": "0", "PARLANCE_JOBS_PROCESSES": "2"}
    with Stack(own_services=True, durable=True, webs=1, interactives=0, jobs=1, env=env) as stack:
        who = shell(stack, SEED.format(count=given.records, adds=given.adds))
        call = Caller(stack, who.pop("key"), who.pop("cookie"))
        found: dict[str, Any] = {"conditions": given.conditions}
        found["add"] = add(call, who, count=given.records, adds=given.adds)
        found["read"] = read(call, who, times=given.times)
        if given.only:
            print(json.dumps(found, indent=1))
            return
        found["export"] = shell(stack, EXPORT.format(**who))
        found["import"] = imported(stack, who, given.imported)
        found["plan"] = shell(stack, PLAN.format(**who, rows=given.planned, start=False))
    RAW.write_text(json.dumps(found, indent=1) + "\n")
    old = PAGE.read_text() if PAGE.exists() else "# Records\n"
    PAGE.write_text(old.partition(MARK)[0].rstrip("\n") + "\n" + page(found, given.records))
    print(page(found, given.records))


if __name__ == "__main__":
    main()
