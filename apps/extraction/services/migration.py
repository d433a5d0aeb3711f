"""Another schema for a collection: what it would break before it is there, and how records follow it afterwards."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.accounts import selectors as accounts
from apps.accounts.policies import require
from apps.accounts.types import Actor
from apps.core.errors import FieldError
from apps.extraction import migrating, policies, schema, schema_changes, selectors, shape
from apps.extraction.models import Record
from apps.extraction.services import following, records
from apps.extraction.types import RecordInvalid, RevisionKind

#: A trial reads so many records at most, the newest first, for so long; the operation that brings them along counts them all.
MOST_TRIED, TRIAL_SECONDS = 10_000, 2.0


@dataclass(frozen=True, slots=True)
class Trial:
    """What another schema, other keys and needs would mean. ``tally`` knows how many of ``total`` records were tried."""

    changes: schema_changes.Changes
    total: int
    tally: migrating.Tally
    doubles: migrating.KeyTally
    incomplete: int

    def as_json(self) -> dict[str, Any]:
        return {
            "changes": migrating.told(self.changes.items),
            "breaks": self.changes.breaks,
            "total": self.total,
            **self.tally.as_json(),
            "duplicate_keys": self.doubles.as_json(),
            "incomplete": self.incomplete,
        }


def try_schema(
    *,
    actor: Actor,
    collection_id: UUID,
    document: dict[str, Any] | None = None,
    unique_keys: Sequence[Sequence[str]] | None = None,
    needed: Sequence[str] | None = None,
    seconds: float = TRIAL_SECONDS,
) -> Trial:
    """What this document, these keys and needs (without: those of today) would change, which of that breaks, and what it would mean for
    the records there are, as many as can be looked at in ``seconds``. Writes nothing.
    """
    until = time.monotonic() + seconds
    collection = selectors.get_collection(collection_id=collection_id, viewer=actor)
    require(policies.can_define_collections(actor, accounts.project_role(actor, collection.project_id)))
    now = selectors.schema_of(collection)
    new = now if document is None else schema.check(document)
    number = collection.schema_number
    schemas = selectors.schemas_by_number(collection)
    path = migrating.Path(schemas if new == now else schemas | {number + 1: new})
    changes = schema_changes.compare(now, new)
    names = changes.names
    keys = [[names.get(name, name) for name in key] for key in collection.unique_keys]
    wanted = [names.get(name, name) for name in collection.needed] if needed is None else needed
    tally, doubles, incomplete = migrating.Tally(), migrating.KeyTally(keys if unique_keys is None else unique_keys), 0
    rows = selectors.list_records(collection=collection).order_by("-created_at", "-pk")
    for row in rows[:MOST_TRIED].iterator(chunk_size=500):
        found = path.bring(row.data, row.schema_number, language=actor.language)
        tally.note(row.pk, row.title, found.problems)
        doubles.note(row.pk, row.title, found.value)
        incomplete += bool(shape.missing(wanted, found.value))
        if time.monotonic() >= until:
            break
    total = selectors.count_records([collection]).get(collection.pk, 0)
    return Trial(changes, total, tally, doubles, incomplete)


@transaction.atomic
def migrate_record(*, actor: Actor, record_id: UUID) -> Record:
    """By the schema of today, as a new version. ``RecordInvalid`` names what keeps it from that; it stays as it is then."""
    record = selectors.lock_record(record_id=record_id, viewer=actor)
    collection = selectors.get_collection(collection_id=record.collection_id, viewer=actor)
    require(policies.can_write_records(actor, accounts.project_role(actor, collection.project_id)))
    if record.schema_number == collection.schema_number:
        return record
    path = following.path_of(collection)
    found = path.bring(record.data, record.schema_number, language=actor.language)
    if found.problems:
        raise RecordInvalid(
            " ".join(f"{each.pointer}: {each.detail}" for each in found.problems[:5]),
            fields=[
                FieldError(f"data{each.pointer.replace('/', '.')}", each.code, each.detail)
                for each in found.problems[:50]
            ],
        )
    before, number = dict(record.data), record.schema_number
    changed = records.rewrite(collection, record, found.value, actor, RevisionKind.MIGRATED)
    following.follow_sources(changed, before, {name: path.renamed(name, number) for name in before})
    return changed
