"""Records that fields of others point to, or mean by their names."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db import connection

from apps.accounts.types import Actor
from apps.extraction import selectors
from apps.extraction.models import Collection, Record

_TARGETS = """
SELECT id FROM extraction_record WHERE collection_id = %(collection)s AND id = ANY(%(ids)s) AND deleted_at IS NULL ORDER BY id FOR KEY SHARE
"""


def lock_targets(collection: Collection, ids: Iterable[UUID]) -> set[UUID]:
    """Those of the ids that are records of the collection, and stay it until the end of the transaction: who deletes or joins one waits."""
    wanted = sorted(set(ids))
    if not wanted:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_TARGETS, {"collection": collection.pk, "ids": wanted})
        return {row[0] for row in cursor.fetchall()}


def find_joined(collection: Collection, ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """Of records that were joined into others, the one that is there at the end of the chain."""
    found: dict[UUID, UUID] = {}
    rows, newest = Record.objects.filter(collection=collection, merged_into__isnull=False), {pk: pk for pk in ids}
    while newest:
        into = dict(rows.filter(pk__in=set(newest.values())).values_list("pk", "merged_into"))
        newest = {pk: into[at] for pk, at in newest.items() if at in into and into[at] != pk}
        found |= newest
    return found


def find_by_title(viewer: Actor, *, project_id: UUID, slug: str, title: str) -> UUID | None:
    """The one record of the collection that has this title, whatever its case; None when there are several, or none."""
    if (collection := selectors.find_collection(viewer, project_id=project_id, slug=slug)) is None:
        return None
    rows = Record.objects.filter(collection=collection, deleted_at=None, title__iexact=title)
    found = list(rows.values_list("pk", flat=True)[:2])
    return found[0] if len(found) == 1 else None
