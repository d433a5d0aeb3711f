"""Reads of what gives and takes rights beside a role of one's own: teams, denials, service accounts. As ``selectors``, for a viewer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Now

from apps.accounts import policies
from apps.accounts.models import (
    Denial,
    Invitation,
    Organization,
    OrganizationMember,
    Project,
    ProjectMember,
    ProjectTeam,
    ServiceAccount,
    Team,
    TeamMember,
)
from apps.accounts.selectors import (
    get_member,
    in_my_organizations,
    organization_role,
    visible_invitations,
    visible_members,
)
from apps.accounts.types import Actor, ActorKind, OrganizationRole, ProjectRole
from apps.core.doors.handovers import handovers
from apps.core.errors import NotFound


def visible_teams(viewer: Actor) -> QuerySet[Team]:
    """Teams of the viewer's organizations, each with ``is_mine`` and ``is_manager``; guests see those they are in."""
    rows = Team.objects.filter(deleted_at=None, organization__deleted_at=None)
    if viewer.kind == ActorKind.SYSTEM:
        return rows
    mine = TeamMember.objects.filter(team=OuterRef("pk"), user=viewer.user_id)
    may_list = Q(role__in=policies.ORGANIZATION_PERMISSIONS["list_teams"])
    rows = rows.annotate(is_mine=Exists(mine), is_manager=Exists(mine.filter(is_manager=True)))
    return rows.filter(in_my_organizations(viewer, may_list) | (in_my_organizations(viewer, Q()) & Q(is_mine=True)))


def get_team(team_id: UUID, viewer: Actor) -> Team:
    if (found := visible_teams(viewer).filter(pk=team_id).first()) is None:
        raise NotFound
    return found


def lock_team(team_id: UUID, viewer: Actor) -> Team:
    if (found := visible_teams(viewer).select_for_update(of=("self",)).filter(pk=team_id).first()) is None:
        raise NotFound
    return found


def list_team_members(team: Team) -> QuerySet[TeamMember]:
    """Of a team the caller got from ``get_team``, by name."""
    return TeamMember.objects.select_related("user").filter(team=team).order_by("user__name", "pk")


def visible_project_teams(project: Project) -> QuerySet[ProjectTeam]:
    """Teams with a role in a project the caller got from ``get_project``."""
    return ProjectTeam.objects.select_related("team").filter(project=project, team__deleted_at=None)


def open_invitations(viewer: Actor, organization_id: UUID) -> QuerySet[Invitation]:
    """By address."""
    rows = visible_invitations(viewer).filter(organization=organization_id, expires_at__gt=Now())
    return rows.filter(accepted_at=None, revoked_at=None).order_by("email", "pk")


def visible_denials(viewer: Actor) -> QuerySet[Denial]:
    """For those who may deny in the organization, and for managers of the project that it is for. Expired ones too."""
    rows = Denial.objects.select_related("user", "team", "project").filter(organization__deleted_at=None)
    if viewer.kind == ActorKind.SYSTEM:
        return rows
    managed = Q(project__in=Project.objects.visible_to(viewer, at_least=ProjectRole.MANAGER).values("pk"))
    return rows.filter(in_my_organizations(viewer, Q(role__in=policies.ORGANIZATION_PERMISSIONS["deny"])) | managed)


def list_denials_in(project: Project, viewer: Actor) -> list[Denial]:
    """Those in force for a project, its own and those of all the organization, as far as the viewer may know of them."""
    in_force = Q(expires_at=None) | Q(expires_at__gt=Now())
    here = Q(project=project) | Q(project=None, organization=project.organization_id)
    return list(visible_denials(viewer).filter(in_force, here).order_by("-created_at")[:500])


def list_people_of(project: Project, viewer: Actor) -> QuerySet[OrganizationMember]:
    """Everybody of the organization whom the viewer may know of, by name: also who cannot get at the project."""
    rows = visible_members(viewer).filter(organization=project.organization_id)
    return rows.order_by("user__name", "user__email")


def may_deny_somewhere(viewer: Actor) -> bool:
    """Is there an organization, or a project, in which they may deny something?"""
    allowed = policies.ORGANIZATION_PERMISSIONS["deny"]
    if viewer.user_id is None:
        return False
    is_admin = Exists(OrganizationMember.objects.filter(user=viewer.user_id, role__in=allowed))
    managed = Project.objects.visible_to(viewer, at_least=ProjectRole.MANAGER)
    return Project.objects.filter(is_admin | Q(pk__in=managed.values("pk"))).exists()


def manages_service_accounts(viewer: Actor) -> bool:
    """Is there an organization whose service accounts are theirs to manage?"""
    allowed = policies.ORGANIZATION_PERMISSIONS["manage_service_accounts"]
    return OrganizationMember.objects.filter(user_id=viewer.user_id, role__in=allowed).exists()


def manages_organization(viewer: Actor) -> bool:
    """Any: its rules are theirs to see."""
    allowed = policies.ORGANIZATION_PERMISSIONS["manage"]
    return OrganizationMember.objects.filter(user_id=viewer.user_id, role__in=allowed).exists()


