"""What was deleted goes for good when it can be restored no more: records with their history, collections with their records."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from apps.accounts.policies import require
from apps.accounts.types import Actor
from apps.core.events import emit
from apps.core.types import Scope
from apps.extraction import policies
from apps.extraction.events import CollectionErased, RecordsErased
from apps.extraction.models import Collection, Proposal, Record, RecordLink
from apps.extraction.services import forgetting
from apps.extraction.types import RESTORABLE_DAYS

ERASED_AT_ONCE = 500


def erase_deleted(*, actor: Actor, limit: int = ERASED_AT_ONCE) -> int:
    """Everything that nobody can restore any more; gives how many records. The next round goes on.

    A record that others point to stays until they do so no more, and one that was joined into another as long as that one is there:
    the joining can be undone.
    """
    require(policies.is_system(actor))
    done = _erase_records(actor, _of_records()[:limit])
    for collection_id in _collections().values_list("pk", flat=True)[:10]:
        done += _erase_collection(actor, collection_id, limit)
    return done


def _edge() -> object:
    return Now() - timedelta(days=RESTORABLE_DAYS)


def _of_records() -> QuerySet[Record]:
    pointed_to = RecordLink.objects.filter(target=OuterRef("pk"), source__deleted_at=None)
    rows = Record.objects.filter(deleted_at__lte=_edge(), merged_into=None)
    return rows.filter(~Exists(pointed_to)).order_by("deleted_at")


def _collections() -> QuerySet[Collection]:
    """No field of another points to one that was deleted; an old record still may."""
    pointed_to = RecordLink.objects.filter(target__collection=OuterRef("pk")).exclude(source__collection=OuterRef("pk"))
    rows = Collection.objects.filter(deleted_at__lte=_edge())
    return rows.filter(~Exists(pointed_to)).order_by("deleted_at")


@transaction.atomic
def _erase_records(actor: Actor, rows: QuerySet[Record]) -> int:
    """With all that was joined into them, in any number of steps."""
    ids = set(rows.values_list("pk", flat=True))
    newest = ids
    while newest := set(Record.objects.filter(merged_into__in=newest).values_list("pk", flat=True)) - ids:
        ids |= newest
    held = Record.objects.filter(pk__in=ids).filter(
        Q(deleted_at__isnull=False) | Q(collection__deleted_at__isnull=False)
    )
    by_project: dict[tuple[UUID, UUID], list[UUID]] = {}
    for row in held.select_for_update(of=("self",)).order_by("pk").only("pk", "organization_id", "project_id"):
        by_project.setdefault((row.organization_id, row.project_id), []).append(row.pk)
    found = [pk for some in by_project.values() for pk in some]
    if not found:
        return 0
    RecordLink.objects.filter(Q(source__in=found) | Q(target__in=found)).delete()
    forgetting.forget_records(found)
    Record.objects.filter(pk__in=found).update(merged_into=None)
    Record.objects.filter(pk__in=found).delete()
    for (organization_id, project_id), some in by_project.items():
        scope = Scope(f"project:{project_id}", organization_id, project_id)
        emit(RecordsErased(len(some)), actor=actor, scope=scope, subject=("project", project_id))
    return len(found)


def _erase_collection(actor: Actor, collection_id: UUID, limit: int) -> int:
    done = _erase_records(actor, Record.objects.filter(collection=collection_id, merged_into=None)[:limit])
    with transaction.atomic():
        collection = _collections().select_for_update().filter(pk=collection_id).first()
        if collection is None or Record.objects.filter(collection=collection).exists():
            return done
        Proposal.objects.filter(collection=collection).delete()
        fact = CollectionErased(collection.pk, collection.visibility)
        emit(fact, actor=actor, scope=collection.scope, subject=("collection", collection.pk))
        collection.delete()
    return done
