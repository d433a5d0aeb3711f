"""Every shared read of people, organizations and projects, for a viewer. What a viewer may not know of is not found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from apps.accounts import policies
from apps.accounts.models import (
    ApiKey,
    AuditEntry,
    Invitation,
    Organization,
    OrganizationMember,
    Project,
    ProjectMember,
    Pseudonym,
    User,
    UserSession,
    denies,
    who_see_any,
    with_roles_in,
)
from apps.accounts.types import ACCOUNTS, Actor, ActorKind, OrganizationRole, Permission, ProjectRole
from apps.accounts.viewers import ForViewer as ForViewer  # noqa: PLC0414  (where others look for it)
from apps.core.errors import NotFound


@dataclass(frozen=True, slots=True)
class Person:
    """What others in a project may know of somebody."""

    id: UUID
    name: str
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class ProjectPerson:
    id: UUID
    name: str
    role: ProjectRole


# Projects


def visible_projects(viewer: Actor, *, at_least: ProjectRole = ProjectRole.VIEWER) -> QuerySet[Project]:
    """Projects the viewer may see, each with what ``role_in`` asks of them."""
    return Project.objects.visible_to(viewer, at_least=at_least).with_roles_of(viewer.user_id)


def project_filter(viewer: Actor, field: str = "project", *, at_least: ProjectRole = ProjectRole.VIEWER) -> Q:
    """For ``visible_to`` of other apps: rows whose ``field`` is a project in which the viewer has that role or more.

    One subquery, evaluated by the database; ``field="pk"`` filters projects themselves.
    """
    return Q(**{f"{field}__in": _project_ids.part(viewer, at_least)})


_project_ids: ForViewer[Any] = ForViewer(
    lambda viewer, at_least: Project.objects.visible_to(viewer, at_least=at_least).values("pk")
)


def denied_filter(viewer: Actor, field: str = "project", *, permission: Permission = Permission.VIEW) -> Q:
    """Rows whose ``field`` is a project in which a denial takes that permission from the viewer, in force now.

    For apps whose objects can be granted without a role in the project: ``~denied_filter(…)`` is asked last, after every grant.
    ``project_filter`` knows the denials already.
    """
    if viewer.kind == ActorKind.SYSTEM or viewer.user_id is None:
        return Q(pk__in=[])
    least = policies.PROJECT_PERMISSIONS[permission.value]
    return Q(**{f"{field}__in": Project.objects.denied_to(viewer.user_id, least=least).values("pk")})


def role_in(viewer: Actor, project: Project) -> ProjectRole | None:
    """The viewer's role in a project that came from ``visible_projects``; asks no database."""
    if viewer.kind == ActorKind.SYSTEM:
        return ProjectRole.MANAGER
    return policies.effective_role(
        organization_role=project.organization_role,  # type: ignore[attr-defined]
        member_role=project.member_role,  # type: ignore[attr-defined]
        team_role=project.team_role,  # type: ignore[attr-defined]
        denied=project.denied,  # type: ignore[attr-defined]
        access=project.access,
    )


def get_project(project_id: UUID, viewer: Actor) -> Project:
    """With its roles for ``role_in``. Raises ``NotFound`` for strangers."""
    if (found := _project.first(viewer, pk=project_id)) is None:
        raise NotFound
    return found


def lock_project(project_id: UUID, viewer: Actor) -> Project:
    """As ``get_project``, and the row is locked until the end of the transaction."""
    if (found := visible_projects(viewer).select_for_update(of=("self",)).filter(pk=project_id).first()) is None:
        raise NotFound
    return found


def project_role(actor: Actor, project_id: UUID) -> ProjectRole | None:
    """The actor's role in the project; None for strangers, for keys of another place, and for what is deleted."""
    found = _project.first(actor, pk=project_id)
    return role_in(actor, found) if found is not None else None


_project: ForViewer[Project] = ForViewer(
    lambda viewer, *, pk: visible_projects(viewer).select_related("organization").filter(pk=pk)[:1]
)


def list_people_of_project(project: Project, viewer: Actor) -> list[ProjectPerson]:
    """Everybody who can see the project, by name. Two queries."""
    if viewer.kind != ActorKind.SYSTEM and project_role(viewer, project.pk) is None:
        raise NotFound
    rows = OrganizationMember.objects.filter(organization=project.organization_id, user__is_active=True)
    people = []
    for row in with_roles_in(project, rows.select_related("user")):
        role = policies.effective_role(
            organization_role=row.role,
            member_role=row.member_role,  # type: ignore[attr-defined]
            team_role=row.team_role,  # type: ignore[attr-defined]
            denied=row.denied,  # type: ignore[attr-defined]
            access=project.access,
        )
        if role is not None:
            people.append(ProjectPerson(row.user_id, row.user.display_name, role))
    return sorted(people, key=lambda person: person.name.casefold())


