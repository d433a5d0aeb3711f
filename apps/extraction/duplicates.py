"""Which records may be the same thing: those that share a block are looked up, the likeliest of them scored.

Nothing here decides: what happens to what is found is for ``services`` and for people.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection as Ids
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q

from apps.extraction.models import Collection, Duplicate, Record, RecordBlock
from apps.extraction.schema import Schema
from apps.extraction.similarity import MOST_CANDIDATES, Comparer, Score, Verdict, decide
from apps.extraction.types import MAX_DUPLICATES, Candidate, DuplicateStatus

#: A block that more records share says too little to read them all; who shares a rarer one too is found by that.
MOST_OF_A_BLOCK = 400
#: What the fields of a unique key say for it where two records have the same values.
SAME_KEY = 20.0

_NEAR = """
SELECT near.record_id FROM unnest(%(blocks)s::bigint[]) AS wanted(block)
CROSS JOIN LATERAL (
  SELECT record_id FROM extraction_recordblock
  WHERE organization_id = %(organization)s AND collection_id = %(collection)s AND block = wanted.block
  ORDER BY record_id DESC LIMIT %(most)s
) AS near
WHERE near.record_id <> ALL(%(without)s::uuid[])
GROUP BY near.record_id ORDER BY count(*) DESC, near.record_id DESC LIMIT %(candidates)s
"""


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
    """The likeliest first. With ``record_id``: of that record, without those that somebody said are another thing."""
    comparer = comparer_of(schema)
    known = comparer.prepared(data)
    blocks = [_digest(each) for each in comparer.blocks_of(known)]
    if not blocks:
        return []
    without = {record_id, *_kept_apart(record_id)} if record_id else set()
    rows = Record.objects.filter(pk__in=_near(collection, blocks, without), deleted_at=None).only("title", "data")
    found = []
    for row in rows:
        score = comparer.score_of(known, comparer.prepared(row.data))
        if (verdict := decide(score)) is not Verdict.NEW:
            found.append(Candidate(row.pk, row.title, verdict.value, score.total, dict(score.by_field)))
    return sorted(found, key=lambda each: (-each.score, each.record_id))[:most]


def likeness(schema: Schema, one: Mapping[str, Any], other: Mapping[str, Any]) -> Score:
    """Of two records, as they are."""
    comparer = comparer_of(schema)
    return comparer.score_of(comparer.prepared(one), comparer.prepared(other))


def _near(collection: Collection, blocks: list[int], without: Ids[UUID | None]) -> list[UUID]:
    with connection.cursor() as cursor:
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
        return [row[0] for row in cursor.fetchall()]


def _kept_apart(record_id: UUID) -> set[UUID]:
    rows = Duplicate.objects.filter(Q(one=record_id) | Q(other=record_id), status=DuplicateStatus.APART)
    return {pk for pair in rows.values_list("one_id", "other_id") for pk in pair}


def keep_blocks(record: Record, schema: Schema, *, is_new: bool) -> None:
    """In the transaction that writes the record; only what changed is written."""
    wanted = digests_of(schema, record.data)
    if not is_new:
        rows = RecordBlock.objects.filter(record=record)
        there = set(rows.values_list("block", flat=True))
        if gone := there - wanted:
            rows.filter(block__in=gone).delete()
        wanted -= there
    RecordBlock.objects.bulk_create(
        RecordBlock(
            organization_id=record.organization_id, collection_id=record.collection_id, record=record, block=block
        )
        for block in sorted(wanted)
    )


def forget_blocks(record: Record) -> None:
    RecordBlock.objects.filter(record=record).delete()


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
