"""What must always be true of records, for ``doctor`` and the drills.

What compares every row is read in pieces, by id from a random place on, until its time is over: a platform with millions of records is
looked at again every time, a part of it each time; a small one is always looked at whole.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from django.db import connection

from apps.core.doors.invariants import Invariant, Violation, invariants
from apps.core.ids import uuid7

SHOWN = 20
PIECE, SECONDS = 5000, 4.0
_REPORT = "Report it with the record's id."
_FIRST = UUID(int=0)

_HISTORY = """
WITH piece AS MATERIALIZED (
  SELECT id, organization_id, version, data FROM extraction_record WHERE id > %(after)s AND id <= %(until)s ORDER BY id LIMIT %(piece)s
), wrong AS (
  SELECT piece.id FROM piece LEFT JOIN extraction_recordrevision last
    ON last.organization_id = piece.organization_id AND last.record_id = piece.id AND last.number = piece.version
  WHERE last.id IS NULL OR last.data <> piece.data LIMIT %(shown)s
)
SELECT (SELECT id FROM piece ORDER BY id DESC LIMIT 1), array(SELECT id FROM wrong)
"""
_LINKS = """
WITH piece AS MATERIALIZED (
  SELECT id, source_id, target_id, field FROM extraction_recordlink WHERE id > %(after)s AND id <= %(until)s ORDER BY id LIMIT %(piece)s
), wrong AS (
  SELECT piece.source_id AS id FROM piece
  JOIN extraction_record source ON source.id = piece.source_id JOIN extraction_record target ON target.id = piece.target_id
  WHERE source.project_id <> target.project_id OR source.data -> piece.field IS NULL
    OR NOT (source.data -> piece.field @> to_jsonb(piece.target_id::text)) LIMIT %(shown)s
)
SELECT (SELECT id FROM piece ORDER BY id DESC LIMIT 1), array(SELECT id FROM wrong)
"""
_PUT_AWAY = """
SELECT record.id FROM extraction_record record WHERE record.deleted_at IS NOT NULL AND (
  EXISTS (SELECT FROM extraction_recordkey held WHERE held.record_id = record.id)
  OR EXISTS (SELECT FROM extraction_recordblock held WHERE held.record_id = record.id)
  OR EXISTS (SELECT FROM extraction_recordvector held WHERE held.record_id = record.id)) LIMIT %s
"""
_JOINED = """
SELECT record.id FROM extraction_record record
LEFT JOIN extraction_recordmerge joined
  ON joined.loser_id = record.id AND joined.winner_id = record.merged_into_id AND joined.undone_at IS NULL
WHERE record.merged_into_id IS NOT NULL AND (joined.id IS NULL OR record.deleted_at IS NULL) LIMIT %s
"""
_GONE = """
SELECT link.source_id FROM extraction_record target JOIN extraction_recordlink link ON link.target_id = target.id
JOIN extraction_record source ON source.id = link.source_id
WHERE target.merged_into_id IS NOT NULL AND source.deleted_at IS NULL LIMIT %s
"""
# Collections that changed last, those that are counted at once.
_NUMBERS = """
WITH said AS (
  SELECT collection_id, sum(number) AS number, max(updated_at) AS at FROM extraction_recordtally GROUP BY collection_id
  HAVING sum(number) <= 20000 ORDER BY at DESC LIMIT 50
)
SELECT said.collection_id FROM said WHERE said.number <> (
  SELECT count(*) FROM extraction_record WHERE collection_id = said.collection_id AND deleted_at IS NULL) LIMIT %s
"""


def _all_of(statement: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [SHOWN])
        return [row[0] for row in cursor.fetchall()]


def _in_pieces(statement: str) -> list[Any]:
    """From somewhere to the newest row, then from the oldest to there."""
    middle, newest = _somewhere(), UUID(int=2**128 - 1)
    wrong: list[Any] = []
    ends = time.monotonic() + SECONDS
    for begin, until in ((middle, newest), (_FIRST, middle)):
        after = begin
        while len(wrong) < SHOWN and time.monotonic() < ends:
            with connection.cursor() as cursor:
                cursor.execute(statement, {"after": after, "until": until, "piece": PIECE, "shown": SHOWN})
                last, found = cursor.fetchone()
            wrong += found
            if last is None:
                break
            after = last
    return wrong[:SHOWN]


def _somewhere() -> UUID:
    """Where a record may be: ids are in the order of time, so between the first and now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM extraction_record ORDER BY id LIMIT 1")
        row = cursor.fetchone()
    first, now = (row[0].int if row else 0), uuid7().int
    return UUID(int=first + secrets.randbelow(max(1, now - first)))


def _check(read: Callable[[str], list[Any]], statement: str, of: str, says: str) -> Callable[[], Sequence[Violation]]:
    def check() -> Sequence[Violation]:
        return [Violation(f"{of} {pk}: {says}", _REPORT) for pk in read(statement)]

    return check


def register() -> None:
    for name, says, check in (
        (
            "history_is_whole",
            "A record's last version is the record.",
            _check(_in_pieces, _HISTORY, "Record", "its history does not end with it."),
        ),
        (
            "deleted_hold_nothing",
            "Deleted records hold no values.",
            _check(_all_of, _PUT_AWAY, "Record", "deleted, it holds values or blocks."),
        ),
        (
            "joined_are_told",
            "Who was joined into another is deleted and says so.",
            _check(_all_of, _JOINED, "Record", "no joining explains where it went."),
        ),
        (
            "links_are_followed",
            "Nobody points to a record that was joined into another.",
            _check(_all_of, _GONE, "Record", "it points to a record that was joined into another."),
        ),
        (
            "links_are_in_the_data",
            "Links are those of the data.",
            _check(_in_pieces, _LINKS, "Record", "a link of it is not in its data."),
        ),
        (
            "numbers_are_true",
            "A collection has as many records as it says.",
            _check(_all_of, _NUMBERS, "Collection", "it has not as many records as it says."),
        ),
    ):
        full = f"extraction.{name}"
        invariants.register(full, Invariant(full, "I1", says, check))
