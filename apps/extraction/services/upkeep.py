"""What keeps itself in order without anybody asking."""

from __future__ import annotations

import time

from django.db import connection, transaction

from apps.accounts.policies import require
from apps.accounts.types import Actor
from apps.extraction import duplicates, policies, schema
from apps.extraction.models import CollectionSchema, Record

BLOCKS_AT_ONCE = 200
BLOCKS_SECONDS = 5.0

_WITHOUT_BLOCKS = """
SELECT behind.id FROM extraction_collection collection
CROSS JOIN LATERAL (
  SELECT id FROM extraction_record WHERE collection_id = collection.id AND blocks_number < collection.schema_number
    AND deleted_at IS NULL LIMIT %(most)s
) AS behind
WHERE collection.deleted_at IS NULL LIMIT %(most)s
"""


def make_blocks(*, actor: Actor, seconds: float = BLOCKS_SECONDS) -> int:
    """Blocks of records whose collection has another schema since, or that are older than blocks; how many. What is left comes next time."""
    require(policies.is_system(actor))
    until, done = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute(_WITHOUT_BLOCKS, {"most": BLOCKS_AT_ONCE})
            behind = [row[0] for row in cursor.fetchall()]
        if not behind:
            break
        done += _make(behind)
    return done


@transaction.atomic
def _make(ids: list[object]) -> int:
    rows = Record.objects.filter(pk__in=ids, deleted_at=None).select_related("collection").defer("text", "words")
    found = list(rows.select_for_update(of=("self",), skip_locked=True).order_by("pk"))
    documents: dict[tuple[object, int], schema.Schema] = {}
    for record in found:
        collection = record.collection
        key = (collection.pk, collection.schema_number)
        if key not in documents:
            row = CollectionSchema.objects.get(collection=collection, number=collection.schema_number)
            documents[key] = schema.check(row.document)
        duplicates.keep_blocks(record, documents[key], is_new=False)
        Record.objects.filter(pk=record.pk).update(blocks_number=collection.schema_number)
    return len(found)