def list_people_of_projects(viewer: Actor, *, limit: int = 500) -> list[Person]:
    """Everybody who can see one of the viewer's projects at least, by name. One query."""
    projects = Project.objects.filter(project_filter(viewer, "pk"))
    rows = OrganizationMember.objects.filter(user__is_active=True, organization__in=projects.values("organization"))
    rows = rows.select_related("user")  # of few organizations: what each may see is asked for each of their members
    people = {row.user_id: row.user for row in who_see_any(projects, rows).order_by("user__name", "pk")[:limit]}
    found = [Person(pk, user.display_name) for pk, user in people.items()]
    return sorted(found, key=lambda person: person.name.casefold())


# Organizations


def visible_organizations(viewer: Actor) -> QuerySet[Organization]:
    """Organizations the viewer belongs to, each with the viewer's ``role``."""
    rows = Organization.objects.filter(deleted_at=None)
    if viewer.kind == ActorKind.SYSTEM:
        return rows
    if viewer.user_id is None or viewer.kind not in ACCOUNTS:
        return rows.none()
    if viewer.organization_id is not None:
        rows = rows.filter(pk=viewer.organization_id)
    mine = OrganizationMember.objects.filter(organization=OuterRef("pk"), user=viewer.user_id)
    return rows.filter(Exists(mine)).annotate(role=Subquery(mine.values("role")[:1]))


def list_organization_ids(viewer: Actor) -> list[UUID]:
    return _organization_ids.fetch(viewer)


_organization_ids: ForViewer[Any] = ForViewer(
    lambda viewer: visible_organizations(viewer).order_by().values_list("pk", flat=True)
)


def organization_role(actor: Actor, organization_id: UUID) -> OrganizationRole | None:
    """What the actor is in the organization; a key limited to one project is a guest at most. None for strangers."""
    if actor.kind == ActorKind.SYSTEM:
        return OrganizationRole.OWNER
    role = visible_organizations(actor).filter(pk=organization_id).values_list("role", flat=True).first()
    return policies.effective_organization_role(actor, OrganizationRole(role)) if role else None


def get_organization(organization_id: UUID, viewer: Actor) -> Organization:
    if (found := visible_organizations(viewer).filter(pk=organization_id).first()) is None:
        raise NotFound
    return found


def lock_organization(organization_id: UUID, viewer: Actor) -> Organization:
    rows = visible_organizations(viewer).select_for_update(of=("self",))
    if (found := rows.filter(pk=organization_id).first()) is None:
        raise NotFound
    return found


def role_of(viewer: Actor, organization: Organization) -> OrganizationRole | None:
    """The viewer's role in an organization that came from ``visible_organizations``; asks no database."""
    if viewer.kind == ActorKind.SYSTEM:
        return OrganizationRole.OWNER
    return policies.effective_organization_role(viewer, OrganizationRole(organization.role))  # type: ignore[attr-defined]


# People


def display_people(ids: Iterable[UUID | None]) -> dict[UUID, Person]:
    """Names to show beside what people wrote, for rows the caller has already been allowed to see. One query."""
    wanted = {each for each in ids if each is not None}
    if not wanted:
        return {}
    rows = User.objects.filter(pk__in=wanted).only("id", "name", "email", "is_active", "anonymized_at")
    return {user.pk: Person(user.pk, user.display_name, user.is_active) for user in rows}


def get_user(user_id: UUID) -> User:
    """The person as a row, for their own profile and for engines that already hold the actor."""
    if (found := User.objects.filter(pk=user_id).first()) is None:
        raise NotFound
    return found


def other_operators(user_id: UUID) -> QuerySet[User]:
    """Who runs the installation besides this person."""
    return User.objects.filter(is_superuser=True, is_active=True, anonymized_at=None).exclude(pk=user_id)


def is_only_operator(viewer: Actor) -> bool:
    """The installation would be left to nobody without them: ``LastOperator`` holds them."""
    user = get_user(viewer.user_id) if viewer.user_id else None
    return user is not None and user.is_superuser and not other_operators(user.pk).exists()


def lock_own_session(*, session_id: UUID, viewer: Actor) -> UserSession:
    rows = UserSession.objects.select_for_update().filter(user=viewer.user_id)
    if (found := rows.filter(pk=session_id).first()) is None:
        raise NotFound
    return found


def list_own_sessions(viewer: Actor) -> QuerySet[UserSession]:
    """Those in force, of the person themselves."""
    return UserSession.objects.in_force().filter(user=viewer.user_id)


# Members, invitations, keys


def visible_members(viewer: Actor) -> QuerySet[OrganizationMember]:
    """Members of the viewer's organizations; guests see only themselves. With the person."""
    rows = OrganizationMember.objects.select_related("user").filter(organization__deleted_at=None)
    if viewer.kind == ActorKind.SYSTEM:
        return rows
    may_list = Q(role__in=policies.ORGANIZATION_PERMISSIONS["list_members"])
    return rows.filter(in_my_organizations(viewer, may_list) | _mine(viewer))


