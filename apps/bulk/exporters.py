"""What operations add to an export: what was asked for and what came of it. Items are downloaded from the operation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from apps.accounts.types import Actor
from apps.bulk import selectors
from apps.bulk.models import COUNTED
from apps.core.doors.exporters import Exporter, ExportScope, exporters


def rows(scope: ExportScope) -> Iterator[dict[str, Any]]:
    viewer = scope.viewer
    assert isinstance(viewer, Actor)
    found = selectors.visible_to(viewer).filter(organization_id=scope.organization_id)
    if scope.project_id:
        found = found.filter(project_id=scope.project_id)
    for operation in found.order_by("created_at", "pk").iterator(chunk_size=500):
        yield {
            "id": str(operation.pk),
            "project": str(operation.project_id),
            "kind": operation.kind,
            "params": operation.params,
            "status": operation.status,
            "counts": {name: getattr(operation, name) for name in COUNTED},
            "created_at": operation.created_at.isoformat(),
        }


def register() -> None:
    exporters.register("bulk_operations", Exporter("bulk_operations", rows))
