"""Reads of what records point to: a field that holds only ids of deleted records holds nothing."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Exists, F, Func, OuterRef, QuerySet, TextField, Value
from django.db.models.functions import Cast, StrIndex

from apps.accounts.types import SYSTEM, Actor
from apps.extraction import selectors
from apps.extraction.filters import Condition, as_q
from apps.extraction.models import Collection, Record, RecordLink


def lacking(rows: QuerySet[Record], *, collection: Collection, field: str) -> QuerySet[Record]:
    """Of records of a collection that came with its schema: those in which the field is empty, or points to nothing that is there.

    ``Invalid`` when the collection has no such field. Links are found by what the field says now, since a field may have got another name.
    """
    found = selectors.schema_of(collection)
    empty = as_q(found, [Condition(field, "empty")])
    if not any(each.name == field and each.relation for each in found.top):
        return rows.filter(empty)
    name = Cast(Value(field), TextField())
    said = Func(F("source__data"), name, template="(%(expressions)s)", arg_joiner=" ->> ", output_field=TextField())
    living = RecordLink.objects.filter(source=OuterRef("pk"), target__deleted_at=None)
    named = living.alias(place=StrIndex(said, Cast("target_id", TextField()))).filter(place__gt=0)
    return rows.filter(empty | ~Exists(named))


def list_read(viewer: Actor, project_id: UUID, slugs: Iterable[str], fields: Iterable[tuple[str, str]]) -> set[UUID]:
    """The collections of these short names, and those to whose records these fields point: (short name, field)."""
    found = selectors.with_document(selectors.visible_collections(viewer)).filter(
        project=project_id, slug__in=set(slugs)
    )
    rows = {row.slug: row for row in found}
    pointed = {
        field.relation.collection_slug
        for slug, name in fields
        if slug in rows
        for field in selectors.schema_of(rows[slug]).top
        if field.name == name and field.relation
    }
    behind = selectors.collections_by_slug(SYSTEM, project_id, pointed).values() if pointed else ()
    return {row.pk for row in (*rows.values(), *behind)}
