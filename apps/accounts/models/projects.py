"""Projects, and who has which role in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self
from uuid import UUID

from django.db import models
from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.accounts.models.people import OrganizationMember, TeamMember, TenantModel
from apps.accounts.types import (
    ACCOUNTS,
    Actor,
    ActorKind,
    OrganizationRole,
    Permission,
    ProjectAccess,
    ProjectRole,
    denials_against,
    roles_from,
)


class ProjectQuerySet(models.QuerySet["Project"]):
    """``visible_to`` is called by selectors only; ``policies.effective_role`` says the same in Python."""

    def with_roles_of(self, user_id: UUID | None) -> Self:
        """Adds what ``policies.effective_role`` asks of that person, None where there is none.

        ``organization_role``, ``member_role``, ``team_role`` (the highest of their teams') and ``denied`` (the most that is taken away).
        """
        return self.annotate(
            organization_role=Subquery(
                OrganizationMember.objects.filter(organization=OuterRef("organization"), user=user_id).values("role")[
                    :1
                ]
            ),
            member_role=Subquery(ProjectMember.objects.filter(project=OuterRef("pk"), user=user_id).values("role")[:1]),
            team_role=_highest(ProjectTeam.objects.filter(project=OuterRef("pk"), team__in=_teams_of(user_id))),
            denied=_most(_denials_of(user_id)),
        )

    def visible_to(self, viewer: Actor, *, at_least: ProjectRole = ProjectRole.VIEWER) -> Self:
        alive = self.filter(deleted_at=None, organization__deleted_at=None)
        if viewer.kind == ActorKind.SYSTEM:
            return alive
        if viewer.user_id is None or viewer.kind not in ACCOUNTS:
            return self.none()
        if viewer.organization_id is not None:
            alive = alive.filter(organization=viewer.organization_id)
        if viewer.project_id is not None:
            alive = alive.filter(pk=viewer.project_id)
        memberships = OrganizationMember.objects.filter(organization=OuterRef("organization"), user=viewer.user_id)
        added = ProjectMember.objects.filter(project=OuterRef("pk"), user=viewer.user_id)
        by_team = ProjectTeam.objects.filter(
            project=OuterRef("pk"), team__in=_teams_of(viewer.user_id), role__in=roles_from(at_least)
        )
        by_default = Exists(memberships.filter(role=OrganizationRole.MEMBER)) & Q(access=ProjectAccess.ORGANIZATION)
        return alive.filter(
            Exists(memberships.filter(role__in=[OrganizationRole.OWNER, OrganizationRole.ADMIN]))
            | (Exists(memberships) & (Exists(added.filter(role__in=roles_from(at_least))) | Exists(by_team)))
            | (by_default & ~Exists(added) if at_least != ProjectRole.MANAGER else Q(pk__in=[])),
            ~Exists(_denials_of(viewer.user_id).filter(permission__in=denials_against(at_least))),
        )

    def denied_to(self, user_id: UUID, *, least: ProjectRole) -> Self:
        """Projects in which a denial keeps that person from the role, whatever else they have."""
        return self.filter(Exists(_denials_of(user_id).filter(permission__in=denials_against(least))))


def _teams_of(user: Any) -> QuerySet[TeamMember, Any]:
    return TeamMember.objects.filter(user=user, team__deleted_at=None).values("team")


def _denials_of(user_id: UUID | None) -> QuerySet[Denial]:
    """About a person and their teams, for the project of the outer query."""
    return _denials(Q(user=user_id) | Q(team__in=_teams_of(user_id)), Q(project=OuterRef("pk")))


def _denials(about: Q, project: Q) -> QuerySet[Denial]:
    """Those in force, in the organization of the outer query."""
    in_force = Q(expires_at=None) | Q(expires_at__gt=Now())
    return Denial.objects.filter(about, Q(project=None) | project, in_force, organization=OuterRef("organization"))


def denies(*, user: str, project: str, least: ProjectRole) -> Exists:
    """For rows with an organization: does a denial keep the person of column ``user`` from the role in the project of the other?"""
    about = Q(user=OuterRef(user)) | Q(team__in=_teams_of(OuterRef(OuterRef(user))))
    rows = _denials(about, Q(project=OuterRef(project)))
    return Exists(rows.filter(permission__in=denials_against(least)))


def _highest(rows: QuerySet[ProjectTeam]) -> Subquery:
    return Subquery(rows.order_by(_place("role", list(ProjectRole))).values("role")[:1])


def _most(rows: QuerySet[Denial]) -> Subquery:
    return Subquery(rows.order_by(_place("permission", list(Permission))).values("permission")[:1])


def _place(field: str, values: Sequence[str]) -> Case:
    """Both lists begin with what wins over the rest."""
    return Case(*(When(**{field: value}, then=place) for place, value in enumerate(values)), default=len(values))


def with_roles_in(project: Project, members: QuerySet[OrganizationMember]) -> QuerySet[OrganizationMember]:
    """As ``with_roles_of``, the other way round: what each of the organization's members has in one project."""
    user, teams = OuterRef("user"), _teams_of(OuterRef(OuterRef("user")))
    return members.annotate(
        member_role=Subquery(ProjectMember.objects.filter(project=project.pk, user=user).values("role")[:1]),
        team_role=_highest(ProjectTeam.objects.filter(project=project.pk, team__in=teams)),
        denied=_most(_denials(Q(user=user) | Q(team__in=teams), Q(project=project.pk))),
    )


def who_see_any(projects: QuerySet[Project], members: QuerySet[OrganizationMember]) -> QuerySet[OrganizationMember]:
    """Those of the members who see at least one of the projects, as ``visible_to`` says it of one person."""
    user, teams = OuterRef(OuterRef("user")), _teams_of(OuterRef(OuterRef(OuterRef("user"))))
    added = Exists(ProjectMember.objects.filter(project=OuterRef("pk"), user=user))
    by_team = Exists(ProjectTeam.objects.filter(project=OuterRef("pk"), team__in=teams))
    denials = _denials(Q(user=user) | Q(team__in=teams), Q(project=OuterRef("pk")))
    denied = Exists(denials.filter(permission__in=denials_against(ProjectRole.VIEWER)))
    there = projects.filter(~denied, organization=OuterRef("organization"))
    named = there.filter(added | by_team)
    return members.filter(
        Q(Exists(there), role__in=[OrganizationRole.OWNER, OrganizationRole.ADMIN])
        | Q(Exists(there.filter(access=ProjectAccess.ORGANIZATION)), role=OrganizationRole.MEMBER)
        | Exists(named)
    )


class Project(TenantModel):
    version = models.PositiveIntegerField(default=1, editable=False)
    name = models.CharField(_("name"), max_length=120)
    description = models.CharField(_("description"), max_length=500, blank=True)
    access = models.CharField(max_length=12, choices=ProjectAccess.choices, default=ProjectAccess.ORGANIZATION)
    archived_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        verbose_name = _("project")
        verbose_name_plural = _("projects")
        indexes = [models.Index(fields=["organization", "created_at"], name="accounts_project_organization")]

    def __str__(self) -> str:
        return self.name


class ProjectMember(TenantModel):
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="+")
    role = models.CharField(max_length=10, choices=ProjectRole.choices, default=ProjectRole.EDITOR)

    class Meta:
        verbose_name = _("project member")
        verbose_name_plural = _("project members")
        constraints = [
            models.UniqueConstraint(fields=["organization", "project", "user"], name="accounts_projectmember_once"),
            models.CheckConstraint(condition=Q(role__in=ProjectRole.values), name="accounts_projectmember_role"),
        ]
        indexes = [models.Index(fields=["user", "project"], name="accounts_projectmember_user")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.role}"


