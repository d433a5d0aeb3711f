"""Another schema for a collection: what it would break before it is there, and how records follow it afterwards."""

from __future__ import annotations

from collections.abc import Sequence
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

#: A trial reads so many records, the newest first; the operation that brings them along counts them all.
MOST_TRIED = 10_000


def try_schema(
    *,
    actor: Actor,
    collection_id: UUID,
    document: dict[str, Any] | None = None,
    unique_keys: Sequence[Sequence[str]] | None = None,
    needed: Sequence[str] | None = None,
) -> dict[str, Any]:
    """What this document, these keys and needs (without: those of today) would change, which of that breaks, and what it would mean for
    the records there are. Writes nothing.
    """
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
    wanted = [names.get(name, name) for name in collection.needed]
    tally, doubles, incomplete = migrating.Tally(), migrating.KeyTally(keys if unique_keys is None else unique_keys), 0
    rows = selectors.list_records(collection=collection).order_by("-created_at", "-pk")
    for row in rows[:MOST_TRIED].iterator(chunk_size=1000):
        found = path.bring(row.data, row.schema_number, language=actor.language)
        tally.note(row.pk, row.title, found.problems)
        doubles.note(row.pk, row.title, found.value)
        incomplete += bool(shape.missing(wanted if needed is None else needed, found.value))
    return {
        "changes": migrating.told(changes.items),
        "breaks": changes.breaks,
        "total": selectors.list_records(collection=collection).count(),
        **tally.as_json(),
        "duplicate_keys": doubles.as_json(),
        "incomplete": incomplete,
    }


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
