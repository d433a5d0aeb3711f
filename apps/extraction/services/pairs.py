"""Pairs for review that nobody could list when the records were written."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from apps.accounts.policies import require
from apps.accounts.types import Actor
from apps.extraction import duplicates, policies, selectors
from apps.extraction.models import Collection, Record
from apps.extraction.similarity import MEANING
from apps.extraction.types import Candidate


@transaction.atomic
def list_alike(*, actor: Actor, record_id: UUID) -> int:
    """Of which what both mean says that they may be one thing; how many."""
    require(policies.is_system(actor))
    if (record := _there(record_id)) is None:
        return 0
    return _keep(record, [each for each in _found(record) if each.by_field.get(MEANING, 0.0) > 0])


@transaction.atomic
def list_beside(*, actor: Actor, record_id: UUID) -> int:
    """Of a record that was written while others were adding to its collection, with what they wrote; how many. Repeating it changes nothing.

    It waits for whoever is alone there before it locks a row, so its transaction may hold none from before: that one may join records.
    """
    require(policies.is_system(actor))
    if (record := _there(record_id)) is None:
        return 0
    duplicates.wait_for_others(record.collection_id)
    return _keep(record, _found(record))


def _there(record_id: UUID) -> Record | None:
    return Record.objects.filter(pk=record_id, deleted_at=None, collection__deleted_at=None).first()


def _found(record: Record) -> list[Candidate]:
    collection = selectors.with_document(Collection.objects.filter(pk=record.collection_id)).get()
    return duplicates.find(collection, selectors.schema_of(collection), record.data, record_id=record.pk)


def _keep(record: Record, found: list[Candidate]) -> int:
    """Who is deleted meanwhile holds its row: no pair is made with somebody who goes."""
    ids = [record.pk, *(each.record_id for each in found)]
    there = Record.objects.filter(pk__in=ids, deleted_at=None).select_for_update(of=("self",), no_key=True)
    held = set(there.order_by("pk").values_list("pk", flat=True))
    pairs = [each for each in found if each.record_id in held] if record.pk in held else []
    duplicates.keep_pairs(record, pairs)
    return len(pairs)
