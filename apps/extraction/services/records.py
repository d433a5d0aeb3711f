"""Writes of records: each leaves a revision, so that nothing that was once known is lost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from apps.accounts import selectors as accounts
from apps.accounts.policies import require
from apps.accounts.types import Actor
from apps.core.errors import FieldError, TooLarge, VersionMismatch
from apps.core.events import emit
from apps.core.ids import uuid7
from apps.extraction import policies, schema, selectors, shape
from apps.extraction.events import RecordCreated, RecordDeleted, RecordRestored, RecordUpdated
from apps.extraction.models import Collection, Record, RecordKey, RecordLink, RecordRevision
from apps.extraction.types import MAX_RECORD_BYTES, NotUnique, RecordInvalid, RevisionKind


@transaction.atomic
def create_record(*, actor: Actor, collection_id: UUID, data: Mapping[str, Any]) -> Record:
    """Fields that are null are left out. ``RecordInvalid`` names every field that does not fit, ``NotUnique`` the record that is there."""
    collection = selectors.get_collection(collection_id=collection_id, viewer=actor)
    require(policies.can_write_records(actor, accounts.project_role(actor, collection.project_id)))
    record = Record(
        id=uuid7(),
        organization_id=collection.organization_id,
        collection=collection,
        project_id=collection.project_id,
        created_by_id=actor.user_id,
    )
    _write(collection, record, shape.merged({}, data), actor, RevisionKind.CREATED)
    fact = RecordCreated(record.pk, collection.pk, record.version, record.is_complete)
    emit(fact, actor=actor, scope=collection.scope, subject=("record", record.pk))
    return record


@transaction.atomic
def change_record(
    *, actor: Actor, record_id: UUID, changes: Mapping[str, Any], expected_version: int | None = None
) -> Record:
    """``changes`` are fields; null takes one away. What changes nothing makes no version."""
    record, collection = _lock(actor, record_id)
    if expected_version is not None and expected_version != record.version:
        raise VersionMismatch(current=record.version)
    return _change(collection, record, shape.merged(record.data, changes), actor, RevisionKind.CHANGED)


@transaction.atomic
def set_back_record(*, actor: Actor, record_id: UUID, number: int, expected_version: int | None = None) -> Record:
    """As it was in that version, as a new version; what the schema of today refuses in it is named by ``RecordInvalid``."""
    record, collection = _lock(actor, record_id)
    if expected_version is not None and expected_version != record.version:
        raise VersionMismatch(current=record.version)
    old = selectors.get_revision(record, number)
    return _change(collection, record, old.data, actor, RevisionKind.RESTORED)


@transaction.atomic
def delete_record(*, actor: Actor, record_id: UUID) -> None:
    """It can be brought back. Its values are free for others meanwhile; who pointed to it sees that it is gone."""
    record, collection = _lock(actor, record_id)
    RecordKey.objects.filter(record=record).delete()
    Record.objects.filter(pk=record.pk).update(
        deleted_at=Now(), deleted_by=actor.user_id, version=record.version + 1, updated_at=Now()
    )
    _remember(record, record.version + 1, record.data, actor, RevisionKind.DELETED)
    emit(RecordDeleted(record.pk, collection.pk), actor=actor, scope=collection.scope, subject=("record", record.pk))


@transaction.atomic
def restore_record(*, actor: Actor, record_id: UUID) -> Record:
    """``NotUnique`` when another record took its values meanwhile."""
    record, collection = _lock(actor, record_id, with_deleted=True)
    if record.deleted_at is None:
        return record
    record.deleted_at, record.deleted_by = None, None
    record.version += 1
    _write(collection, record, record.data, actor, RevisionKind.UNDELETED)
    fact = RecordRestored(record.pk, collection.pk, record.version)
    emit(fact, actor=actor, scope=collection.scope, subject=("record", record.pk))
    return record


def _lock(actor: Actor, record_id: UUID, *, with_deleted: bool = False) -> tuple[Record, Collection]:
    record = selectors.lock_record(record_id=record_id, viewer=actor, with_deleted=with_deleted)
    collection = selectors.get_collection(collection_id=record.collection_id, viewer=actor)
    require(policies.can_write_records(actor, accounts.project_role(actor, collection.project_id)))
    return record, collection


def _change(
    collection: Collection, record: Record, data: Mapping[str, Any], actor: Actor, kind: RevisionKind
) -> Record:
    changed = shape.changes_between(record.data, data)
    if not changed and record.schema_number == collection.schema_number:
        return record
    record.version += 1
    _write(collection, record, dict(data), actor, kind)
    fields = tuple(change.field for change in changed)
    fact = RecordUpdated(record.pk, collection.pk, record.version, fields, record.is_complete)
    emit(fact, actor=actor, scope=collection.scope, subject=("record", record.pk))
    return record


def _write(collection: Collection, record: Record, data: dict[str, Any], actor: Actor, kind: RevisionKind) -> None:
    """The row and all that follows from its data, in the caller's transaction and under its lock."""
    found = selectors.schema_of(collection)
    if len(json.dumps(data, ensure_ascii=False).encode()) > MAX_RECORD_BYTES:
        raise TooLarge
    _refuse_misfit(found, data)
    links = _links_in(collection, found, data)
    record.data, record.schema_number = data, collection.schema_number
    record.title = shape.title_of(collection.title_template, found.fields, data)
    record.missing = shape.missing(collection.needed, data)
    record.is_complete = not record.missing
    record.text = shape.text_of(record.title, data)
    record.save()
    _take_keys(collection, record)
    RecordLink.objects.filter(source=record).delete()
    RecordLink.objects.bulk_create(
        RecordLink(
            organization_id=record.organization_id, source=record, field=field, position=position, target_id=target
        )
        for field, position, target in links
    )
    _remember(record, record.version, data, actor, kind)


