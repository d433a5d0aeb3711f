"""What keeps itself in order without anybody asking."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Now

from apps.accounts.policies import require
from apps.accounts.types import Actor
from apps.core import jobs
from apps.extraction import duplicates, migrating, news, policies, schema, selectors, shape
from apps.extraction.events import RecordsReshaped
from apps.extraction.models import Collection, Duplicate, Record, RecordKey
from apps.extraction.types import Candidate, DuplicateStatus

SHAPED_AT_ONCE = 200
SHAPE_SECONDS = 5.0
TALLIES_AT_ONCE = 5000

_BEHIND = """
SELECT behind.id FROM extraction_collection collection
CROSS JOIN LATERAL (
  SELECT id FROM extraction_record WHERE collection_id = collection.id AND blocks_number < collection.shape_number
    AND deleted_at IS NULL LIMIT %(most)s
) AS behind
WHERE collection.deleted_at IS NULL LIMIT %(most)s
"""


def reshape_records(*, actor: Actor, seconds: float = SHAPE_SECONDS) -> int:
    """Title, keys, what is missing, text and blocks of records whose collection says since what they are made of; how many.

    Their data and versions stay as they are. What is left asks for another turn.
    """
    require(policies.is_system(actor))
    until, done = time.monotonic() + seconds, 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_BEHIND, {"most": SHAPED_AT_ONCE})
            behind = [row[0] for row in cursor.fetchall()]
        if not behind:
            return done
        if time.monotonic() >= until:
            jobs.hint("extraction.reshape")
            return done
        made = _reshape(behind, actor)
        done += made
        if not made:
            return done  # somebody else is at them


@transaction.atomic
def _reshape(ids: list[UUID], actor: Actor) -> int:
    """What became complete by it, or lacks something now, is told in the end: gates look at it, and whoever has the table open."""
    rows = Record.objects.filter(pk__in=ids, deleted_at=None).defer("words")
    found = list(rows.select_for_update(of=("self",), no_key=True, skip_locked=True).order_by("pk"))
    wanted = Collection.objects.filter(pk__in={record.collection_id for record in found})
    collections = {row.pk: row for row in selectors.with_document(wanted)}
    paths: dict[UUID, migrating.Path] = {}
    completed: Counter[UUID] = Counter()
    opened: Counter[UUID] = Counter()
    for record in found:
        collection = collections[record.collection_id]
        known, data = selectors.schema_of(collection), record.data
        if record.schema_number < collection.schema_number:
            if collection.pk not in paths:
                paths[collection.pk] = migrating.Path(selectors.schemas_by_number(collection))
            data = paths[collection.pk].bring(data, record.schema_number).value
        is_complete = _shape(collection, known, record, data)
        if is_complete != record.is_complete:
            (completed if is_complete else opened)[collection.pk] += 1
    for pk in sorted({*completed, *opened}):
        fact = RecordsReshaped(pk, completed[pk], opened[pk])
        news.tell_of_collection(fact, actor=actor, collection=collections[pk])
    return len(found)


def _shape(collection: Collection, known: schema.Schema, record: Record, data: dict[str, object]) -> bool:
    """Whether it is complete. By ``data``, which is the record's as the schema of today would have it: a field has its new name in it."""
    title = shape.title_of(collection.title_template, known.fields, data)
    missing = shape.missing(collection.needed, data)
    Record.objects.filter(pk=record.pk).update(
        title=title,
        missing=missing,
        is_complete=not missing,
        text=shape.text_of(title, record.data),
        shape_number=collection.shape_number,
    )
    _take_keys(collection, record, data)
    duplicates.keep_blocks(record, known, is_new=False)
    return not missing


def _take_keys(collection: Collection, record: Record, data: dict[str, object]) -> None:
    """What another record has already is left to it, and the two are listed as one thing perhaps."""
    wanted = {
        "\x1f".join(names): digest
        for names in collection.unique_keys
        if (digest := shape.key_of(names, data)) is not None
    }
    there = {row.fields: bytes(row.digest) for row in RecordKey.objects.filter(record=record)}
    if there == wanted:
        return
    gone = [fields for fields, digest in there.items() if wanted.get(fields) != digest]
    RecordKey.objects.filter(record=record, fields__in=gone).delete()
    for fields, digest in wanted.items():
        if there.get(fields) == digest:
            continue
        key = RecordKey(organization_id=record.organization_id, collection=collection, record=record)
        key.fields, key.digest = fields, digest
        RecordKey.objects.bulk_create([key], ignore_conflicts=True)
        holder = RecordKey.objects.filter(collection=collection, fields=fields, digest=digest).first()
        if holder is not None and holder.record_id != record.pk:
            _list_pair(record, holder.record_id, fields.split("\x1f"))


def _list_pair(record: Record, other_id: UUID, names: Sequence[str]) -> None:
    """As what is surest: of a pair that waited already, too, so that it is found among many that wait."""
    said = dict.fromkeys(names, duplicates.SAME_KEY)
    duplicates.keep_pairs(record, [Candidate(other_id, "", "same", 1.0, said)])
    one, other = sorted((record.pk, other_id))
    waits = Duplicate.objects.filter(one=one, other=other, status=DuplicateStatus.PENDING, score__lt=1.0)
    waits.update(score=1.0, fields=said, updated_at=Now())


_ADD_UP = """
WITH few AS (
  SELECT id FROM extraction_recordtally WHERE collection_id IN (
    SELECT collection_id FROM extraction_recordtally GROUP BY collection_id HAVING count(*) > 1 LIMIT 100)
  LIMIT %(most)s FOR UPDATE SKIP LOCKED
), gone AS (
  DELETE FROM extraction_recordtally tally USING few WHERE tally.id = few.id
  RETURNING tally.organization_id, tally.collection_id, tally.number
), sums AS (
  INSERT INTO extraction_recordtally (id, organization_id, collection_id, number, updated_at)
  SELECT gen_random_uuid(), organization_id, collection_id, sum(number), clock_timestamp() FROM gone
  GROUP BY organization_id, collection_id
)
SELECT count(*) FROM gone
"""


def add_up_tallies(*, actor: Actor) -> int:
    """One row a collection again; how many there were. Whoever reads meanwhile finds the same sums."""
    require(policies.is_system(actor))
    done = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_ADD_UP, {"most": TALLIES_AT_ONCE})
            found = cursor.fetchone()[0]
        done += found
        if found < TALLIES_AT_ONCE:
            return done
