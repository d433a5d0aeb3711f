"""What installed packs add to an export of a project or an organization, and to one's own data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from apps.accounts.types import Actor
from apps.core.doors.exporters import Exporter, ExportScope, PersonExporter, exporters, person_exporters
from apps.packs import selectors
from apps.packs.models import InstalledObject, PackInstallation


def _rows(scope: ExportScope) -> Iterator[dict[str, Any]]:
    """With what each of them brought."""
    viewer = scope.viewer
    assert isinstance(viewer, Actor)
    rows = selectors.list_installations(viewer, project_id=scope.project_id)
    row: PackInstallation
    for row in rows.filter(organization_id=scope.organization_id).order_by("created_at", "pk").iterator(chunk_size=500):
        objects: list[InstalledObject] = selectors.list_objects(row)
        yield {
            "id": str(row.pk),
            "project": str(row.project_id),
            "name": row.name,
            "prefix": row.prefix,
            "version": row.version,
            "language": row.language,
            "origin": row.origin,
            "digest": row.digest,
            "installed_by": str(row.installed_by_id) if row.installed_by_id else None,
            "created_at": row.created_at.isoformat(),
            "updated_at": row.updated_at.isoformat(),
            "objects": [
                {"kind": each.kind, "name": each.name, "id": str(each.object_id), "is_own": each.is_own}
                for each in objects
            ],
        }


def _of_person(user_id: UUID) -> dict[str, list[Mapping[str, object]]]:
    rows = PackInstallation.objects.filter(installed_by=user_id).order_by("created_at", "pk")
    return {"installed_packs": list(rows.values("id", "project_id", "name", "version", "created_at"))}


def register() -> None:
    exporters.register("installed_packs", Exporter("installed_packs", _rows))
    person_exporters.register("packs", PersonExporter("packs", _of_person))
