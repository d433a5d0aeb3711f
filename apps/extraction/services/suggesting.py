"""What was read becomes suggestions; after somebody went on with a reading, only what is new becomes another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db.models.functions import Now

from apps.core.ids import uuid7
from apps.extraction import duplicates, moments, selectors
from apps.extraction.models import Collection, ExtractionRun, Proposal
from apps.extraction.pointers import top
from apps.extraction.reading_types import Found, Suggested
from apps.extraction.types import ProposalStatus


def suggest(run: ExtractionRun, found: Found, there: Mapping[UUID, Collection]) -> list[Proposal]:
    """The new ones. Of what was suggested before, what waits gets what later pieces say too; what became a record is suggested again, with
    all that is known by now, for a person or the look for duplicates to join; what was rejected stays so.

    The caller holds the run.
    """
    rows = list(Proposal.objects.filter(run=run).order_by("number"))
    named = {row.entity_id: row for row in rows if row.entity_id}
    earlier = {each.entity_id: each for each in found.earlier}
    made: list[Proposal] = []
    for each in found.suggested:
        if each.collection_id is None:
            continue
        row, before = named.get(each.entity_id), earlier.get(each.entity_id)
        said = _left_to_suggest(each, before, row, rows)
        if said is None:
            continue
        number = max((one.number for one in (*rows, *made)), default=0) + 1
        made.append(propose(run, there[each.collection_id], number, replace(said, entity_id=_free(said, named))))
    Proposal.objects.bulk_create(made)
    return made


def _left_to_suggest(
    each: Suggested, before: Suggested | None, row: Proposal | None, rows: Sequence[Proposal]
) -> Suggested | None:
    if before is None:
        # Words that changed are read anew, and say what they said before as well.
        return None if any(one.collection_id == each.collection_id and one.data == each.data for one in rows) else each
    if row is None or row.status == ProposalStatus.REJECTED:
        return None
    links = [*row.links, *(link for link in each.links if link not in before.links and link not in row.links)]
    if len(links) > len(row.links):
        Proposal.objects.filter(pk=row.pk).update(links=links, updated_at=Now())
    more = {name: value for name, value in each.data.items() if before.data.get(name) != value}
    if row.status == ProposalStatus.ACCEPTED:
        return replace(each, links=()) if more else None
    if more:
        _add(row, before, each, more)
    return None


def _add(row: Proposal, before: Suggested, each: Suggested, more: Mapping[str, Any]) -> None:
    """What somebody answered or changed meanwhile stays as they said it."""
    new = {name: value for name, value in more.items() if row.data.get(name) == before.data.get(name)}
    if not new:
        return
    data = row.data | new
    kept = [source for source in row.sources if top(source["field"]) not in new]
    sources = kept + [source.as_json() for source in each.sources if top(source.pointer) in new]
    collection = selectors.with_document(Collection.objects.filter(pk=row.collection_id)).get()
    Proposal.objects.filter(pk=row.pk).update(
        data=data,
        sources=sources,
        confidence=each.confidence,
        version=row.version + 1,
        updated_at=Now(),
        **_checked(collection, data),
    )


def _free(said: Suggested, named: Mapping[str, Proposal]) -> str:
    found, number = said.entity_id, 1
    while found in named:
        number += 1
        found = f"{said.entity_id}~{number}+"
    return found


def propose(run: ExtractionRun, collection: Collection, number: int, suggested: Suggested) -> Proposal:
    """Not written yet."""
    return Proposal(
        id=uuid7(),
        organization_id=run.organization_id,
        run=run,
        project_id=run.project_id,
        collection=collection,
        number=number,
        schema_number=collection.schema_number,
        entity_id=suggested.entity_id[:200],
        data=suggested.data,
        sources=[source.as_json() for source in suggested.sources],
        links=list(suggested.links),
        confidence=suggested.confidence,
        **_checked(collection, suggested.data),
    )


def _checked(collection: Collection, data: Mapping[str, Any]) -> dict[str, Any]:
    known = selectors.schema_of(collection)
    wrong, near = known.validate(data), duplicates.find(collection, known, moments.settled(known, dict(data)))
    return {
        "problems": [{"field": each.field, "code": each.code, "detail": each.detail} for each in wrong],
        "duplicates": [each.as_json() for each in near],
    }
