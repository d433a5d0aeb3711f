"""Why somebody can, or cannot, get at a project: every layer that gives or takes, and what is left of them.

For those who manage the project. It reads the rows anew and asks ``policies.effective_role`` about them, as ``selectors`` do; a test
compares both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from apps.accounts import policies, selectors
from apps.accounts.models import Denial, OrganizationMember, Project, ProjectMember, ProjectTeam, TeamMember
from apps.accounts.types import Actor, OrganizationRole, Permission, ProjectAccess, ProjectRole, highest
from apps.core.errors import NotFound

MANAGERS = {OrganizationRole.OWNER, OrganizationRole.ADMIN}


class LayerKind(models.TextChoices):
    ORGANIZATION = "organization", _("Role in the organization")
    OPEN = "open", _("Open to the organization")
    OWN = "own", _("Role of their own in the project")
    TEAM = "team", _("Team")
    DENIAL = "denial", _("Denial")
    OWNER = "owner", _("Owner of the conversation")
    PRIVACY = "privacy", _("Who sees the conversation")
    GRANT = "grant", _("Let into the conversation")


@dataclass(frozen=True, slots=True)
class Layer:
    """``gives`` is a role, or in a conversation view or post; ``takes`` the least that a denial takes away. ``name``: whose it is."""

    kind: LayerKind
    name: str
    gives: str | None = None
    takes: Permission | None = None
    until: datetime | None = None

    @property
    def words(self) -> str:
        if self.takes is not None:
            return _t("takes away: %(what)s") % {"what": self.takes.label}
        if self.gives in ProjectRole.values:
            return _t("gives: %(role)s") % {"role": ProjectRole(self.gives).label}
        if self.gives in Permission.values:
            return _t("gives: %(role)s") % {"role": Permission(self.gives).label}
        return _t("gives nothing here")


@dataclass(frozen=True, slots=True)
class Explanation:
    """``role`` is what is left: None is no access."""

    user_id: UUID
    name: str
    role: ProjectRole | None
    layers: list[Layer]


def explain(*, viewer: Actor, project_id: UUID, user_id: UUID) -> Explanation:
    """``NotFound`` for strangers, and about who does not belong to the organization; ``Forbidden`` for who does not manage the project."""
    project = selectors.get_project(project_id, viewer)
    policies.require(policies.can_manage_project(viewer, selectors.role_in(viewer, project)))
    return layers_of(project, user_id)


def layers_of(project: Project, user_id: UUID) -> Explanation:
    """For callers who asked already. Five queries."""
    rows = OrganizationMember.objects.select_related("user")
    member = rows.filter(organization=project.organization_id, user=user_id).first()
    if member is None:
        raise NotFound
    role = OrganizationRole(member.role)
    own = ProjectMember.objects.filter(project=project, user=user_id).values_list("role", flat=True).first()
    mine = TeamMember.objects.filter(user=user_id, team__deleted_at=None).values("team")
    teams = ProjectTeam.objects.filter(project=project, team__in=mine).select_related("team").order_by("team__name")
    denials = Denial.objects.filter(
        Q(user=user_id) | Q(team__in=mine),
        Q(project=None) | Q(project=project),
        Q(expires_at=None) | Q(expires_at__gt=Now()),
        organization=project.organization_id,
    ).select_related("team", "project")
    layers = [_organization(role), *_project(role, own, project)]
    layers += [Layer(LayerKind.TEAM, row.team.name, gives=row.role) for row in teams]
    taken = list(denials.order_by("created_at", "pk"))
    layers += [_denial(row) for row in taken]
    effective = policies.effective_role(
        organization_role=role,
        member_role=own,
        access=project.access,
        team_role=highest([ProjectRole(row.role) for row in teams]),
        denied=_most([Permission(row.permission) for row in taken]),
    )
    return Explanation(user_id, member.user.display_name, effective if member.user.is_active else None, layers)


def _organization(role: OrganizationRole) -> Layer:
    return Layer(LayerKind.ORGANIZATION, str(role.label), gives=ProjectRole.MANAGER if role in MANAGERS else None)


def _project(role: OrganizationRole, own: str | None, project: Project) -> list[Layer]:
    """A row of one's own stands in the place of what all members have."""
    if own is not None:
        return [Layer(LayerKind.OWN, str(ProjectRole(own).label), gives=own)]
    if project.access == ProjectAccess.ORGANIZATION and role == OrganizationRole.MEMBER:
        return [Layer(LayerKind.OPEN, str(ProjectAccess.ORGANIZATION.label), gives=ProjectRole.EDITOR)]
    return []


def _denial(row: Denial) -> Layer:
    where = row.project.name if row.project is not None else _t("All projects")
    name = f"{where} · {row.team.name}" if row.team is not None else where
    return Layer(LayerKind.DENIAL, name, takes=Permission(row.permission), until=row.expires_at)


def _most(taken: Sequence[Permission]) -> Permission | None:
    return min(taken, key=list(Permission).index, default=None)
