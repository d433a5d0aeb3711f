"""What keeps itself in order without anybody asking."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Now

from apps.accounts.policies import require
from apps.accounts.types import Actor
from apps.core import jobs
from apps.extraction import duplicates, link_selectors, migrating, news, policies, selectors, shape
from apps.extraction.events import RecordsReshaped
from apps.extraction.models import Collection, Duplicate, Record, RecordKey, TargetChange
from apps.extraction.types import Candidate, DuplicateStatus

SHAPED_AT_ONCE = 200
SHAPE_SECONDS = 5.0
TALLIES_AT_ONCE = 5000
CHANGES_AT_ONCE = 100

_BEHIND = """
SELECT behind.id FROM extraction_collection collection
CROSS JOIN LATERAL (
  SELECT id FROM extraction_record WHERE collection_id = collection.id AND blocks_number < collection.shape_number
    AND deleted_at IS NULL LIMIT %(most)s
) AS behind
WHERE collection.deleted_at IS NULL LIMIT %(most)s
"""


def reshape_records(*, actor: Actor, seconds: float = SHAPE_SECONDS) -> int:
    """Title, keys, what is missing, text and blocks of records whose collection says since what they are made of, and what is missing in
    those that point to a record that was deleted or came back; how many were looked at.

    Their data and versions stay as they are. It goes in pieces, each a transaction that waits for nobody. What is left asks for another turn.
    """
    require(policies.is_system(actor))
    until, done = time.monotonic() + seconds, 0
    while made := _shape_behind(actor) + _follow_changes(actor):
        done += made
        if time.monotonic() >= until:
            jobs.hint("extraction.reshape")
            break
    return done


def _shape_behind(actor: Actor) -> int:
    """One piece of those whose collection went on; how many. 0: none is behind, or somebody else is at them."""
    with connection.cursor() as cursor:
        cursor.execute(_BEHIND, {"most": SHAPED_AT_ONCE})
        behind = [row[0] for row in cursor.fetchall()]
    return len(_reshape(behind, actor)) if behind else 0


@transaction.atomic
def _reshape(ids: list[UUID], actor: Actor) -> list[UUID]:
    """Those that nobody else held. What became complete by it, or lacks something now, is told in the end: gates look at it, and whoever
    has the table open.
    """
    rows = Record.objects.filter(pk__in=ids, deleted_at=None).defer("words")
    found = list(rows.select_for_update(of=("self",), no_key=True, skip_locked=True).order_by("pk"))
    wanted = Collection.objects.filter(pk__in={record.collection_id for record in found})
    collections = {row.pk: row for row in selectors.with_document(wanted)}
    brought = _Brought()
    gone = link_selectors.gone_targets(record.pk for record in found)
    completed: Counter[UUID] = Counter()
    opened: Counter[UUID] = Counter()
    for record in found:
        collection = collections[record.collection_id]
        data = brought.data_of(record, collection)
        missing = _missing(collection, data, gone.get(record.pk, set()))
        if record.shape_number < collection.shape_number:
            _shape(collection, record, data, missing)
        elif missing != record.missing:
            Record.objects.filter(pk=record.pk).update(missing=missing, is_complete=not missing)
        if record.is_complete == bool(missing):
            (opened if missing else completed)[collection.pk] += 1
    for pk in sorted({*completed, *opened}):
        fact = RecordsReshaped(pk, completed[pk], opened[pk])
        news.tell_of_collection(fact, actor=actor, collection=collections[pk])
    return [record.pk for record in found]


class _Brought:
    """What records say, as the schema of today would have it: a field has its new name in it. Each collection's way is read once."""

    def __init__(self) -> None:
        self._paths: dict[UUID, migrating.Path] = {}

    def data_of(self, record: Record, collection: Collection) -> dict[str, Any]:
        if record.schema_number == collection.schema_number:
            return record.data
        if collection.pk not in self._paths:
            self._paths[collection.pk] = migrating.Path(selectors.schemas_by_number(collection))
        return self._paths[collection.pk].bring(record.data, record.schema_number).value


def _missing(collection: Collection, data: dict[str, Any], gone: set[UUID]) -> list[str]:
    return shape.missing(collection.needed, data, link_selectors.hollow_fields(collection, data, gone))


def _shape(collection: Collection, record: Record, data: dict[str, Any], missing: list[str]) -> None:
    known = selectors.schema_of(collection)
    title = shape.title_of(collection.title_template, known.fields, data)
    Record.objects.filter(pk=record.pk).update(
        title=title,
        missing=missing,
        is_complete=not missing,
        text=shape.text_of(title, record.data),
        shape_number=collection.shape_number,
    )
    _take_keys(collection, record, data)
    duplicates.keep_blocks(record, known, is_new=False)