class ProjectTeam(TenantModel):
    """The role that all members of a team have in a project."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    team = models.ForeignKey("accounts.Team", on_delete=models.PROTECT, related_name="+")
    role = models.CharField(max_length=10, choices=ProjectRole.choices, default=ProjectRole.EDITOR)

    class Meta:
        verbose_name = _("project team")
        verbose_name_plural = _("project teams")
        constraints = [
            models.UniqueConstraint(fields=["organization", "project", "team"], name="accounts_projectteam_once"),
            models.CheckConstraint(condition=Q(role__in=ProjectRole.values), name="accounts_projectteam_role"),
        ]
        indexes = [models.Index(fields=["team", "project"], name="accounts_projectteam_team")]

    def __str__(self) -> str:
        return f"{self.team_id} {self.role}"


class Denial(TenantModel):
    """What one person or one team may not do, in one project or, without one, in every project of the organization.

    A denial wins over every role and grant. ``permission`` is the least that is taken away: who may not view may nothing.
    """

    user = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    team = models.ForeignKey("accounts.Team", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    permission = models.CharField(max_length=8, choices=Permission.choices, default=Permission.VIEW)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    denied_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("denial")
        verbose_name_plural = _("denials")
        constraints = [
            models.CheckConstraint(
                condition=Q(user=None, team__isnull=False) | Q(user__isnull=False, team=None),
                name="accounts_denial_of_one",
            ),
            models.UniqueConstraint(
                fields=["organization", "user", "team", "project"],
                name="accounts_denial_once",
                nulls_distinct=False,
            ),
        ]
        indexes = [
            models.Index(fields=["user", "project"], name="accounts_denial_user"),
            models.Index(fields=["team", "project"], name="accounts_denial_team"),
        ]

    def __str__(self) -> str:
        return str(self.pk)
