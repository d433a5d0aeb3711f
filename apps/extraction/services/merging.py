"""Joining two records into one, and separating them again: nothing of either is lost.

The winner keeps what it says and gets what only the loser said. What belongs to the loser goes along: who points to it, the words behind
its fields, suggestions that became it. The loser keeps its history and points to the winner.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from apps.accounts import selectors as accounts
from apps.accounts.policies import require
from apps.accounts.types import SYSTEM, Actor
from apps.core.errors import DomainError, FieldError, Invalid, NotFound, Unavailable, VersionMismatch
from apps.core.events import emit_last, told_last
from apps.core.ids import uuid7
from apps.extraction import joinings, migrating, news, policies, reach, selectors, shape
from apps.extraction.events import DuplicatesKeptApart, RecordsMerged, RecordsSeparated
from apps.extraction.models import (
    Collection,
    Duplicate,
    FieldSource,
    Proposal,
    Record,
    RecordComment,
    RecordLink,
    RecordMerge,
)
from apps.extraction.services import evidence, following, records
from apps.extraction.types import DuplicateStatus, MergeUndone, RevisionKind

_MOST_LOOKS = 5


class _PointedToSince(Exception):
    """Somebody made a link to the loser between the look and the lock: all is given up and begun anew."""


def merge_records(
    *,
    actor: Actor,
    winner_id: UUID,
    loser_id: UUID,
    changes: Mapping[str, Any] | None = None,
    expected_version: int | None = None,
) -> RecordMerge:
    """``changes`` are fields of the result that a person chose; without them what the winner says stays where the two differ.

    ``RecordInvalid`` when the result does not fit the collection. ``undo_merge`` brings both back.
    """
    for _attempt in range(_MOST_LOOKS):
        with suppress(_PointedToSince):
            return _merge(actor, winner_id, loser_id, changes or {}, expected_version)
    raise Unavailable


@transaction.atomic
@told_last()
def _merge(
    actor: Actor, winner_id: UUID, loser_id: UUID, changes: Mapping[str, Any], expected_version: int | None
) -> RecordMerge:
    pointing = set(_links_to(loser_id).values_list("source_id", flat=True))
    locked = _lock(actor, {winner_id, loser_id}, pointing)
    # Whoever wants to point to the loser waits from here on; who was faster is seen now.
    if set(_links_to(loser_id).values_list("source_id", flat=True)) - pointing - {winner_id, loser_id}:
        raise _PointedToSince
    if winner_id == loser_id or locked[winner_id].collection_id != locked[loser_id].collection_id:
        raise Invalid(fields=[FieldError("record", "unknown_record", _("Name another record of the same collection."))])
    winner, loser = locked.pop(winner_id), locked.pop(loser_id)
    if expected_version is not None and expected_version != winner.version:
        raise VersionMismatch(current=winner.version)
    collection = selectors.get_collection(collection_id=winner.collection_id, viewer=actor)
    more = dict(loser.data)
    if {winner.schema_number, loser.schema_number} != {collection.schema_number}:
        path = following.path_of(collection)
        more = following.brought(loser, path)
        _bring_along(actor, collection, winner, path)
    _bring_those_along(actor, locked.values())
    records.put_away(loser, actor, RevisionKind.MERGED, into=winner.pk)
    both = shape.merged(shape.joined(winner.data, more), changes)
    return _join(actor, collection, winner, loser, both, locked=locked)


def _bring_along(actor: Actor, collection: Collection, record: Record, path: migrating.Path) -> None:
    """To the schema of today, as a version of its own. ``FieldsGone`` where it cannot follow."""
    number, before = record.schema_number, dict(record.data)
    if number >= path.last:
        return
    records.rewrite(collection, record, following.brought(record, path), actor, RevisionKind.MIGRATED)
    following.follow_sources(record, before, {name: path.renamed(name, number) for name in before})


def _bring_those_along(actor: Actor, rows: Iterable[Record]) -> None:
    """Who points to the one or the other, as far as they can follow: their fields are written by the schema of today."""
    for row in rows:
        collection = selectors.get_collection(collection_id=row.collection_id, viewer=SYSTEM)
        if row.schema_number < collection.schema_number:
            try:
                with transaction.atomic():
                    _bring_along(actor, collection, row, following.path_of(collection))
            except DomainError:
                row.refresh_from_db()


@transaction.atomic
def join_proposed(
    *, actor: Actor, record_id: UUID, proposal: Proposal, data: Mapping[str, Any], edited: tuple[str, ...], wins: bool
) -> Record:
    """What a suggestion says goes into a record that is there: what is empty is filled, lists grow, and where the two differ the record
    stays as it is unless the suggestion ``wins``.

    The suggestion becomes a record of its own that is joined into the other, so that ``undo_merge`` separates them. What could be no
    record of its own (its unique values are the other's, or it does not fit) is a change of the other instead.
    """
    winner = _lock(actor, {record_id}, set())[record_id]
    collection = selectors.get_collection(collection_id=winner.collection_id, viewer=actor)
    if winner.schema_number < collection.schema_number:
        _bring_along(actor, collection, winner, following.path_of(collection))
    before, more = dict(winner.data), _without(shape.merged({}, data), collection, {str(winner.pk)})
    both = shape.merged(shape.joined(before, more, more_wins=wins), {})
    if not shape.changes_between(before, both):
        evidence.keep_sources(proposal.run, proposal, winner, edited, data)
        return winner
    shares_key = any(
        (digest := shape.key_of(names, more)) and digest == shape.key_of(names, before)
        for names in collection.unique_keys
    )
    if shares_key or selectors.schema_of(collection).validate(more):
        records.rewrite(collection, winner, both, actor, RevisionKind.CHANGED)
        evidence.follow_growth(winner, before)
        evidence.keep_sources(proposal.run, proposal, winner, edited, data)
        return winner
    loser = records.create_joined(collection, more, actor, into=winner.pk)
    evidence.keep_sources(proposal.run, proposal, loser, edited, data)
    Proposal.objects.filter(pk=proposal.pk).update(record=loser)
    _join(actor, collection, winner, loser, both, locked={})
    return winner


def _join(
    actor: Actor,
    collection: Collection,
    winner: Record,
    loser: Record,
    both: Mapping[str, Any],
    *,
    locked: dict[UUID, Record],
) -> RecordMerge:
    """Of two locked records, the loser put away already."""
    merge = RecordMerge(
        id=uuid7(),
        organization_id=winner.organization_id,
        collection_id=winner.collection_id,
        project_id=winner.project_id,
        winner=winner,
        loser=loser,
        schema_number=collection.schema_number,
        merged_by_id=actor.user_id,
    )
    before = dict(winner.data)
    after = _without(dict(both), collection, {str(winner.pk), str(loser.pk)})
    records.rewrite(collection, winner, after, actor, RevisionKind.MERGED)
    changed = shape.changes_between(before, winner.data)
    merge.before = {change.field: change.before for change in changed}
    merge.after = {change.field: change.after for change in changed}
    merge.moved = {
        "links": _point_elsewhere(actor, locked, loser.pk, winner.pk),
        "sources": evidence.move_sources(winner, loser, before),
        "proposals": _move(Proposal.objects.filter(record=loser), winner),
        "comments": _move(RecordComment.objects.filter(record=loser), winner),
        "pair": _settle_pair(actor, winner, loser),
    }
    merge.save(force_insert=True)
    fact = RecordsMerged(merge.pk, winner.pk, loser.pk, collection.pk, winner.version)
    news.tell_of_record(fact, actor=actor, collection=collection, record_id=winner.pk)
    return merge


@transaction.atomic
@told_last()
def undo_merge(*, actor: Actor, merge_id: UUID) -> RecordMerge:
    """Both as they were, but for what was changed since in fields that the joining did not touch: that stays with the winner.

    What was renamed or converted since is brought along. ``MergeUndone`` the second time; ``NotUnique`` when another record took the
    loser's values meanwhile; ``FieldsGone`` when a value has no place in the schema of today.
    """
    seen = joinings.get_merge(merge_id=merge_id, viewer=actor)
    pointing = {UUID(each["record"]) for each in seen.moved["links"]}
    locked = _lock(actor, {seen.winner_id}, pointing, merged=seen.loser_id)
    merge = RecordMerge.objects.select_for_update().get(pk=merge_id)
    if merge.undone_at is not None:
        raise MergeUndone
    winner, loser = locked.pop(merge.winner_id), locked.pop(merge.loser_id)
    collection = selectors.get_collection(collection_id=merge.collection_id, viewer=actor)
    moved = merge.moved
    path = following.path_of(collection)
    number = merge.schema_number or following.number_at(collection, merge.created_at)
    _bring_along(actor, collection, winner, path)
    _bring_those_along(actor, locked.values())
    data = following.separated(merge, winner.data, path, number)
    earlier, loser_number = dict(loser.data), loser.schema_number
    loser.data = following.brought(loser, path)
    # There again before the winner is written, which may have pointed to it; its values are free only after that.
    Record.objects.filter(pk=loser.pk).update(deleted_at=None, deleted_by=None, merged_into=None)
    records.rewrite(collection, winner, data, actor, RevisionKind.UNMERGED)
    records.bring_back(collection, loser, actor, RevisionKind.UNMERGED)
    _point_back(actor, locked, moved["links"], winner.pk, loser.pk)
    evidence.bring_sources_back(moved["sources"], winner, loser)
    following.follow_sources(loser, earlier, {name: path.renamed(name, loser_number) for name in earlier})
    following.follow_sources(winner, merge.before, {name: path.renamed(name, number) for name in merge.before})
    Proposal.objects.filter(pk__in=moved["proposals"], record=winner).update(record=loser)
    RecordComment.objects.filter(pk__in=moved["comments"], record=winner).update(record=loser)
    if moved["pair"]:
        Duplicate.objects.filter(pk=moved["pair"]["id"]).update(
            status=moved["pair"]["status"], decided_by=None, decided_at=None
        )
    merge.undone_by_id = actor.user_id
    RecordMerge.objects.filter(pk=merge.pk).update(undone_at=Now(), undone_by=actor.user_id, updated_at=Now())
    fact = RecordsSeparated(merge.pk, winner.pk, loser.pk, collection.pk, winner.version)
    news.tell_of_record(fact, actor=actor, collection=collection, record_id=winner.pk)
    return joinings.get_merge(merge_id=merge_id, viewer=actor)


@transaction.atomic
def keep_apart(*, actor: Actor, record_id: UUID, other_id: UUID) -> None:
    """They are two things: nobody is asked about them again."""
    locked = _lock(actor, {record_id, other_id}, set())
    if len(locked) != 2 or len({row.collection_id for row in locked.values()}) != 1:  # noqa: PLR2004
        raise Invalid(fields=[FieldError("record", "unknown_record", _("Name another record of the same collection."))])
    one, other = (locked[pk] for pk in sorted(locked))
    decided = {"status": DuplicateStatus.APART, "decided_by_id": actor.user_id, "decided_at": Now()}
    Duplicate.objects.update_or_create(
        organization_id=one.organization_id,
        one=one,
        other=other,
        defaults=decided,
        create_defaults={**decided, "collection_id": one.collection_id, "project_id": one.project_id, "score": 0.0},
    )
    fact = DuplicatesKeptApart(record_id, other_id, one.collection_id)
    scope = selectors.get_collection(collection_id=one.collection_id, viewer=actor).scope
    emit_last(fact, actor=actor, scope=scope, subject=("record", record_id))


def _lock(actor: Actor, ids: set[UUID], pointing: set[UUID], *, merged: UUID | None = None) -> dict[UUID, Record]:
    """All rows that change, in one order, so that two who join at once do not wait for each other. ``NotFound`` for one that is not there.

    ``pointing`` are those whose fields name the one or the other: they follow also where their collection is closed to the actor.
    """
    named = ids | ({merged} if merged else set())
    rows = selectors.visible_to(SYSTEM, with_deleted=True).filter(
        Q(pk__in=pointing) & ~Q(pk__in=named) | Q(reach.within(actor), pk__in=named)
    )
    found = {row.pk: row for row in rows.select_for_update(of=("self",)).order_by("pk")}
    there = {pk for pk, row in found.items() if row.deleted_at is None or pk == merged}
    if named - there:
        raise NotFound
    for project_id in {row.project_id for row in found.values()}:
        require(policies.can_write_records(actor, accounts.project_role(actor, project_id)))
    return {pk: found[pk] for pk in there}


def _links_to(record_id: UUID) -> Any:
    return RecordLink.objects.filter(target=record_id, source__deleted_at=None)


def _without(data: dict[str, Any], collection: Collection, ids: set[str]) -> dict[str, Any]:
    """One that pointed to the other would point to itself."""
    found = dict(data)
    for field in selectors.schema_of(collection).top:
        if field.relation is None:
            continue
        value = found.get(field.name)
        if isinstance(value, list):
            found[field.name] = [each for each in value if each not in ids] or None
        elif value in ids:
            found[field.name] = None
    return shape.merged({}, found)


def _point_elsewhere(actor: Actor, locked: dict[UUID, Record], old: UUID, new: UUID) -> list[dict[str, Any]]:
    """Who pointed to the loser points to the winner."""
    changed: list[dict[str, Any]] = []
    fields: dict[UUID, set[str]] = {}
    for source_id, field in _links_to(old).filter(source__in=locked).values_list("source_id", "field"):
        fields.setdefault(source_id, set()).add(field)
    for source_id, names in sorted(fields.items()):
        source, data = locked[source_id], dict(locked[source_id].data)
        for name in sorted(names):
            data[name] = shape.repointed(data.get(name), str(old), str(new))
            changed.append(
                {
                    "record": str(source_id),
                    "field": name,
                    "schema": source.schema_number,
                    "before": source.data.get(name),
                    "after": data[name],
                }
            )
        _repoint(actor, source, data)
    return changed


def _point_back(
    actor: Actor, locked: dict[UUID, Record], links: list[dict[str, Any]], winner: UUID, loser: UUID
) -> None:
    of_record: dict[UUID, list[dict[str, Any]]] = {}
    for each in links:
        of_record.setdefault(UUID(each["record"]), []).append(each)
    for source_id, changes in sorted(of_record.items()):
        source = locked.get(source_id)
        if source is None:  # deleted since
            continue
        data = dict(source.data)
        for each in changes:
            name = _name_now(source, each)
            now = data.get(name)
            if now == each["after"]:
                data[name] = each["before"]
            elif isinstance(now, list) and str(winner) in now and str(winner) not in _ids(each["before"]):
                data[name] = shape.repointed(now, str(winner), str(loser))
            elif now == str(winner) and _ids(each["after"]) == [str(winner)]:
                data[name] = str(loser)
        if data != source.data:
            _repoint(actor, source, data)


def _name_now(source: Record, link: Mapping[str, Any]) -> str:
    """The field may have been renamed since, and the record brought along."""
    name, number = str(link["field"]), link.get("schema")
    if name in source.data or number is None or number == source.schema_number:
        return name
    collection = selectors.get_collection(collection_id=source.collection_id, viewer=SYSTEM)
    schemas = selectors.schemas_by_number(collection)
    path = migrating.Path({each: found for each, found in schemas.items() if each <= source.schema_number})
    return path.renamed(name, number)


def _ids(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _repoint(actor: Actor, source: Record, data: dict[str, Any]) -> None:
    """The words behind a field still say whom it means: only the id of that one changed."""
    before = dict(source.data)
    collection = selectors.get_collection(collection_id=source.collection_id, viewer=SYSTEM)
    records.rewrite(collection, source, data, actor, RevisionKind.CHANGED, is_judged=False)
    for name in [name for name in data if data[name] != before.get(name)]:
        rows = FieldSource.objects.filter(record=source, value_digest=shape.value_digest(before.get(name)))
        rows.filter(field__regex=rf"^/{_quoted(name)}(/|$)").update(value_digest=shape.value_digest(data[name]))


def _quoted(name: str) -> str:
    """A name as it stands in a pointer, for a pattern of PostgreSQL."""
    escaped = name.replace("~", "~0").replace("/", "~1")
    return "".join(each if each.isalnum() or each == "_" else f"\\{each}" for each in escaped)


def _move(rows: QuerySet[Any], winner: Record) -> list[str]:
    """Comments and suggestions that became the loser, by their ids."""
    ids = list(rows.values_list("pk", flat=True))
    rows.filter(pk__in=ids).update(record=winner)
    return [str(pk) for pk in ids]


def _settle_pair(actor: Actor, winner: Record, loser: Record) -> dict[str, str] | None:
    one, other = sorted((winner.pk, loser.pk))
    pair = Duplicate.objects.filter(one=one, other=other).first()
    if pair is None:
        return None
    Duplicate.objects.filter(pk=pair.pk).update(
        status=DuplicateStatus.MERGED, decided_by=actor.user_id, decided_at=Now()
    )
    return {"id": str(pair.pk), "status": pair.status}
