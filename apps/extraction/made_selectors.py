"""Reads of what models made up in operations. For callers that have settled who asks."""

from __future__ import annotations

from uuid import UUID

from apps.extraction.models import Collection, FieldSource, Record
from apps.extraction.types import GENERATED


def list_made_titles(operation_id: UUID, *, without: UUID | None = None) -> list[str]:
    """Of records that an operation made up, in their order, as they are called now."""
    made = FieldSource.objects.filter(operation_id=operation_id, method=GENERATED).values("record")
    rows = Record.objects.filter(pk__in=made, deleted_at=None).exclude(pk=without)
    return list(rows.order_by("created_at", "pk").values_list("title", flat=True))


def list_newest_titles(collection: Collection, count: int) -> list[str]:
    rows = Record.objects.filter(collection=collection, deleted_at=None).order_by("-created_at", "-id")
    return list(rows.values_list("title", flat=True)[:count])
