"""Reads of what models made up in operations. For callers that have settled who asks."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from apps.accounts.types import SYSTEM
from apps.bulk import selectors as operations
from apps.bulk.types import FINAL
from apps.extraction.models import Collection, ExtractionRun, FieldSource, Proposal, Record
from apps.extraction.types import GENERATED


def list_made_titles(operation_id: UUID, *, organization_id: UUID, without: UUID | None = None) -> list[str]:
    """Of records that an operation made up, in their order, as they are called now; then of all that it suggested, as it called them,
    whatever became of them.
    """
    made = FieldSource.objects.filter(operation_id=operation_id, method=GENERATED).values("record")
    rows = Record.objects.filter(pk__in=made, deleted_at=None).exclude(pk=without)
    suggested = Proposal.objects.filter(run__organization=organization_id, run__operation_id=operation_id)
    return [
        *rows.order_by("created_at", "pk").values_list("title", flat=True),
        *suggested.order_by("number").values_list("entity_id", flat=True),
    ]


def still_making(runs: Iterable[ExtractionRun]) -> set[UUID]:
    """Of runs the caller may see, those of operations that go on. Whoever sees what is suggested may know that more comes."""
    wanted = {run.operation_id: run.pk for run in runs if run.operation_id}
    if not wanted:
        return set()
    rows = operations.list_operations(SYSTEM).filter(pk__in=wanted).exclude(status__in=FINAL)
    return {wanted[pk] for pk in rows.order_by().values_list("pk", flat=True)}


def list_newest_titles(collection: Collection, count: int) -> list[str]:
    rows = Record.objects.filter(collection=collection, deleted_at=None).order_by("-created_at", "-id")
    return list(rows.values_list("title", flat=True)[:count])
