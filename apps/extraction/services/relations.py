"""What a suggestion says of others becomes links between records, as soon as both are there."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from apps.accounts.types import Actor
from apps.core.errors import DomainError
from apps.extraction import link_selectors, reach, schema, selectors, targets
from apps.extraction.models import ExtractionRun, Proposal, Record
from apps.extraction.services import records
from apps.extraction.types import ProposalStatus


def linked_fields(actor: Actor, found: schema.Schema, proposal: Proposal, data: Mapping[str, Any]) -> dict[str, Any]:
    """Fields that point to records, as far as the actor sees those: of this run, or by a name that means one of them. A name that means
    none, or several, is kept among what found no place, also where its field has a value by now. The caller holds the run.
    """
    wanted: dict[str, list[str]] = {}
    named = targets.find_named(actor, project_id=proposal.project_id, names=link_selectors.names_in([proposal]))
    lost: list[dict[str, Any]] = []
    for link in proposal.links:
        field = found.by_pointer.get(link["field"])
        if field is None or not field.is_top or field.relation is None:
            continue
        one = None if link["to"] else named.get((link["collection"], link["mention"]))
        if not link["to"] and one is None:
            lost.append(
                {
                    "value": link["mention"],
                    "reason": "no_record",
                    "field": link["field"],
                    "entity": proposal.entity_id,
                }
            )
        if field.name in data:
            continue
        target = _target_of(actor, proposal, link["to"]) if link["to"] else one and one.record_id
        if target:
            wanted.setdefault(field.name, []).append(str(target))
    _keep_unplaced(proposal, lost)
    return {name: ids if (field := found.named(name)) and field.is_list else ids[0] for name, ids in wanted.items()}


def _target_of(actor: Actor, proposal: Proposal, entity_id: str) -> UUID | None:
    other = Proposal.objects.filter(run=proposal.run_id, entity_id=entity_id, status=ProposalStatus.ACCEPTED)
    # Nothing can point to a record that somebody deleted meanwhile.
    there = other.filter(reach.within(actor), record__deleted_at=None)
    return there.values_list("record_id", flat=True).first()


def _keep_unplaced(proposal: Proposal, lost: list[dict[str, Any]]) -> None:
    if not lost:
        return
    run = ExtractionRun.objects.only("unplaced").get(pk=proposal.run_id)
    new = [each for each in lost if each not in run.unplaced]
    ExtractionRun.objects.filter(pk=run.pk).update(unplaced=[*run.unplaced, *new], updated_at=Now())


def link_back(*, actor: Actor, proposal: Proposal, record: Record) -> None:
    """Records that were accepted before and meant this one, of collections that the actor sees. One that is deleted by now, or fits its
    schema no longer, stays as it is: this one is accepted all the same.
    """
    earlier = Proposal.objects.filter(run=proposal.run_id, status=ProposalStatus.ACCEPTED).exclude(pk=proposal.pk)
    for other in earlier.filter(reach.within(actor)).select_related("record"):
        meant = [link["field"] for link in other.links if link["to"] == proposal.entity_id]
        if not meant or other.record is None or other.record.deleted_at is not None:
            continue
        collection = selectors.get_collection(collection_id=other.collection_id, viewer=actor)
        found = selectors.schema_of(collection)
        changes: dict[str, Any] = {}
        for pointer in meant:
            field = found.by_pointer.get(pointer)
            if field is None or not field.is_top or field.relation is None:
                continue
            there = other.record.data.get(field.name)
            if field.is_list:
                changes[field.name] = list(dict.fromkeys([*(there or []), str(record.pk)]))
            elif not there:
                changes[field.name] = str(record.pk)
        if changes:
            with contextlib.suppress(DomainError), transaction.atomic():
                records.change_record(actor=actor, record_id=other.record.pk, changes=changes)
