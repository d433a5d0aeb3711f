"""Gives ``position`` to committed events, one sequencer at a time.

Why after the commit: a number taken inside a transaction becomes visible in commit order, not in number order, so a reader
by that number skips what commits late (31 % missed with eight writers). Here a row is numbered only once it is visible, by
one process, in one statement at a time: whoever sees position n sees every position below it.

Within a statement rows are taken in the order of ``insertion``. Two events of one topic keep their order, because the
topic's row lock is held until commit; an effect comes after its cause, because the cause was committed, and therefore
visible, before the effect was inserted. A horizon (``pg_snapshot_xmin``) would order unrelated events strictly too, but one
long transaction anywhere would then stop the whole log (docs/adr/0002-positions-after-commit.md).
"""

from __future__ import annotations

from typing import Any

import psycopg
from django.db import connection

HEAD = "log"
BATCH = 1000

_SEQUENCE = """
WITH waiting AS MATERIALIZED (
  SELECT id, insertion FROM core_event WHERE position IS NULL ORDER BY insertion LIMIT %(batch)s
), head AS (
  INSERT INTO core_topic (name, position) SELECT %(head)s, count(*) FROM waiting HAVING count(*) > 0
  ON CONFLICT (name) DO UPDATE SET position = core_topic.position + EXCLUDED.position
  RETURNING position
), numbered AS (
  SELECT id, row_number() OVER (ORDER BY insertion) - count(*) OVER () AS offset_from_head FROM waiting
)
UPDATE core_event SET position = head.position + numbered.offset_from_head
FROM numbered, head WHERE core_event.id = numbered.id
RETURNING core_event.type, core_event.is_refusal
"""


def sequence(own: psycopg.Connection[Any]) -> list[tuple[str, bool]]:
    """Number what is committed and has no position yet; returns (type, is it a refusal?) of each, in no order.

    ``own`` holds the coordinator's lock (autocommit).
    """
    done: list[tuple[str, bool]] = []
    while True:
        batch = own.execute(_SEQUENCE, {"batch": BATCH, "head": HEAD}).fetchall()
        done += batch
        if len(batch) < BATCH:
            return done


def head() -> int:
    """The highest position given."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT position FROM core_topic WHERE name = %s", [HEAD])
        row = cursor.fetchone()
    return row[0] if row else 0