def follow_target(*, actor: Actor, record_id: UUID) -> None:
    """A record was deleted, or came back: the upkeep looks again at whether those that point to it are complete.

    One row is written, no other is held, however many point there. Safe to repeat: the upkeep goes by what is there then.
    """
    require(policies.is_system(actor))
    target = Record.objects.filter(pk=record_id).only("organization_id").first()
    if target is None:
        return
    TargetChange.objects.create(organization_id=target.organization_id, target_id=record_id)
    jobs.after_commit("extraction.reshape")


def _follow_changes(actor: Actor) -> int:
    """One piece of those that point to what was deleted or came back; how many. 0: nothing is due, or somebody else is at them."""
    for pk in TargetChange.objects.order_by("updated_at").values_list("pk", flat=True)[:CHANGES_AT_ONCE]:
        if passed := _follow_change(pk, actor):
            return passed
    return 0


@transaction.atomic
def _follow_change(pk: UUID, actor: Actor) -> int:
    """What is held by somebody else is noted and taken with the next piece; how far this one got is kept with what it wrote."""
    change = TargetChange.objects.select_for_update(skip_locked=True).filter(pk=pk).first()
    if change is None:
        return 0
    room = SHAPED_AT_ONCE - len(change.held)
    following = link_selectors.list_pointing(change.target_id, after=change.after, most=room)
    ids = link_selectors.list_needing([*change.held, *following])
    reshaped = set(_reshape(ids, actor))
    passed = len(change.held) + len(following)
    change.held = [record_id for record_id in ids if record_id not in reshaped]
    if not change.held and len(following) < room:
        change.delete()
        return passed
    change.after = following[-1] if following else change.after
    change.save()
    return passed - len(change.held)


def _take_keys(collection: Collection, record: Record, data: dict[str, Any]) -> None:
    """What another record has already is left to it, and the two are listed as one thing perhaps."""
    wanted = {
        "\x1f".join(names): digest
        for names in collection.unique_keys
        if (digest := shape.key_of(names, data)) is not None
    }
    there = {row.fields: bytes(row.digest) for row in RecordKey.objects.filter(record=record)}
    if there == wanted:
        return
    gone = [fields for fields, digest in there.items() if wanted.get(fields) != digest]
    RecordKey.objects.filter(record=record, fields__in=gone).delete()
    for fields, digest in wanted.items():
        if there.get(fields) == digest:
            continue
        key = RecordKey(organization_id=record.organization_id, collection=collection, record=record)
        key.fields, key.digest = fields, digest
        RecordKey.objects.bulk_create([key], ignore_conflicts=True)
        holder = RecordKey.objects.filter(collection=collection, fields=fields, digest=digest).first()
        if holder is not None and holder.record_id != record.pk:
            _list_pair(record, holder.record_id, fields.split("\x1f"))


def _list_pair(record: Record, other_id: UUID, names: Sequence[str]) -> None:
    """As what is surest: of a pair that waited already, too, so that it is found among many that wait."""
    said = dict.fromkeys(names, duplicates.SAME_KEY)
    duplicates.keep_pairs(record, [Candidate(other_id, "", "same", 1.0, said)])
    one, other = sorted((record.pk, other_id))
    waits = Duplicate.objects.filter(one=one, other=other, status=DuplicateStatus.PENDING, score__lt=1.0)
    waits.update(score=1.0, fields=said, updated_at=Now())


_ADD_UP = """
WITH few AS (
  SELECT id FROM extraction_recordtally WHERE collection_id IN (
    SELECT collection_id FROM extraction_recordtally GROUP BY collection_id HAVING count(*) > 1 LIMIT 100)
  LIMIT %(most)s FOR UPDATE SKIP LOCKED
), gone AS (
  DELETE FROM extraction_recordtally tally USING few WHERE tally.id = few.id
  RETURNING tally.organization_id, tally.collection_id, tally.number
), sums AS (
  INSERT INTO extraction_recordtally (id, organization_id, collection_id, number, updated_at)
  SELECT gen_random_uuid(), organization_id, collection_id, sum(number), clock_timestamp() FROM gone
  GROUP BY organization_id, collection_id
)
SELECT count(*) FROM gone
"""


def add_up_tallies(*, actor: Actor) -> int:
    """One row a collection again; how many there were. Whoever reads meanwhile finds the same sums."""
    require(policies.is_system(actor))
    done = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_ADD_UP, {"most": TALLIES_AT_ONCE})
            found = cursor.fetchone()[0]
        done += found
        if found < TALLIES_AT_ONCE:
            return done
