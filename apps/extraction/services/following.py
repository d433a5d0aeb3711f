"""What was kept under an older schema of its collection, as the one of today has it: suggestions that wait, and joinings that are undone.

Fields are followed under their new names, values are converted. What has no place any more is told: of a suggestion it is among what
could not be placed; a joining whose undoing would lose it stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from apps.accounts.policies import require
from apps.accounts.types import Actor
from apps.core.errors import FieldError
from apps.extraction import migrating, policies, schema_changes, selectors, shape
from apps.extraction.models import (
    Collection,
    CollectionSchema,
    ExtractionRun,
    FieldSource,
    FollowUp,
    Proposal,
    Record,
    RecordMerge,
)
from apps.extraction.pointers import pointer, steps, top
from apps.extraction.types import FieldsGone, ProposalStatus

AT_ONCE = 200


def path_of(collection: Collection) -> migrating.Path:
    """Of a collection that the caller may see."""
    return migrating.Path(selectors.schemas_by_number(collection))


def number_at(collection: Collection, moment: datetime) -> int:
    """The schema that was in force then: for rows that are older than their number."""
    rows = CollectionSchema.objects.filter(collection=collection, created_at__lte=moment).order_by("-number")
    return rows.values_list("number", flat=True).first() or 1


# Suggestions


@transaction.atomic
def bring_proposals(*, actor: Actor, limit: int = AT_ONCE) -> int:
    """Suggestions that wait in collections which have another schema since; how many. Of runs that somebody decides about right now: later."""
    require(policies.is_system(actor))
    behind = Proposal.objects.filter(
        status=ProposalStatus.PENDING,
        collection__deleted_at=None,
        schema_number__lt=F("collection__schema_number"),
    )
    wanted = list(behind.order_by("run", "number").values_list("pk", "run")[:limit])
    followed = FollowUp.objects.filter(proposal__in=[pk for pk, _run in wanted])
    list(followed.select_for_update(of=("self",)).order_by("created_at", "pk"))
    runs = ExtractionRun.objects.filter(pk__in={run for _pk, run in wanted})
    held = list(runs.select_for_update(skip_locked=True).order_by("pk").values_list("pk", flat=True))
    rows = behind.filter(pk__in=[pk for pk, _run in wanted], run__in=held).select_for_update(of=("self",))
    found = list(rows.order_by("run", "number"))
    needed = selectors.with_document(Collection.objects.filter(pk__in={row.collection_id for row in found}))
    collections = {row.pk: row for row in needed}
    paths = {pk: path_of(row) for pk, row in collections.items()}
    for proposal in found:
        _bring(proposal, collections[proposal.collection_id], paths[proposal.collection_id])
    return len(found)


def follow_schema(proposal: Proposal, collection: Collection) -> None:
    """Of a suggestion that the caller locked, with its run: it speaks of the fields that there are today."""
    if proposal.schema_number < collection.schema_number:
        _bring(proposal, collection, path_of(collection))


def _bring(proposal: Proposal, collection: Collection, path: migrating.Path) -> None:
    number = proposal.schema_number or number_at(collection, proposal.created_at)
    found = path.bring(proposal.data, number)
    known = selectors.schema_of(collection)
    proposal.data = found.value
    proposal.sources = [
        {**each, "field": place}
        for each in proposal.sources
        if top(place := _place(path, each["field"], number)) in found.value
    ]
    proposal.links = [{**each, "field": _place(path, each["field"], number)} for each in proposal.links]
    wrong = known.validate(found.value)
    proposal.problems = [{"field": each.field, "code": each.code, "detail": each.detail} for each in wrong]
    proposal.schema_number = collection.schema_number
    Proposal.objects.filter(pk=proposal.pk).update(
        data=proposal.data,
        sources=proposal.sources,
        links=proposal.links,
        problems=proposal.problems,
        schema_number=proposal.schema_number,
        updated_at=Now(),
    )
    lost = [
        {"value": each.lost, "reason": "field_gone", "field": each.pointer, "entity": proposal.entity_id}
        for each in found.problems
        if each.code == "lost"
    ]
    if lost:
        run = ExtractionRun.objects.get(pk=proposal.run_id)
        ExtractionRun.objects.filter(pk=run.pk).update(unplaced=[*run.unplaced, *lost], updated_at=Now())
    for follow_up in FollowUp.objects.filter(proposal=proposal):
        questions = [{**each, "field": path.renamed(each["field"], number)} for each in follow_up.questions]
        if questions != follow_up.questions:
            FollowUp.objects.filter(pk=follow_up.pk).update(questions=questions, updated_at=Now())


def _place(path: migrating.Path, place: str, number: int) -> str:
    name, *rest = steps(place) or [""]
    return pointer([path.renamed(name, number), *rest])


# Records and joinings


def brought(record: Record, path: migrating.Path) -> dict[str, Any]:
    """As the schema of today has it. ``FieldsGone`` for one that cannot follow; nothing is written."""
    if record.schema_number >= path.last:
        return dict(record.data)
    found = path.bring(record.data, record.schema_number)
    if found.problems:
        raise _gone(found.problems)
    return found.value


def _gone(problems: Sequence[schema_changes.Problem]) -> FieldsGone:
    names = ", ".join(dict.fromkeys(f"“{top(each.pointer)}”" for each in problems[:10]))
    return FieldsGone(
        f"{FieldsGone.default_detail} {names}",
        fields=[FieldError(f"data{each.pointer.replace('/', '.')}", each.code, each.detail) for each in problems[:50]],
    )


def separated(merge: RecordMerge, now: Mapping[str, Any], path: migrating.Path, number: int) -> dict[str, Any]:
    """What the winner says ``now``, without what the joining gave it: under the names and types of today.

    ``FieldsGone`` where a value that the winner had before has no place in the schema of today.
    """
    before = path.bring(shape.merged({}, merge.before), number)
    after = path.bring(shape.merged({}, merge.after), number)
    gone = [each for each in before.problems if each.code == "lost"]
    data, names = dict(now), {name: path.renamed(name, number) for name in {*merge.before, *merge.after}}
    for new in sorted(names.values()):
        had, has = before.value.get(new), after.value.get(new)
        back = shape.taken_back(data.get(new), had, has)
        if data.get(new) == has and any(top(each.pointer) == new for each in gone):
            raise _gone(gone)
        data[new] = back
    return shape.merged({}, data)


def follow_sources(record: Record, before: Mapping[str, Any], names: Mapping[str, str]) -> None:
    """The words behind a field still stand for it under its new name, and for its value as another type."""
    for row in list(FieldSource.objects.filter(record=record)):
        old, *rest = steps(row.field)
        new = names.get(old, old)
        if old not in before or new not in record.data or bytes(row.value_digest) != shape.value_digest(before[old]):
            continue
        place = pointer([new, *rest])
        if place != row.field:
            FieldSource.objects.filter(record=record, field=place).delete()
        FieldSource.objects.filter(pk=row.pk).update(field=place, value_digest=shape.value_digest(record.data[new]))