def lock_denial(denial_id: UUID, viewer: Actor) -> Denial:
    if (found := visible_denials(viewer).select_for_update(of=("self",)).filter(pk=denial_id).first()) is None:
        raise NotFound
    return found


def visible_service_accounts(viewer: Actor) -> QuerySet[ServiceAccount]:
    """For those who manage them, each with the ``role`` of the program in its organization."""
    belongs = OrganizationMember.objects.filter(organization=OuterRef("organization"), user=OuterRef("user"))
    rows = ServiceAccount.objects.select_related("user").filter(
        Exists(belongs), organization__deleted_at=None, user__anonymized_at=None
    )
    rows = rows.annotate(role=Subquery(belongs.values("role")[:1]))
    if viewer.kind == ActorKind.SYSTEM:
        return rows
    allowed = policies.ORGANIZATION_PERMISSIONS["manage_service_accounts"]
    return rows.filter(in_my_organizations(viewer, Q(role__in=allowed)))


def get_service_account(service_account_id: UUID, viewer: Actor) -> ServiceAccount:
    if (found := visible_service_accounts(viewer).filter(pk=service_account_id).first()) is None:
        raise NotFound
    return found


def lock_service_account(service_account_id: UUID, viewer: Actor) -> ServiceAccount:
    rows = visible_service_accounts(viewer).select_for_update(of=("self",))
    if (found := rows.filter(pk=service_account_id).first()) is None:
        raise NotFound
    return found


def roles_of_people(organization_id: UUID, user_ids: Iterable[UUID]) -> list[OrganizationRole]:
    """The roles in the organization of those of them who belong to it."""
    rows = OrganizationMember.objects.filter(organization=organization_id, user__in=list(user_ids))
    return [OrganizationRole(role) for role in rows.values_list("role", flat=True)]


# What somebody leaves


@dataclass(frozen=True, slots=True)
class Belongings:
    """What would be without anybody: projects that nobody else was added to as a manager, and things of other apps by their title."""

    member: OrganizationMember
    projects: list[Project]
    things: dict[str, tuple[str, int]]

    @property
    def is_anything(self) -> bool:
        return bool(self.projects) or any(count for _title, count in self.things.values())


def get_belongings(member_id: UUID, viewer: Actor) -> Belongings:
    """One's own, or as somebody who may remove the member. Of private conversations it says nothing, not even how many there are."""
    member = get_member(member_id, viewer)
    mine, held = organization_role(viewer, member.organization_id), OrganizationRole(member.role)
    policies.require(policies.can_remove_member(viewer, mine, user_id=member.user_id, held=held))
    things = {each.name: (str(each.title), each.count(member.organization_id, member.user_id)) for each in handovers}
    return Belongings(member, list(projects_managed_alone(member)), things)


def projects_managed_alone(member: OrganizationMember) -> QuerySet[Project]:
    """By a row of their own, and no other person in use has one. Owners and admins manage them as all others."""
    managers = ProjectMember.objects.filter(project=OuterRef("pk"), role=ProjectRole.MANAGER)
    others = managers.filter(user__is_active=True, user__is_service=False).exclude(user=member.user_id)
    rows = Project.objects.filter(organization=member.organization_id, deleted_at=None)
    return rows.filter(Exists(managers.filter(user=member.user_id)), ~Exists(others)).order_by("name", "pk")


def list_heirs(member: OrganizationMember, viewer: Actor) -> QuerySet[OrganizationMember]:
    """Whom the viewer may name to have what the member leaves, by name. Guests may name nobody: an owner gets it."""
    rows = visible_members(viewer).filter(organization=member.organization_id)
    return rows.filter(fit_to_inherit()).exclude(user=member.user_id).order_by("user__name", "user__email")


def fit_to_inherit() -> Q:
    """People, not programs or guests, whose account is in use."""
    return Q(role__in=policies.HEIRS, user__is_active=True, user__is_service=False)


#: Who answers for an organization: an owner whose account is in use, never a program.
OWNS = Q(role=OrganizationRole.OWNER, user__is_active=True, user__is_service=False)


def other_people(user_id: UUID | None) -> QuerySet[OrganizationMember]:
    """Members besides this person; programs are nobody."""
    return OrganizationMember.objects.filter(user__is_service=False).exclude(user=user_id)


def list_only_owned(viewer: Actor) -> list[Organization]:
    """Organizations that would be left to people without an owner: ``LastOwner`` holds the person."""
    others = other_people(viewer.user_id).filter(organization=OuterRef("pk"))
    mine = OrganizationMember.objects.filter(user=viewer.user_id, role=OrganizationRole.OWNER).values("organization")
    alone = ~Exists(others) & Q(is_home=False)  # goes with them
    found = Organization.objects.filter(~alone, pk__in=mine).exclude(Exists(others.filter(OWNS)))
    return list(found.order_by("name", "pk"))
