"""``python -m benchmarks.many_records``: what no index answers at 100,000 records, and how they go.

The order of a field, conditions that hardly any record meets, who is near by meaning (vectors at random, exact search), and the erasure of
their organization in pieces, beside somebody of another one who writes. Own durable PostgreSQL, one web process, one caller.

Prints what it found. On two quiet cores it takes about ten minutes, half of it seeding.
"""

from __future__ import annotations

import argparse
import json
import statistics
import threading
import time
from typing import Any

from benchmarks.bulk import shell
from benchmarks.records import SEED, Caller, spread
from tests.stack import Stack

#: Of another organization: the most that may be put in order by a field, and somebody who writes while the large one goes.
OTHERS = """
import json
from uuid import UUID
from django.conf import settings
from apps.core.ids import uuid7
from apps.extraction import services
from apps.extraction.models import Collection, Record
from benchmarks.people import SCHEMA
from django.test import Client
from tests.accounts.factories import ProjectFactory, UserFactory, actor_of, key_of
owner = UserFactory()
project = ProjectFactory(owner=owner)
made = services.create_collection(actor=actor_of(owner), project_id=project.pk, name="Others", document=SCHEMA,
    title_template="{{given_name}} {{surname}}", unique_keys=[])
for start in range(0, {count}, 2000):
    rows = Record.objects.filter(collection={collection!r}).order_by("pk")[start:start + 2000]
    Record.objects.bulk_create([Record(id=uuid7(), organization_id=made.organization_id, collection=made, project_id=project.pk,
        schema_number=1, title=row.title, data=row.data, is_complete=True, text=row.text, shape_number=1) for row in rows])
browser = Client()
browser.force_login(owner)
print(json.dumps({{"collection": str(made.pk), "key": key_of(owner, project.organization),
    "cookie": f"{{settings.SESSION_COOKIE_NAME}}={{browser.session.session_key}}"}}))
"""

NEAR = """
import json, time
from django.db import connection
from apps.core.ids import uuid7
from apps.extraction import meaning
from apps.extraction.models import Record
found = {{}}
for dimensions in {dimensions}:
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("DELETE FROM extraction_recordvector")
        cursor.execute('''INSERT INTO extraction_recordvector
            (id, organization_id, collection_id, record_id, model_id, vector, is_due, attempts, created_at, updated_at)
            SELECT gen_random_uuid(), organization_id, collection_id, id, %s,
              l2_normalize((SELECT array_agg(random() - 0.5 + length(record.id::text) * 0) FROM generate_series(1, %s))::vector),
              false, 0, now(), now()
            FROM extraction_record record WHERE collection_id = %s''', [uuid7(), dimensions, {collection!r}])
        cursor.execute("SELECT pg_total_relation_size('extraction_recordvector') / 1048576")
        size = cursor.fetchone()[0]
    times = []
    for pk in Record.objects.filter(collection={collection!r}).order_by("pk").values_list("pk", flat=True)[:{times}]:
        began = time.monotonic()
        meaning.near(pk)
        times.append((time.monotonic() - began) * 1000)
    found[dimensions] = {{"mb": int(size), "times": times[2:]}}
print(json.dumps(found))
"""

ERASE = """
import json, time
from django.db import connection
from apps.accounts import erasing
from apps.accounts.models import Organization
from apps.accounts.services import erasure
from apps.accounts.types import SYSTEM
from apps.extraction.models import Collection
organization_id = Collection.objects.get(pk={collection!r}).organization_id
pieces, piece = [], erasure.erase_piece
def timed(**given):
    began = time.monotonic()
    done = piece(**given)
    pieces.append(time.monotonic() - began)
    return done
erasure.erase_piece = timed
began = time.monotonic()
erasure.close_organization(actor=SYSTEM, organization_id=organization_id, in_background=False)
closed = time.monotonic() - began
receipt = erasing.erase_organization(actor=SYSTEM, organization_id=organization_id)
whole = time.monotonic() - began
pieces.sort()
print(json.dumps({{"rows": sum(receipt.rows.values()), "seconds": whole, "closing": closed, "pieces": len(pieces),
    "piece_p50": pieces[len(pieces) // 2], "piece_longest": pieces[-1], "left": Organization.objects.filter(pk=organization_id).count()}}))
"""