def _refuse_misfit(found: schema.Schema, data: dict[str, Any]) -> None:
    if wrong := found.validate(data):
        raise RecordInvalid(
            fields=[FieldError("data" + each.field.replace("/", "."), each.code, each.detail) for each in wrong[:50]]
        )


def _links_in(collection: Collection, found: schema.Schema, data: dict[str, Any]) -> list[tuple[str, int, UUID]]:
    """Of the fields that point to records: (field, place, target). ``RecordInvalid`` for what is no record of that collection."""
    pointing = [field for field in found.fields if field.relation and field.is_top and data.get(field.name)]
    if not pointing:
        return []
    slugs = {field.relation.collection_slug for field in pointing if field.relation}
    there = selectors.collections_by_slug(collection.project_id, slugs)
    links, wrong = [], []
    for field in pointing:
        assert field.relation is not None
        value = data[field.name]
        ids = [_as_id(each) for each in (value if isinstance(value, list) else [value])]
        target = there.get(field.relation.collection_slug)
        known = selectors.find_targets(target, [each for each in ids if each]) if target else set()
        if any(each not in known for each in ids):
            wrong.append(
                FieldError(f"data.{field.name}", "unknown_record", _("This points to a record that is not there."))
            )
        links += [(field.name, place, each) for place, each in enumerate(ids) if each in known]
    if wrong:
        raise RecordInvalid(fields=wrong)
    return links  # type: ignore[return-value]


def _as_id(value: Any) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None


def _take_keys(collection: Collection, record: Record) -> None:
    """The constraint decides: of two who write the same values at once, the second hears of the first."""
    RecordKey.objects.filter(record=record).delete()
    for names in collection.unique_keys:
        if (digest := shape.key_of(names, record.data)) is None:
            continue
        key = RecordKey(
            organization_id=record.organization_id,
            collection=collection,
            record=record,
            fields="\x1f".join(names),
            digest=digest,
        )
        try:
            with transaction.atomic():
                key.save(force_insert=True)
        except IntegrityError as error:
            if "extraction_key_once" not in str(error):
                raise
            other = RecordKey.objects.filter(collection=collection, fields=key.fields, digest=digest).first()
            raise NotUnique(
                record=str(other.record_id) if other else None,
                fields=[FieldError(f"data.{name}", "not_unique", str(NotUnique.default_detail)) for name in names],
            ) from error


def _remember(record: Record, number: int, data: dict[str, Any], actor: Actor, kind: RevisionKind) -> None:
    RecordRevision.objects.create(
        organization_id=record.organization_id,
        record=record,
        number=number,
        kind=kind,
        schema_number=record.schema_number or 1,
        data=data,
        author_id=actor.user_id,
    )
