"""Records and values that a model made up for an item of an operation. They say so: each field's source is *generated*."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.accounts.types import Actor
from apps.extraction import made_selectors, shape
from apps.extraction.made_types import MadeBefore
from apps.extraction.models import FieldSource, Record
from apps.extraction.pointers import pointer
from apps.extraction.reading_types import Answer
from apps.extraction.services import records
from apps.extraction.types import GENERATED


@transaction.atomic
def make_record(
    *, actor: Actor, collection_id: UUID, data: Mapping[str, Any], operation_id: UUID, answer: Answer
) -> Record:
    """A record of what a model answered. ``MadeBefore`` when another item of the operation made one with this title.

    Writing a record takes the lock of the collection's log until the commit, so who looks afterwards sees all that came before.
    """
    record = records.take_record(actor=actor, collection_id=collection_id, data=data).record
    made = made_selectors.list_made_titles(operation_id, organization_id=record.organization_id, without=record.pk)
    if shape.repeats(record.title, made):
        raise MadeBefore(title=record.title)
    _keep_generated(record, record.data, operation_id, answer)
    return record


@transaction.atomic
def write_answer(*, actor: Actor, record_id: UUID, name: str, value: Any, operation_id: UUID, answer: Answer) -> Record:
    """A model's answer as the value of one field, checked by the schema as everybody's."""
    record = records.change_record(actor=actor, record_id=record_id, changes={name: value})
    _keep_generated(record, [name], operation_id, answer)
    return record


def _keep_generated(record: Record, names: Iterable[str], operation_id: UUID, answer: Answer) -> None:
    kept = [name for name in names if name in record.data]
    FieldSource.objects.filter(record=record, field__in=[pointer([name]) for name in kept]).delete()
    FieldSource.objects.bulk_create(
        FieldSource(
            organization_id=record.organization_id,
            record=record,
            field=pointer([name]),
            value_digest=shape.value_digest(record.data[name]),
            method=GENERATED,
            operation_id=operation_id,
            answered_by=answer.model[:200],
            is_demo=answer.is_demo,
        )
        for name in kept
    )