ASKED: dict[str, dict[str, Any]] = {
    "newest": {},
    "over_none": {"where": "born:over:2100-01-01"},
    "over_some": {"where": "born:over:2001-06-01"},
    "has_none": {"where": "surname:has:zzzz"},
    "empty_none": {"where": "surname:empty"},
    "by_field_few": {"where": "city:Berlin", "sort": "data.born"},
    "by_field_over_none": {"where": "born:over:2100-01-01", "sort": "data.born"},
}
#: In the collection that is just small enough.
SORTED: dict[str, dict[str, Any]] = {
    "newest": {},
    "text": {"sort": "data.surname"},
    "date_down": {"sort": "-data.born"},
    "date_within": {"sort": "data.born", "where": "city:not:Berlin"},
}


def asked(call: Caller, collection: str, queries: dict[str, dict[str, Any]], times: int) -> dict[str, Any]:
    found = {}
    for name, query in queries.items():
        rows = [call("records/", collection=collection, limit=100, **query)[1] for _each in range(times)]
        pages = [call.page(f"records/{collection}/", **query)[1] for _each in range(times)]
        found[name] = {"rows": spread(rows[5:]), "page": spread(pages[5:])}
        if "sort" in query and "next" in (first := call("records/", collection=collection, limit=100, **query)[0]):
            further = [
                call("records/", collection=collection, limit=100, cursor=first["next"], **query)[1]
                for _each in range(times if first["next"] else 0)
            ]
            found[name]["second"] = spread(further[5:]) if further else None
    return found


class Beside(threading.Thread):
    """Somebody of another organization, who adds a record every 0.2 s."""

    def __init__(self, call: Caller, collection: str) -> None:
        super().__init__(daemon=True)
        self.call, self.collection, self.times, self.refused = call, collection, [], 0
        self.ended = threading.Event()

    def run(self) -> None:
        number = 0
        while not self.ended.wait(0.2):
            number += 1
            data = {"given_name": f"N{number}", "surname": f"S{number * 7919}"}
            try:
                self.times.append(self.call("records/", {"collection": self.collection, "data": data})[1])
            except RuntimeError:
                self.refused += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--sorted", type=int, default=20_000)
    parser.add_argument("--times", type=int, default=40)
    parser.add_argument("--dimensions", type=int, nargs="*", default=[384, 1536])
    given = parser.parse_args()
    with Stack(own_services=True, durable=True, webs=1, interactives=0, jobs=0, env={"PARLANCE_LIMITS": "0"}) as stack:
        who = shell(stack, SEED.format(count=given.records, adds=0))
        others = shell(stack, OTHERS.format(collection=who["collection"], count=given.sorted))
        stack.sql("VACUUM ANALYZE")
        mine, theirs = (Caller(stack, each["key"], each["cookie"]) for each in (who, others))
        found: dict[str, Any] = {"asked": asked(mine, who["collection"], ASKED, given.times)}
        found["sorted"] = asked(theirs, others["collection"], SORTED, given.times)
        print(json.dumps(found, indent=1), flush=True)
        near = shell(stack, NEAR.format(collection=who["collection"], dimensions=given.dimensions, times=given.times))
        print(json.dumps({name: spread(each.pop("times")) | each for name, each in near.items()}), flush=True)
        beside = Beside(theirs, others["collection"])
        beside.start()
        time.sleep(10)
        before, beside.times = beside.times, []
        gone = shell(stack, ERASE.format(collection=who["collection"]))
        beside.ended.set()
        beside.join()
        gone["others"] = {
            "before": statistics.median(before),
            "during": spread(beside.times),
            "longest": max(beside.times),
            "written": len(beside.times),
            "refused": beside.refused,
        }
        print(json.dumps(gone, indent=1))


if __name__ == "__main__":
    main()
