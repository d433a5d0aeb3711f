"""What of people and projects leaves with an export, and how they are forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from apps.accounts import selectors
from apps.accounts.services import erasure
from apps.core.doors.erasers import Eraser, erasers
from apps.core.doors.exporters import Exporter, ExportScope, exporters


def _projects(scope: ExportScope) -> Iterator[dict[str, Any]]:
    """Those the viewer sees, oldest first, each with who can see it."""
    rows = selectors.visible_projects(scope.viewer).filter(organization=scope.organization_id)  # type: ignore[arg-type]
    if scope.project_id is not None:
        rows = rows.filter(pk=scope.project_id)
    for project in rows.order_by("created_at", "pk").iterator(chunk_size=50):
        people = selectors.list_people_of_project(project, scope.viewer)  # type: ignore[arg-type]
        yield {
            "id": str(project.pk),
            "name": project.name,
            "description": project.description,
            "access": project.access,
            "people": [{"id": str(each.id), "name": each.name, "role": str(each.role)} for each in people],
            "archived_at": project.archived_at.isoformat() if project.archived_at else None,
            "created_at": project.created_at.isoformat(),
        }


def _members(scope: ExportScope) -> Iterator[dict[str, Any]]:
    """As the viewer sees them, in the order they came. An export of one project names its people with the project."""
    if scope.project_id is not None:
        return
    rows = selectors.visible_members(scope.viewer).filter(organization=scope.organization_id)  # type: ignore[arg-type]
    for member in rows.order_by("created_at", "pk").iterator(chunk_size=200):
        yield {
            "id": str(member.pk),
            "user": str(member.user_id),
            "name": member.user.display_name,
            "email": member.user.email,
            "role": member.role,
            "created_at": member.created_at.isoformat(),
        }


def _erase_person(user_id: UUID) -> int:
    return erasure.forget_person(user_id=user_id)


def _erase_organization(organization_id: UUID) -> int:
    return erasure.forget_organization(organization_id=organization_id)


def register() -> None:
    exporters.register("accounts.projects", Exporter("project", _projects))
    exporters.register("accounts.members", Exporter("member", _members))
    erasers.register("accounts", Eraser("accounts", _erase_person, _erase_organization))
