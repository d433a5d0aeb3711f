"""Which records may be the same thing: those that share a block are looked up, the likeliest of them scored.

Nothing here decides: what happens to what is found is for ``services`` and for people.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection as Ids
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q

from apps.core.db import prepared
from apps.core.ids import uuid7
from apps.extraction import meaning
from apps.extraction.models import Collection, Duplicate, Record, RecordBlock, RecordVector
from apps.extraction.schema import Schema
from apps.extraction.similarity import MOST_CANDIDATES, Comparer, Score, Verdict, decide
from apps.extraction.types import MAX_DUPLICATES, Candidate, DuplicateStatus

#: A block that more records share says too little to read them all; who shares a rarer one too is found by that.
MOST_OF_A_BLOCK = 400
#: What the fields of a unique key say for it where two records have the same values.
SAME_KEY = 20.0

_NEAR = """
SELECT record.id, record.title, record.data FROM (
  SELECT near.record_id FROM unnest(%(blocks)s::bigint[]) AS wanted(block)
  CROSS JOIN LATERAL (
    SELECT record_id FROM extraction_recordblock
    WHERE organization_id = %(organization)s::uuid AND collection_id = %(collection)s::uuid AND block = wanted.block
    ORDER BY record_id DESC LIMIT %(most)s
  ) AS near
  WHERE near.record_id <> ALL(%(without)s::uuid[])
  GROUP BY near.record_id ORDER BY count(*) DESC, near.record_id DESC LIMIT %(candidates)s
) AS likely JOIN extraction_record record ON record.id = likely.record_id
WHERE record.deleted_at IS NULL
"""

_KEEP = """
INSERT INTO extraction_recordblock (id, organization_id, collection_id, record_id, block, updated_at)
SELECT id, %(organization)s::uuid, %(collection)s::uuid, %(record)s::uuid, block, clock_timestamp()
FROM unnest(%(ids)s::uuid[], %(blocks)s::bigint[]) AS new(id, block)
"""


_ALONE = "hashtextextended('records:' || %(collection)s, 13)"
_TRY_ALONE = f"SELECT pg_try_advisory_xact_lock({_ALONE})"
# Held by the session and given back at once: a transaction's own would keep others from being alone until its end.
_WAIT = f"SELECT pg_advisory_lock_shared({_ALONE})"
_WAITED = f"SELECT pg_advisory_unlock_shared({_ALONE})"


@lru_cache(maxsize=64)
def comparer_of(schema: Schema) -> Comparer:
    return Comparer(schema)


def digests_of(schema: Schema, data: Mapping[str, Any]) -> set[int]:
    return {_digest(each) for each in comparer_of(schema).blocks(data)}


def _digest(block: str) -> int:
    return int.from_bytes(hashlib.blake2b(block.encode(), digest_size=8).digest(), "big", signed=True)


def find(
    collection: Collection,
    schema: Schema,
    data: Mapping[str, Any],
    *,
    record_id: UUID | None = None,
    most: int = MAX_DUPLICATES,
) -> list[Candidate]:
    """The likeliest first. With ``record_id``: of that record, without those that somebody said are another thing; what both mean says
    something too, where vectors are kept.
    """
    comparer = comparer_of(schema)
    known = comparer.prepared(data)
    blocks = [_digest(each) for each in comparer.blocks_of(known)]
    without = {record_id, *_kept_apart(record_id)} if record_id else set()
    likely = _near(collection, blocks, without)
    alike: dict[UUID, float] = {}
    if record_id and meaning.model_named_for(collection):
        alike = {pk: found for pk, found in meaning.near(record_id).items() if pk not in without}
        there_already = {pk for pk, _title, _there in likely}
        alike |= meaning.likenesses(record_id, there_already - alike.keys())
        more = Record.objects.filter(pk__in=alike.keys() - there_already, collection=collection, deleted_at=None)
        likely += list(more.values_list("pk", "title", "data"))
    found = []
    for pk, title, there in likely:
        score = comparer.score_of(known, comparer.prepared(there), meaning=alike.get(pk))
        if (verdict := decide(score)) is not Verdict.NEW:
            found.append(Candidate(pk, title, verdict.value, score.total, dict(score.by_field)))
    return sorted(found, key=lambda each: (-each.score, each.record_id))[:most]


def is_alone(collection: Collection) -> bool:
    """Whether nobody else is adding to it: asked before ``find``, in the transaction that writes. Nobody waits for anybody here.

    Who is alone is so until the end of the transaction, and saw what all others wrote, or they will see it. Who is not looks again after
    the commit, behind ``wait_for_others``: of two who are not alone the later one sees the other.
    """
    with prepared() as cursor:
        cursor.execute(_TRY_ALONE, {"collection": str(collection.pk)})
        return bool(cursor.fetchone()[0])


def wait_for_others(collection_id: UUID) -> None:
    """Until whoever is alone in the collection now has ended; the next statement sees what they wrote. To be called without row locks:
    they may be what that one waits for.
    """
    with connection.cursor() as cursor:
        cursor.execute(_WAIT, {"collection": str(collection_id)})
        cursor.execute(_WAITED, {"collection": str(collection_id)})


def likeness(schema: Schema, one: Record, other: Record) -> Score:
    """Of two records, as they are."""
    comparer = comparer_of(schema)
    near = meaning.likenesses(one.pk, [other.pk]).get(other.pk) if meaning.model_named_for(one) else None
    return comparer.score_of(comparer.prepared(one.data), comparer.prepared(other.data), meaning=near)


def _near(
    collection: Collection, blocks: list[int], without: Ids[UUID | None]
) -> list[tuple[UUID, str, dict[str, Any]]]:
    """Those that share most blocks, with title and data."""
    if not blocks:
        return []
    with prepared() as cursor:
        cursor.execute(
            _NEAR,
            {
                "blocks": blocks,
                "organization": collection.organization_id,
                "collection": collection.pk,
                "without": list(without),
                "most": MOST_OF_A_BLOCK,
                "candidates": MOST_CANDIDATES,
            },
        )
        return [
            (pk, title, json.loads(data) if isinstance(data, str) else data) for pk, title, data in cursor.fetchall()
        ]


def _kept_apart(record_id: UUID) -> set[UUID]:
    rows = Duplicate.objects.filter(Q(one=record_id) | Q(other=record_id), status=DuplicateStatus.APART)
    return {pk for pair in rows.values_list("one_id", "other_id") for pk in pair}


def keep_blocks(record: Record, schema: Schema, *, is_new: bool) -> None:
    """In the transaction that writes the record; only what changed is written. Where vectors are kept, another one is due."""
    wanted = digests_of(schema, record.data)
    if not is_new:
        rows = RecordBlock.objects.filter(record=record)
        there = set(rows.values_list("block", flat=True))
        if gone := there - wanted:
            rows.filter(block__in=gone).delete()
        wanted -= there
    if meaning.model_named_for(record):
        meaning.want_vector(record)
    if not wanted:
        return
    with prepared() as cursor:
        cursor.execute(
            _KEEP,
            {
                "ids": [uuid7() for _block in wanted],
                "blocks": sorted(wanted),
                "organization": record.organization_id,
                "collection": record.collection_id,
                "record": record.pk,
            },
        )


def forget_blocks(record: Record) -> None:
    RecordBlock.objects.filter(record=record).delete()
    RecordVector.objects.filter(record=record).delete()


def keep_pairs(record: Record, candidates: list[Candidate]) -> None:
    """For review. A pair that was decided before stays decided."""
    pairs = []
    for each in candidates:
        one, other = sorted((record.pk, each.record_id))
        pairs.append(
            Duplicate(
                organization_id=record.organization_id,
                collection_id=record.collection_id,
                project_id=record.project_id,
                one_id=one,
                other_id=other,
                score=each.score,
                fields={name: round(value, 2) for name, value in each.by_field.items()},
            )
        )
    Duplicate.objects.bulk_create(pairs, ignore_conflicts=True)