def lock_member(member_id: UUID, viewer: Actor) -> OrganizationMember:
    """With the owners beside it, all in one order: owners who leave at once wait in a row, and the second finds itself the last."""
    member = get_member(member_id, viewer)
    wanted = Q(pk=member_id) | Q(organization=member.organization_id, role=OrganizationRole.OWNER)
    rows = visible_members(viewer).select_for_update(of=("self",)).filter(wanted).order_by("pk")
    if (found := next((row for row in rows if row.pk == member_id), None)) is None:
        raise NotFound
    return found


def get_member(member_id: UUID, viewer: Actor) -> OrganizationMember:
    if (found := visible_members(viewer).filter(pk=member_id).first()) is None:
        raise NotFound
    return found


def belongs(*, user: str, organization: str = "organization") -> Exists:
    """For queries of other apps: is the person of column ``user`` still a member of the organization of that row?"""
    return Exists(OrganizationMember.objects.filter(user=OuterRef(user), organization=OuterRef(organization)))


def is_denied(*, user: str, project: str) -> Exists:
    """For queries of other apps: is the person of column ``user`` denied to see the project of column ``project`` of that row?"""
    return denies(user=user, project=project, least=ProjectRole.VIEWER)


def visible_invitations(viewer: Actor) -> QuerySet[Invitation]:
    """Open and past ones, for those who manage members."""
    rows = Invitation.objects.select_related("project").filter(organization__deleted_at=None)
    if viewer.kind == ActorKind.SYSTEM:
        return rows
    return rows.filter(in_my_organizations(viewer, Q(role__in=policies.ORGANIZATION_PERMISSIONS["manage_members"])))


def visible_api_keys(viewer: Actor) -> QuerySet[ApiKey]:
    """One's own, and for admins those of their organizations. A key that is limited to a project sees only its like."""
    rows = ApiKey.objects.select_related("user", "project").filter(organization__deleted_at=None)
    if viewer.kind == ActorKind.SYSTEM:
        return rows
    if viewer.project_id is not None:
        rows = rows.filter(project=viewer.project_id)
    managed = in_my_organizations(viewer, Q(role__in=policies.ORGANIZATION_PERMISSIONS["manage"]))
    return rows.filter(managed | _mine(viewer))


def get_api_key(key_id: UUID, viewer: Actor) -> ApiKey:
    if (found := visible_api_keys(viewer).filter(pk=key_id).first()) is None:
        raise NotFound
    return found


def lock_api_key(key_id: UUID, viewer: Actor) -> ApiKey:
    if (found := visible_api_keys(viewer).select_for_update(of=("self",)).filter(pk=key_id).first()) is None:
        raise NotFound
    return found


def visible_project_members(project: Project) -> QuerySet[ProjectMember]:
    """Rows of their own in a project the caller got from ``get_project``."""
    return ProjectMember.objects.select_related("user").filter(project=project)


def in_my_organizations(viewer: Actor, role: Q) -> Q:
    """Rows of organizations in which the viewer has such a role; none for a key that is limited to a project."""
    if viewer.user_id is None or viewer.project_id is not None:
        return Q(pk__in=[])
    mine = OrganizationMember.objects.filter(role, user=viewer.user_id)
    if viewer.organization_id is not None:
        mine = mine.filter(organization=viewer.organization_id)
    return Q(organization__in=mine.values("organization"))


def _mine(viewer: Actor) -> Q:
    if viewer.user_id is None:
        return Q(pk__in=[])
    own = Q(user=viewer.user_id)
    if viewer.organization_id is not None:
        own &= Q(organization=viewer.organization_id)
    return own


# Audit


def reads_some_audit(viewer: Actor) -> bool:
    """Is there an organization whose audit log is theirs to read?"""
    allowed = policies.ORGANIZATION_PERMISSIONS["read_audit"]
    return OrganizationMember.objects.filter(user_id=viewer.user_id, role__in=allowed).exists()


def list_audit(
    *,
    viewer: Actor,
    organization_id: UUID,
    action: str | None = None,
    outcome: str | None = None,
    person_id: UUID | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[AuditEntry]:
    """``person_id`` is a user; the log knows a pseudonym. ``NotFound`` for strangers, ``Forbidden`` for members who do not manage the organization."""
    role = organization_role(viewer, organization_id)
    if role is None:
        raise NotFound
    policies.require(policies.can_read_audit(viewer, role))
    rows = AuditEntry.objects.filter(organization_id=organization_id)
    if action:
        rows = rows.filter(action=action)
    if outcome:
        rows = rows.filter(outcome=outcome)
    if person_id:
        rows = rows.filter(actor__in=Pseudonym.objects.filter(user_id=person_id).values("pk"))
    if since:
        rows = rows.filter(occurred_at__gte=since)
    if until:
        rows = rows.filter(occurred_at__lt=until)
    return rows


def display_pseudonyms(ids: Iterable[UUID | None]) -> dict[UUID, Person]:
    """The people behind the audit log's names, as far as they are still known. One query."""
    rows = Pseudonym.objects.select_related("user").filter(pk__in={each for each in ids if each is not None})
    return {row.pk: Person(row.user_id, row.user.display_name, row.user.is_active) for row in rows}
