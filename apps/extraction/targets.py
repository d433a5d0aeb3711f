"""Records that fields of others point to, or mean by their names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from apps.accounts.types import Actor
from apps.core.folding import folded
from apps.extraction import selectors
from apps.extraction.models import Collection, Record

_TARGETS = """
SELECT id FROM extraction_record WHERE collection_id = %(collection)s AND id = ANY(%(ids)s) AND deleted_at IS NULL ORDER BY id FOR KEY SHARE
"""

#: Of each name the records that are called so, else those whose titles have all of its words; two are enough to know that it is not one.
_NAMED = """
SELECT sought.number, found.id, found.title, found.is_whole
FROM unnest(%(collections)s::uuid[], %(said)s::text[], %(patterns)s::text[])
  WITH ORDINALITY AS sought(collection, said, pattern, number)
CROSS JOIN LATERAL (
  SELECT id, title, lower(core_folded(title)) = sought.said AS is_whole FROM extraction_record
  WHERE collection_id = sought.collection AND deleted_at IS NULL
    AND words @@ plainto_tsquery('simple', sought.said) AND lower(core_folded(title)) ~ sought.pattern
  ORDER BY lower(core_folded(title)) = sought.said DESC LIMIT 2
) AS found ORDER BY sought.number, found.is_whole DESC
"""
_LONGEST_NAME = 300


@dataclass(frozen=True, slots=True)
class Named:
    record_id: UUID
    title: str


def find_named(viewer: Actor, *, project_id: UUID, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Named]:
    """Of names, each with the short name of a collection: those that mean one record of it that the viewer sees.

    That is the only one with this title, accents and case apart, else the only one whose title has all words of the name: “Sarah” is
    Sarah Almeida as long as there is no other. Two queries, however many names.
    """
    wanted = [
        (slug, name) for slug, name in dict.fromkeys(names) if re.search(r"\w", name) and len(name) <= _LONGEST_NAME
    ]
    there = selectors.collections_by_slug(viewer, project_id, (slug for slug, _name in wanted)) if wanted else {}
    wanted = [(slug, name) for slug, name in wanted if slug in there]
    if not wanted:
        return {}
    said = [" ".join(folded(name).lower().split()) for _slug, name in wanted]
    patterns = ["".join(rf"(?=.*\m{word}\M)" for word in re.findall(r"\w+", each)) for each in said]
    with connection.cursor() as cursor:
        cursor.execute(
            _NAMED, {"collections": [there[slug].pk for slug, _name in wanted], "said": said, "patterns": patterns}
        )
        rows = cursor.fetchall()
    fitting: dict[int, list[tuple[Named, bool]]] = {}
    for number, pk, title, is_whole in rows:
        fitting.setdefault(number - 1, []).append((Named(pk, title), is_whole))
    found = {}
    for number, candidates in fitting.items():
        whole = [each for each, is_whole in candidates if is_whole]
        one = whole or [each for each, _is_whole in candidates]
        if len(one) == 1:
            found[wanted[number]] = one[0]
    return found


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
