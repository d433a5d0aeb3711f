"""Writes of records: each leaves a revision, so that nothing that was once known is lost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from apps.accounts import selectors as accounts
from apps.accounts.policies import require
from apps.accounts.types import Actor
from apps.core.compiled import insert
from apps.core.errors import FieldError, TooLarge
from apps.core.ids import uuid7
from apps.core.versions import require_version
from apps.extraction import duplicates, link_selectors, moments, news, policies, schema, selectors, shape, targets
from apps.extraction.events import RecordCreated, RecordDeleted, RecordRestored, RecordUpdated
from apps.extraction.models import Collection, Record, RecordKey, RecordLink, RecordRevision
from apps.extraction.services import evidence, following
from apps.extraction.types import (
    MAX_RECORD_BYTES,
    Candidate,
    MaybeDuplicate,
    NotUnique,
    OnDuplicate,
    RecordInvalid,
    RecordMerged,
    RevisionKind,
)
from apps.extraction.written import note, note_gone


@dataclass(frozen=True, slots=True)
class Taken:
    """``record`` is the new one, or the one that was there, then of ``version_before``. ``candidates`` may be the same thing as it."""

    record: Record
    is_new: bool
    version_before: int = 0
    candidates: tuple[Candidate, ...] = ()


def create_record(*, actor: Actor, collection_id: UUID, data: Mapping[str, Any]) -> Record:
    """Fields that are null are left out. ``RecordInvalid`` names every field that does not fit, ``NotUnique`` the record that is there."""
    return take_record(actor=actor, collection_id=collection_id, data=data).record


@transaction.atomic
def take_record(
    *, actor: Actor, collection_id: UUID, data: Mapping[str, Any], on_duplicate: str = OnDuplicate.LIST
) -> Taken:
    """As ``create_record``, and says what happens when records that may be the same thing are there.

    ``list``: it is made, and the pairs wait for review. ``ask``: ``MaybeDuplicate`` names them and nothing is written. ``merge``: its
    fields go into the one that has its unique values or is surely the same; ``skip`` leaves it out then. ``new``: nobody looks.
    """
    collection = selectors.get_collection(collection_id=collection_id, viewer=actor)
    require(policies.can_write_records(actor, accounts.project_role(actor, collection.project_id)))
    found = selectors.schema_of(collection)
    wanted = moments.settled(found, shape.merged({}, data))
    refuse_misfit(found, wanted)
    looks = on_duplicate != OnDuplicate.NEW
    is_beside_others = looks and not duplicates.is_alone(collection)
    near = duplicates.find(collection, found, wanted) if looks else []
    if near and on_duplicate == OnDuplicate.ASK:
        raise MaybeDuplicate(duplicates=[each.as_json() for each in near])
    if on_duplicate in {OnDuplicate.MERGE, OnDuplicate.SKIP} and (there := _same(actor, collection, wanted, near)):
        before = there.version
        if on_duplicate == OnDuplicate.MERGE:
            said = dict(there.data)
            changed = shape.joined(said, wanted, more_wins=True)
            there = _change(collection, there, changed, actor, RevisionKind.CHANGED)
            evidence.follow_growth(there, said)
        return Taken(there, is_new=False, version_before=before)
    record = _create(actor, collection, wanted, is_beside_others=is_beside_others)
    duplicates.keep_pairs(record, near)
    return Taken(record, is_new=True, candidates=tuple(near))


def _same(actor: Actor, collection: Collection, data: dict[str, Any], near: list[Candidate]) -> Record | None:
    """The record that has one of its unique values, else the likeliest that is surely the same; locked. None: nobody, or gone by now."""
    same = near[0].record_id if near and near[0].is_same else None
    for names in collection.unique_keys:
        digest = shape.key_of(names, data)
        keys = RecordKey.objects.filter(collection=collection, fields="\x1f".join(names), digest=digest)
        if digest is not None and (owner := keys.values_list("record_id", flat=True).first()):
            same = owner
            break
    return (
        selectors.visible_to(actor).select_for_update(of=("self",), no_key=True).filter(pk=same).first()
        if same
        else None
    )


def _create(actor: Actor, collection: Collection, data: dict[str, Any], *, is_beside_others: bool) -> Record:
    record = _new(collection, actor)
    _write(collection, record, data, actor, RevisionKind.CREATED)
    fact = RecordCreated(record.pk, collection.pk, record.version, record.is_complete, is_beside_others)
    news.tell_of_record(fact, actor=actor, collection=collection, record_id=record.pk)
    return record


def _new(collection: Collection, actor: Actor) -> Record:
    return Record(
        id=uuid7(),
        organization_id=collection.organization_id,
        collection=collection,
        project_id=collection.project_id,
        created_by_id=actor.user_id,
    )


@transaction.atomic
def change_record(
    *, actor: Actor, record_id: UUID, changes: Mapping[str, Any], expected_version: int | None = None
) -> Record:
    """``changes`` are fields; null takes one away. What changes nothing makes no version."""
    record, collection = _lock(actor, record_id)
    require_version(record.version, expected_version)
    return _change(collection, record, shape.merged(record.data, changes), actor, RevisionKind.CHANGED)


@transaction.atomic
def set_back_record(*, actor: Actor, record_id: UUID, number: int, expected_version: int | None = None) -> Record:
    """As it was in that version, as a new version; what the schema of today refuses in it is named by ``RecordInvalid``."""
    record, collection = _lock(actor, record_id)
    require_version(record.version, expected_version)
    old = selectors.get_revision(record, number)
    return _change(collection, record, old.data, actor, RevisionKind.RESTORED)


@transaction.atomic
def delete_record(*, actor: Actor, record_id: UUID, expected_version: int | None = None) -> None:
    """It can be brought back. Its values are free for others meanwhile; who pointed to it sees that it is gone."""
    record, collection = _lock(actor, record_id, stays=False)
    require_version(record.version, expected_version)
    put_away(record, actor, RevisionKind.DELETED)
    news.tell_of_record(
        RecordDeleted(record.pk, collection.pk), actor=actor, collection=collection, record_id=record.pk
    )


@transaction.atomic
def restore_record(*, actor: Actor, record_id: UUID) -> Record:
    """``NotUnique`` when another record took its values meanwhile, ``RecordMerged`` when it was joined into another."""
    record, collection = _lock(actor, record_id, with_deleted=True)
    if record.merged_into_id is not None:
        raise RecordMerged(record=str(record.merged_into_id))
    if record.deleted_at is None:
        return record
    bring_back(collection, record, actor, RevisionKind.UNDELETED)
    fact = RecordRestored(record.pk, collection.pk, record.version)
    news.tell_of_record(fact, actor=actor, collection=collection, record_id=record.pk)
    return record


def create_joined(collection: Collection, data: Mapping[str, Any], actor: Actor, *, into: UUID) -> Record:
    """A record that is joined into another from its beginning: it has its history, and holds no values. The caller keeps the joining."""
    record = _new(collection, actor)
    record.schema_number, record.data = collection.schema_number, dict(data)
    found = selectors.schema_of(collection)
    record.title = shape.title_of(collection.title_template, found.fields, data)
    record.missing = shape.missing(collection.needed, data)
    record.is_complete = not record.missing
    record.text = shape.text_of(record.title, data)
    record.save(force_insert=True)
    _remember(record, record.version, record.data, actor, RevisionKind.CREATED)
    put_away(record, actor, RevisionKind.MERGED, into=into)
    return record


def put_away(record: Record, actor: Actor, kind: RevisionKind, *, into: UUID | None = None) -> None:
    """Out of sight: its values and blocks are free for others."""
    RecordKey.objects.filter(record=record).delete()
    duplicates.forget_blocks(record)
    record.version += 1
    Record.objects.filter(pk=record.pk).update(
        deleted_at=Now(), deleted_by=actor.user_id, merged_into=into, version=record.version, updated_at=Now()
    )
    _remember(record, record.version, record.data, actor, kind)
    note_gone(record.pk)


def bring_back(collection: Collection, record: Record, actor: Actor, kind: RevisionKind) -> None:
    record.deleted_at, record.deleted_by, record.merged_into = None, None, None
    record.version += 1
    _write(collection, record, record.data, actor, kind)


def rewrite(
    collection: Collection,
    record: Record,
    data: Mapping[str, Any],
    actor: Actor,
    kind: RevisionKind,
    *,
    is_judged: bool = True,
) -> Record:
    """As ``change_record``, of a record that the caller locked and may write."""
    return _change(collection, record, data, actor, kind, is_judged=is_judged)


def _lock(
    actor: Actor, record_id: UUID, *, with_deleted: bool = False, stays: bool = True
) -> tuple[Record, Collection]:
    record = selectors.lock_record(record_id=record_id, viewer=actor, with_deleted=with_deleted, stays=stays)
    collection = selectors.get_collection(collection_id=record.collection_id, viewer=actor)
    require(policies.can_write_records(actor, accounts.project_role(actor, collection.project_id)))
    return record, collection


def _change(
    collection: Collection,
    record: Record,
    data: Mapping[str, Any],
    actor: Actor,
    kind: RevisionKind,
    *,
    is_judged: bool = True,
) -> Record:
    changed = shape.changes_between(record.data, data)
    before = record.data
    if changed and is_judged:
        data = moments.settled(selectors.schema_of(collection), dict(data))
        changed = shape.changes_between(before, data)
    if not changed and (record.schema_number == collection.schema_number or not is_judged):
        return record
    record.version += 1
    lacked = not record.is_complete
    _write(collection, record, dict(data), actor, kind, is_judged=is_judged)
    if is_judged:
        _keep_words_of_settled(collection, record, before)
    fields = tuple(change.field for change in changed)
    is_complete = record.is_complete
    fact = RecordUpdated(record.pk, collection.pk, record.version, fields, is_complete, lacked and is_complete)
    news.tell_of_record(fact, actor=actor, collection=collection, record_id=record.pk)
    return record


def _keep_words_of_settled(collection: Collection, record: Record, before: Mapping[str, Any]) -> None:
    """The words behind a moment of before that is only said in UTC now still stand behind it."""
    settled = moments.settled(selectors.schema_of(collection), dict(before))
    there = {name: said for name, said in before.items() if said != settled[name] == record.data.get(name)}
    if there:
        following.follow_sources(record, there, {})


def _write(
    collection: Collection,
    record: Record,
    data: dict[str, Any],
    actor: Actor,
    kind: RevisionKind,
    *,
    is_judged: bool = True,
) -> None:
    """The row and all that follows from its data, in the caller's transaction and under its lock.

    Not ``is_judged``: only ids in it changed, so whether it fits the schema of today is not asked, and it keeps the number of its own.
    """
    found, is_new = selectors.schema_of(collection), record._state.adding  # noqa: SLF001  (Django's public word for it)
    if len(json.dumps(data, ensure_ascii=False).encode()) > MAX_RECORD_BYTES:
        raise TooLarge
    if is_judged:
        refuse_misfit(found, data)
        record.schema_number = collection.schema_number
    links, gone = _links_in(actor, collection, found, record, data)
    record.data, record.shape_number = data, collection.shape_number
    record.title = shape.title_of(collection.title_template, found.fields, data)
    record.missing = shape.missing(collection.needed, data, link_selectors.hollow_fields(collection, data, gone))
    record.is_complete = not record.missing
    record.text = shape.text_of(record.title, data)
    if is_new:
        insert([record])
    else:
        record.save()
    _take_keys(collection, record, is_new=is_new)
    duplicates.keep_blocks(record, found, is_new=is_new)
    if not is_new:
        RecordLink.objects.filter(source=record).delete()
    RecordLink.objects.bulk_create(
        RecordLink(
            organization_id=record.organization_id, source=record, field=field, position=position, target_id=target
        )
        for field, position, target in links
    )
    _remember(record, record.version, data, actor, kind)


def refuse_misfit(found: schema.Schema, data: dict[str, Any]) -> None:
    """``RecordInvalid`` names every field that does not fit."""
    if wrong := found.validate(data):
        raise RecordInvalid(
            fields=[FieldError("data" + each.field.replace("/", "."), each.code, each.detail) for each in wrong[:50]]
        )


def _links_in(
    actor: Actor, collection: Collection, found: schema.Schema, record: Record, data: dict[str, Any]
) -> tuple[list[tuple[str, int, UUID]], set[UUID]]:
    """Of the fields that point to records: (field, place, target), and the targets that are deleted. ``RecordInvalid`` for what is no
    record of that collection.

    Who points to one that was joined into another points to that one from here on: ``data`` says so. What the record pointed to before
    may be deleted by now, or in a collection that the actor does not see: that does not keep its other fields from being changed.
    """
    pointing = [field for field in found.fields if field.relation and field.is_top and data.get(field.name)]
    if not pointing:
        return [], set()
    slugs = {field.relation.collection_slug for field in pointing if field.relation}
    there = selectors.collections_by_slug(actor, collection.project_id, slugs)
    links, wrong, gone = [], [], set()
    for field in pointing:
        assert field.relation is not None
        target = there.get(field.relation.collection_slug)
        ids = _ids_in(data[field.name])
        known = targets.lock_targets(target, [each for each in ids if each]) if target else set()
        if target and (others := {each for each in ids if each and each not in known}):
            joined = targets.find_joined(target, others)
            known |= targets.lock_targets(target, joined.values())
            for old, new in joined.items():
                if new in known and new != record.pk:
                    data[field.name] = shape.repointed(data[field.name], str(old), str(new))
            ids = _ids_in(data[field.name])
        if any(each not in known for each in ids):
            before = RecordLink.objects.filter(source=record.pk)
            if target is not None:
                before = before.filter(field=field.name)  # by the name of before, where the field has another one now
            was = dict(before.values_list("target_id", "target__deleted_at"))
            known |= set(was)
            gone |= {each for each, deleted_at in was.items() if deleted_at}
        if any(each not in known for each in ids):
            wrong.append(
                FieldError(f"data.{field.name}", "unknown_record", _("This points to a record that is not there."))
            )
        links += [(field.name, place, each) for place, each in enumerate(ids) if each in known]
    if wrong:
        raise RecordInvalid(fields=wrong)
    return links, gone  # type: ignore[return-value]


def _ids_in(value: Any) -> list[UUID | None]:
    return [_as_id(each) for each in (value if isinstance(value, list) else [value])]


def _as_id(value: Any) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None


def _take_keys(collection: Collection, record: Record, *, is_new: bool) -> None:
    """The constraint decides: of two who write the same values at once, the second hears of the first."""
    if not is_new:
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
    revision = RecordRevision(
        organization_id=record.organization_id,
        record=record,
        number=number,
        kind=kind,
        schema_number=record.schema_number or 1,
        data=data,
        author_id=actor.user_id,
    )
    insert([revision])
    note(record.pk, number)
