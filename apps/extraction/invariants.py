"""What must always be true of records, for ``doctor`` and the drills."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.db import connection

from apps.core.doors.invariants import Invariant, Violation, invariants

SHOWN = 20
_REPORT = "Report it with the record's id."

_HISTORY = """
SELECT record.id FROM extraction_record record
LEFT JOIN extraction_recordrevision last ON last.record_id = record.id AND last.number = record.version
WHERE last.id IS NULL OR last.data <> record.data LIMIT %s
"""
_PUT_AWAY = """
SELECT record.id FROM extraction_record record WHERE record.deleted_at IS NOT NULL AND (
  EXISTS (SELECT FROM extraction_recordkey held WHERE held.record_id = record.id)
  OR EXISTS (SELECT FROM extraction_recordblock held WHERE held.record_id = record.id)) LIMIT %s
"""
_JOINED = """
SELECT record.id FROM extraction_record record
LEFT JOIN extraction_recordmerge joined
  ON joined.loser_id = record.id AND joined.winner_id = record.merged_into_id AND joined.undone_at IS NULL
WHERE record.merged_into_id IS NOT NULL AND (joined.id IS NULL OR record.deleted_at IS NULL) LIMIT %s
"""
_LINKS = """
SELECT link.source_id FROM extraction_recordlink link
JOIN extraction_record source ON source.id = link.source_id JOIN extraction_record target ON target.id = link.target_id
WHERE source.project_id <> target.project_id OR source.data -> link.field IS NULL
  OR NOT (source.data -> link.field @> to_jsonb(link.target_id::text)) LIMIT %s
"""
_GONE = """
SELECT link.source_id FROM extraction_recordlink link JOIN extraction_record source ON source.id = link.source_id
JOIN extraction_record target ON target.id = link.target_id
WHERE target.merged_into_id IS NOT NULL AND source.deleted_at IS NULL LIMIT %s
"""


def _check(statement: str, says: str) -> Callable[[], Sequence[Violation]]:
    def check() -> Sequence[Violation]:
        with connection.cursor() as cursor:
            cursor.execute(statement, [SHOWN])
            return [Violation(f"Record {row[0]}: {says}", _REPORT) for row in cursor.fetchall()]

    return check


def register() -> None:
    for name, says, statement, found in (
        ("history_is_whole", "A record's last version is the record.", _HISTORY, "its history does not end with it."),
        ("deleted_hold_nothing", "Deleted records hold no values.", _PUT_AWAY, "deleted, it holds values or blocks."),
        (
            "joined_are_told",
            "Who was joined into another is deleted and says so.",
            _JOINED,
            "no joining explains where it went.",
        ),
        (
            "links_are_followed",
            "Nobody points to a record that was joined into another.",
            _GONE,
            "it points to a record that was joined into another.",
        ),
        ("links_are_in_the_data", "Links are those of the data.", _LINKS, "a link of it is not in its data."),
    ):
        full = f"extraction.{name}"
        invariants.register(full, Invariant(full, "I1", says, _check(statement, found)))
