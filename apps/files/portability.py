"""What of files leaves with an export, and how they are forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from apps.core.doors.erasers import Eraser, erasers
from apps.core.doors.exporters import Exporter, ExportScope, exporters
from apps.files import selectors, services

CHUNK = 200


def _rows(scope: ExportScope) -> Iterator[dict[str, Any]]:
    """Each file the viewer may read, oldest first, by its digest; the words of it that were read, not its content."""
    last = None
    while files := selectors.list_of_organization(
        organization_id=scope.organization_id, project_id=scope.project_id, after=last, limit=CHUNK
    ):
        ids = [file.pk for file in files]
        allowed = selectors.visible_ids(scope.viewer, ids)  # type: ignore[arg-type]
        words = selectors.text_of(allowed)
        for file in files:
            if file.pk in allowed:
                yield {
                    "id": str(file.pk),
                    "project": str(file.project_id),
                    "owner": str(file.owner_id),
                    "name": file.name,
                    "media_type": file.media_type,
                    "size": file.size,
                    "sha256": bytes(file.blob.sha256).hex(),
                    "text": words[file.pk].text,
                    "created_at": file.created_at.isoformat(),
                }
        last = ids[-1]


def _erase_person(user_id: UUID) -> int:
    return services.forget_person(user_id=user_id)


def _erase_organization(organization_id: UUID) -> int:
    return services.forget_organization(organization_id=organization_id)


def register() -> None:
    exporters.register("files", Exporter("file", _rows))
    erasers.register("files", Eraser("files", _erase_person, _erase_organization))
