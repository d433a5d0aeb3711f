"""Reads of what records and suggestions point to: a field that holds only ids of deleted records holds nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, Func, OuterRef, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast, StrIndex

from apps.accounts.types import SYSTEM, Actor
from apps.extraction import reach, selectors
from apps.extraction.filters import Condition, as_q
from apps.extraction.models import Collection, Proposal, Record, RecordLink
from apps.extraction.schema import Schema

#: Suggestions that others point to, of which one look at cards knows the titles.
MOST_MEANT = 1_000


def list_meant(viewer: Actor, rows: Iterable[Proposal]) -> list[Proposal]:
    """The suggestions that these point to and that are not among them, of collections that the viewer sees. No query where there are none."""
    rows = list(rows)
    there = {(row.run_id, row.entity_id) for row in rows}
    meant: dict[UUID, set[str]] = {}
    for row in rows:
        for link in row.links:
            if link["to"] and (row.run_id, link["to"]) not in there:
                meant.setdefault(row.run_id, set()).add(link["to"])
    if not meant:
        return []
    which = Q()
    for run_id, ids in meant.items():
        which |= Q(run=run_id, entity_id__in=ids)
    found = Proposal.objects.filter(reach.within(viewer), which)
    return list(found.only("run", "collection", "entity_id", "data", "status")[:MOST_MEANT])


def names_in(rows: Iterable[Proposal]) -> set[tuple[str, str]]:
    """What these call others that are nobody's suggestion: short name of the collection, and the name."""
    return {(link["collection"], link["mention"]) for row in rows for link in row.links if not link["to"]}


def lacking(rows: QuerySet[Record], *, collection: Collection, field: str) -> QuerySet[Record]:
    """Of records of a collection that came with its schema: those in which the field is empty, or points to nothing that is there.

    ``Invalid`` when the collection has no such field. Links are found by what the field says now, since a field may have got another name.
    """
    return rows.filter(_lacks(selectors.schema_of(collection), field))


def by_completeness(rows: QuerySet[Record], *, collection: Collection, is_complete: bool) -> QuerySet[Record]:
    """Of records of a collection that came with its schema: those that are complete, or those that are not. A record whose needed field
    points to nothing that is there any more is not, though it was when it was written. Of such fields not what ``missing`` says counts, which
    follows a moment later, but what is there; and so it is of all needed fields in records that were not gone over since the collection
    needs other ones.
    """
    names = _needed_relations(collection)
    kept, found = ~Q(missing__contained_by=names) if names else Q(is_complete=False), selectors.schema_of(collection)
    lacks = (Q(shape_number__gte=collection.shape_number) & kept) | _hollow(collection)
    for name in collection.needed:
        lacks |= Q(shape_number__lt=collection.shape_number) & _lacks(found, name)
    return rows.filter(~lacks if is_complete else lacks)


def hollow(rows: QuerySet[Record], *, collection: Collection) -> QuerySet[Record]:
    """Those that would be complete, had nobody deleted what their needed fields point to. ``missing`` may say so already, or not yet."""
    names, found = _needed_relations(collection), selectors.schema_of(collection)
    filled = as_q(found, [Condition(name, "filled") for name in names])
    return rows.filter(filled, _hollow(collection), missing__contained_by=names)


def hollow_fields(collection: Collection, data: Mapping[str, Any], gone: set[UUID]) -> set[str]:
    """The needed fields of a record that name only records that are ``gone``. ``data`` as the schema of today has them."""
    if not gone:
        return set()
    said = {name: data.get(name) for name in _needed_relations(collection)}
    ids = {str(pk) for pk in gone}
    return {
        name
        for name, value in said.items()
        if value and ids.issuperset(map(str, value if isinstance(value, list) else [value]))
    }


def gone_targets(record_ids: Iterable[UUID]) -> dict[UUID, set[UUID]]:
    """By the records that point to them: those that are deleted."""
    rows = RecordLink.objects.filter(source__in=list(record_ids), target__deleted_at__isnull=False)
    found: dict[UUID, set[UUID]] = {}
    for source, target in rows.values_list("source_id", "target_id"):
        found.setdefault(source, set()).add(target)
    return found


def find_pointed_to(record_ids: Iterable[UUID]) -> set[UUID]:
    """Of these records: those that another one, which is there, points to."""
    rows = RecordLink.objects.filter(target__in=list(record_ids), source__deleted_at=None)
    return set(rows.values_list("target_id", flat=True))


def list_pointing(record_id: UUID, *, after: UUID | None, most: int) -> list[UUID]:
    """The next of the records that point to this one, in the order of their ids, each once."""
    links = RecordLink.objects.filter(target=record_id)
    if after:
        links = links.filter(source__gt=after)
    return list(links.order_by("source_id").values_list("source_id", flat=True).distinct()[:most])


def list_needing(record_ids: Iterable[UUID]) -> list[UUID]:
    """Of these records: those that are there, in a collection that needs something."""
    rows = Record.objects.filter(pk__in=list(record_ids), deleted_at=None, collection__deleted_at=None)
    return list(rows.exclude(collection__needed=[]).values_list("pk", flat=True))


def _hollow(collection: Collection) -> Q:
    found, lacks = selectors.schema_of(collection), Q(pk__in=[])
    for name in _needed_relations(collection):
        lacks |= _lacks(found, name)
    return lacks


def _needed_relations(collection: Collection) -> list[str]:
    return [
        field.name
        for field in selectors.schema_of(collection).top
        if field.relation and field.name in collection.needed
    ]


def _lacks(schema: Schema, field: str) -> Q:
    empty = as_q(schema, [Condition(field, "empty")])
    if not any(each.name == field and each.relation for each in schema.top):
        return empty
    name = Cast(Value(field), TextField())
    said = Func(F("source__data"), name, template="(%(expressions)s)", arg_joiner=" ->> ", output_field=TextField())
    living = RecordLink.objects.filter(source=OuterRef("pk"), target__deleted_at=None)
    named = living.alias(place=StrIndex(said, Cast("target_id", TextField()))).filter(place__gt=0)
    return empty | Q(~Exists(named))


def list_read(
    viewer: Actor,
    project_id: UUID,
    slugs: Iterable[str],
    fields: Iterable[tuple[str, str]],
    complete: Iterable[str] = (),
) -> set[UUID]:
    """The collections of these short names, and those to whose records these fields point: (short name, field). ``complete``: those whose
    needed fields are looked at, all of them.
    """
    found = selectors.with_document(selectors.visible_collections(viewer)).filter(
        project=project_id, slug__in=set(slugs)
    )
    rows = {row.slug: row for row in found}
    wanted = {(slug, name) for slug, name in fields if slug in rows}
    wanted |= {(slug, name) for slug in complete if slug in rows for name in _needed_relations(rows[slug])}
    pointed = {
        field.relation.collection_slug
        for slug, name in wanted
        for field in selectors.schema_of(rows[slug]).top
        if field.name == name and field.relation
    }
    behind = selectors.collections_by_slug(SYSTEM, project_id, pointed).values() if pointed else ()
    return {row.pk for row in (*rows.values(), *behind)}
