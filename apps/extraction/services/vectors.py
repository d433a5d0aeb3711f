"""Vectors of records: which are due, kept when the model gave them, and who is near whom by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Now

from apps.accounts.policies import require
from apps.accounts.types import Actor
from apps.core import jobs, leases, preferences
from apps.extraction import meaning, policies
from apps.extraction.models import Collection, Record, RecordVector
from apps.llm import services as llm
from apps.llm.embedding import MOST_TEXTS

LEASE_SECONDS = 180.0
MOST_ATTEMPTS = 5
#: A provider that is not there is looked for again after so long.
AWAY_SECONDS = 600.0
QUEUED_AT_ONCE = 5_000

_MISSING = """
INSERT INTO extraction_recordvector (
  id, created_at, updated_at, organization_id, collection_id, record_id, model_id, is_due, attempts)
SELECT gen_random_uuid(), now(), now(), record.organization_id, record.collection_id, record.id, %(nobody)s, true, 0
FROM extraction_record record
JOIN extraction_collection collection ON collection.id = record.collection_id AND collection.deleted_at IS NULL
WHERE record.project_id = %(project)s AND record.deleted_at IS NULL
  AND NOT EXISTS (SELECT FROM extraction_recordvector there WHERE there.record_id = record.id)
LIMIT %(most)s ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class VectorsWanted:
    """Records of one project, with what they say now."""

    organization_id: UUID
    project_id: UUID
    model_id: UUID
    records: tuple[UUID, ...]
    texts: tuple[str, ...]


@transaction.atomic
def claim_vectors(*, actor: Actor) -> VectorsWanted | None:
    """What has waited longest, as much as one call takes; held until it is kept or its lease lapses. None: nothing is due."""
    require(policies.is_system(actor))
    due = RecordVector.objects.filter(leases.is_free(), is_due=True, attempts__lt=MOST_ATTEMPTS)
    first = due.order_by("updated_at").values_list("record__project_id", flat=True).first()
    if first is None:
        return None
    rows = due.filter(record__project_id=first).select_for_update(of=("self",), skip_locked=True)
    held = list(rows.select_related("record").defer("vector", "record__words").order_by("updated_at")[:MOST_TEXTS])
    if not held:
        return None
    record = held[0].record
    name = meaning.model_named_for(record)
    mine = RecordVector.objects.filter(pk__in=[row.pk for row in held])
    if not name:
        mine.delete()
        return None
    model = llm.ensure_embedder(actor=actor, organization_id=record.organization_id, reference=name)
    if model is None:
        mine.update(lease_until=leases.until(AWAY_SECONDS))
        return None
    for row in held:
        RecordVector.objects.filter(pk=row.pk).update(
            attempts=row.attempts + 1, lease_until=leases.until(LEASE_SECONDS)
        )
    return VectorsWanted(
        record.organization_id,
        record.project_id,
        model.pk,
        tuple(row.record_id for row in held),
        tuple(row.record.text for row in held),
    )


@transaction.atomic
def keep_vectors(*, actor: Actor, wanted: VectorsWanted, vectors: Sequence[Sequence[float]]) -> list[UUID]:
    """Of records that still say what they said; the others are due again. Gives the ids of those that were kept."""
    require(policies.is_system(actor))
    rows = RecordVector.objects.filter(organization_id=wanted.organization_id, record__in=wanted.records)
    held = {row.record_id: row for row in rows.defer("vector").select_for_update(of=("self",)).order_by("pk")}
    now = dict(Record.objects.filter(pk__in=held, deleted_at=None).values_list("pk", "text"))
    kept = []
    for record_id, text, vector in zip(wanted.records, wanted.texts, vectors, strict=True):
        if record_id not in held:
            continue
        row = RecordVector.objects.filter(pk=held[record_id].pk)
        if now.get(record_id) != text:
            row.update(lease_until=None)
            continue
        row.update(
            vector=list(vector), model_id=wanted.model_id, is_due=False, attempts=0, lease_until=None, updated_at=Now()
        )
        kept.append(record_id)
    return kept


@transaction.atomic
def put_off_vectors(*, actor: Actor, wanted: VectorsWanted, seconds: float) -> None:
    """The model did not answer. After five times nobody asks again until the record is written anew."""
    require(policies.is_system(actor))
    rows = RecordVector.objects.filter(organization_id=wanted.organization_id, record__in=wanted.records, is_due=True)
    rows.update(lease_until=leases.until(seconds), updated_at=Now())


def hint_vectors(*, actor: Actor) -> bool:
    """Whether something is due; then a job is asked to see to it."""
    require(policies.is_system(actor))
    is_due = RecordVector.objects.filter(leases.is_free(), is_due=True, attempts__lt=MOST_ATTEMPTS).exists()
    if is_due:
        jobs.hint("extraction.embed")
    return is_due


@transaction.atomic
def queue_vectors(*, actor: Actor) -> int:
    """Records that were there before a model was chosen, or have a vector of another one; where none is chosen any more, vectors go."""
    require(policies.is_system(actor))
    places = set(Collection.objects.filter(deleted_at=None).values_list("organization_id", "project_id").distinct())
    done = 0
    for organization_id, project_id in sorted(places):
        name = preferences.get(meaning.EMBEDDING_MODEL, organization=organization_id, project=project_id)
        rows = RecordVector.objects.filter(organization_id=organization_id, record__project_id=project_id)
        if not str(name).strip():
            gone = list(rows.values_list("pk", flat=True)[:QUEUED_AT_ONCE])
            RecordVector.objects.filter(pk__in=gone).delete()
            continue
        model = llm.ensure_embedder(actor=actor, organization_id=organization_id, reference=str(name))
        if model is None:
            continue
        others = list(
            rows.filter(is_due=False).exclude(model_id=model.pk).values_list("pk", flat=True)[:QUEUED_AT_ONCE]
        )
        done += RecordVector.objects.filter(pk__in=others).update(is_due=True, attempts=0)
        # What was given up is asked for again once a day.
        rows.filter(is_due=True, attempts__gte=MOST_ATTEMPTS, updated_at__lt=Now() - timedelta(days=1)).update(
            attempts=0
        )
        with connection.cursor() as cursor:
            cursor.execute(_MISSING, {"project": project_id, "nobody": UUID(int=0), "most": QUEUED_AT_ONCE})
            done += cursor.rowcount
    return done
