"""What records mean, as vectors: who is near whom. Nothing here asks a model; without a setting there is no row, and nothing is near."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db import connection

from apps.core import preferences
from apps.extraction.models import Collection, Record, RecordVector

EMBEDDING_MODEL = "extraction.embedding_model"
#: So many of a collection are worth scoring only because they mean something like it.
MOST_NEAR = 20
_LEAST_LIKENESS = 0.8

# Exact, within one collection: what an index over all of them finds first is mostly of other collections.
_NEAR = """
SELECT near.record_id, near.likeness FROM extraction_recordvector mine
CROSS JOIN LATERAL (
  SELECT record_id, 1 - (vector <=> mine.vector) AS likeness FROM extraction_recordvector
  WHERE collection_id = mine.collection_id AND model_id = mine.model_id AND record_id <> mine.record_id
    AND vector IS NOT NULL AND NOT is_due AND vector_dims(vector) = vector_dims(mine.vector)
  ORDER BY vector <=> mine.vector LIMIT %(most)s
) AS near
WHERE mine.record_id = %(record)s AND mine.vector IS NOT NULL AND NOT mine.is_due AND near.likeness >= %(least)s
"""
_LIKENESSES = """
SELECT other.record_id, 1 - (other.vector <=> mine.vector) FROM extraction_recordvector mine
JOIN extraction_recordvector other ON other.collection_id = mine.collection_id AND other.model_id = mine.model_id
  AND other.record_id = ANY(%(others)s::uuid[]) AND other.vector IS NOT NULL AND NOT other.is_due
  AND vector_dims(other.vector) = vector_dims(mine.vector)
WHERE mine.record_id = %(record)s AND mine.vector IS NOT NULL AND NOT mine.is_due
"""


def model_named_for(row: Collection | Record) -> str:
    """``provider/name``, or empty: what records mean is not asked."""
    said = preferences.get(EMBEDDING_MODEL, organization=row.organization_id, project=row.project_id)
    return str(said).strip()


def want_vector(record: Record) -> None:
    """In the transaction that writes the record. The job finds out of which model."""
    rows = RecordVector.objects.filter(organization_id=record.organization_id, record=record)
    if not rows.update(is_due=True, attempts=0):
        RecordVector.objects.bulk_create(
            [
                RecordVector(
                    organization_id=record.organization_id,
                    collection_id=record.collection_id,
                    record=record,
                    model_id=UUID(int=0),
                )
            ],
            ignore_conflicts=True,
        )


def near(record_id: UUID) -> dict[UUID, float]:
    """Of its collection, those that mean something like it, with how much (cosine)."""
    with connection.cursor() as cursor:
        cursor.execute(_NEAR, {"record": record_id, "most": MOST_NEAR, "least": _LEAST_LIKENESS})
        return dict(cursor.fetchall())


def likenesses(record_id: UUID, others: Iterable[UUID]) -> dict[UUID, float]:
    """As far as both have a vector of one model."""
    if not (wanted := list(others)):
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_LIKENESSES, {"record": record_id, "others": wanted})
        return dict(cursor.fetchall())
