"""Where the viewer is: the project and organization that pages speak of."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.http import HttpRequest

from apps.accounts import selectors
from apps.accounts.models import Organization, Project
from apps.accounts.types import Actor

SESSION_KEY = "project"


@dataclass(frozen=True, slots=True)
class Place:
    """An organization with its projects, for the switch at the top of the sidebar."""

    organization: Organization
    projects: list[Project]


def list_projects(request: HttpRequest) -> list[Project]:
    """Once per request: sidebar, search page and settings all ask for it."""
    if not hasattr(request, "_projects"):
        request._projects = _projects.fetch(request.actor)  # type: ignore[attr-defined]  # noqa: SLF001
    return request._projects  # type: ignore[attr-defined]  # noqa: SLF001


_projects: selectors.ForViewer[Project] = selectors.ForViewer(
    lambda viewer: (
        selectors.visible_projects(viewer)
        .filter(archived_at=None)
        .select_related("organization")
        .order_by("organization__name", "name")
    )
)


def list_places(request: HttpRequest) -> list[Place]:
    places: dict[UUID, Place] = {}
    for project in list_projects(request):
        place = places.setdefault(project.organization_id, Place(project.organization, []))
        place.projects.append(project)
    return list(places.values())


def find_project(request: HttpRequest) -> Project | None:
    """The project of what is shown (a view says so with ``request.project``), else the one chosen last, else the oldest: who is
    added to another one stays where they are.
    """
    if shown := getattr(request, "project", None):
        return shown
    chosen = request.session.get(SESSION_KEY)
    projects = list_projects(request)
    oldest = min(projects, key=lambda project: project.pk, default=None)
    return next((project for project in projects if str(project.pk) == chosen), oldest)


def find_organization(request: HttpRequest) -> Organization | None:
    """With the viewer's ``role``. A person without any project still has an organization to manage."""
    if not hasattr(request, "_organization"):
        viewer, project = request.actor, find_project(request)  # type: ignore[attr-defined]
        request._organization = (  # type: ignore[attr-defined]  # noqa: SLF001
            _organization.first(viewer, pk=project.organization_id)
            if project
            else selectors.visible_organizations(viewer).order_by("name").first()
        )
    return request._organization  # type: ignore[attr-defined]  # noqa: SLF001


_organization: selectors.ForViewer[Organization] = selectors.ForViewer(
    lambda viewer, *, pk: selectors.visible_organizations(viewer).filter(pk=pk)[:1]
)


def is_chosen(request: HttpRequest) -> bool:
    """A new session has chosen nothing yet."""
    return SESSION_KEY in request.session


def stay_in(request: HttpRequest, project_id: UUID) -> None:
    """What the person works in is where the next page begins. Of projects that they do not see nothing is noted."""
    if request.session.get(SESSION_KEY) == str(project_id):
        return
    if any(project.pk == project_id for project in list_projects(request)):
        request.session[SESSION_KEY] = str(project_id)


def choose_project(request: HttpRequest, project_id: UUID) -> Project:
    """Raises ``NotFound`` for a project the viewer may not see."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    project = selectors.get_project(project_id, actor)
    request.session[SESSION_KEY] = str(project.pk)
    return project
