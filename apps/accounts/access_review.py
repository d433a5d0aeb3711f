"""Who can get at what in an organization, by which right, and what deserves a second look."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.db.models import Max, OuterRef, Q, Subquery
from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts import policies, selectors
from apps.accounts.models import (
    ApiKey,
    Denial,
    OrganizationMember,
    Project,
    ProjectMember,
    ProjectTeam,
    TeamMember,
    User,
    UserSession,
)
from apps.accounts.types import (
    UNUSED_AFTER,
    Actor,
    Finding,
    OrganizationRole,
    Permission,
    ProjectAccess,
    ProjectRole,
    Way,
    highest,
)
from apps.core.doors.given import given


@dataclass(frozen=True, slots=True)
class ProjectRight:
    """``ways``: every reason for which the person has a role there; ``denied``: the most that a denial takes away."""

    project_id: UUID
    project: str
    role: ProjectRole | None
    ways: list[Way]
    denied: Permission | None

    @property
    def by(self) -> str:
        return " · ".join(str(way.label) for way in self.ways)


@dataclass(frozen=True, slots=True)
class KeyUse:
    id: UUID
    name: str
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    findings: list[Finding]


@dataclass(frozen=True, slots=True)
class Count:
    """Of what another app knows: conversations that somebody was let into, links that they share."""

    name: str
    title: str
    count: int


@dataclass(frozen=True, slots=True)
class Reviewed:
    """``identities``: short names of the providers through which they sign in. ``given``: only what there is."""

    user_id: UUID
    name: str
    email: str
    is_service: bool
    role: OrganizationRole
    last_seen_at: datetime | None
    projects: list[ProjectRight]
    keys: list[KeyUse]
    findings: list[Finding]
    is_operator: bool
    has_second_factor: bool
    identities: list[str]
    given: list[Count]

    @property
    def all_findings(self) -> list[Finding]:
        return sorted({*self.findings, *(finding for key in self.keys for finding in key.findings)})


def review(*, viewer: Actor, organization_id: UUID) -> list[Reviewed]:
    """Everybody who belongs to it, by name: ten statements however many they are, and those of ``core.doors.given``.

    An account that is switched off has the rights that it would have again: whoever switches it on gives them back.
    ``NotFound`` for strangers, ``Forbidden`` for members who do not manage the organization.
    """
    organization = selectors.get_organization(organization_id, viewer)
    policies.require(policies.can_read_audit(viewer, selectors.role_of(viewer, organization)))
    now = timezone.now()
    rights = _rights(organization_id)
    keys = _keys(organization_id)
    members = list(_members(organization_id))
    proofs = _proofs([member.user_id for member in members])
    counted = [(each, each.count(organization_id)) for each in given]
    return [
        _reviewed(
            member,
            rights[member.user_id],
            keys.get(member.user_id, []),
            now,
            proofs=proofs,
            has=[
                Count(each.name, str(each.title), count[member.user_id])
                for each, count in counted
                if count.get(member.user_id)
            ],
        )
        for member in members
    ]


@dataclass(frozen=True, slots=True)
class _Proofs:
    with_second_factor: set[UUID]
    identities: dict[UUID, list[str]]


def _proofs(user_ids: list[UUID]) -> _Proofs:
    kinds = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
    factors = Authenticator.objects.filter(user__in=user_ids, type__in=kinds).values_list("user", flat=True)
    identities: dict[UUID, list[str]] = defaultdict(list)
    rows = SocialAccount.objects.filter(user__in=user_ids).order_by("provider").values_list("user", "provider")
    for user_id, provider in rows:
        identities[user_id].append(provider)
    return _Proofs(set(factors), identities)


def _members(organization_id: UUID) -> Iterable[Any]:
    seen = UserSession.objects.filter(user=OuterRef("user")).values("user").annotate(last=Max("last_seen_at"))
    return (
        OrganizationMember.objects.filter(organization=organization_id)
        .select_related("user")
        .annotate(last_seen_at=Subquery(seen.values("last")))
        .order_by("user__name", "user__email")
    )


def _keys(organization_id: UUID) -> dict[UUID, list[KeyUse]]:
    found: dict[UUID, list[KeyUse]] = defaultdict(list)
    in_force = Q(expires_at=None) | Q(expires_at__gt=Now())
    for key in ApiKey.objects.filter(in_force, organization=organization_id, revoked_at=None).order_by("created_at"):
        findings = [
            *([Finding.KEY_UNUSED] if key.is_unused else []),
            *([Finding.KEY_WITHOUT_END] if key.expires_at is None else []),
            *([Finding.KEY_WITHOUT_LIMITS] if not key.scopes else []),
        ]
        use = KeyUse(key.pk, key.name, key.created_at, key.last_used_at, key.expires_at, findings)
        found[key.user_id].append(use)
    return found


@dataclass(frozen=True, slots=True)
class _Rights:
    projects: list[Project]
    own: dict[UUID, str]
    teams: dict[UUID, list[tuple[str, str]]]
    denied: dict[UUID | None, list[str]]


def _rights(organization_id: UUID) -> dict[UUID, _Rights]:
    projects = list(Project.objects.filter(organization=organization_id, deleted_at=None).order_by("name"))
    found: dict[UUID, _Rights] = defaultdict(lambda: _Rights(projects, {}, defaultdict(list), defaultdict(list)))
    own = ProjectMember.objects.filter(organization=organization_id)
    for user_id, project_id, role in own.values_list("user_id", "project_id", "role"):
        found[user_id].own[project_id] = role
    members = TeamMember.objects.filter(organization=organization_id, team__deleted_at=None)
    in_teams: dict[UUID, list[UUID]] = defaultdict(list)
    for team_id, user_id in members.values_list("team_id", "user_id"):
        in_teams[team_id].append(user_id)
    given = ProjectTeam.objects.filter(organization=organization_id, team__deleted_at=None)
    for team_id, name, project_id, role in given.values_list("team_id", "team__name", "project_id", "role"):
        for user_id in in_teams[team_id]:
            found[user_id].teams[project_id].append((name, role))
    denials = Denial.objects.filter(Q(expires_at=None) | Q(expires_at__gt=Now()), organization=organization_id)
    for user_id, team_id, project_id, permission in denials.values_list(
        "user_id", "team_id", "project_id", "permission"
    ):
        for each in [user_id] if user_id else in_teams[team_id]:
            found[each].denied[project_id].append(permission)
    return found


_MOST_FIRST = [Permission.VIEW, Permission.POST, Permission.MANAGE]


def _reviewed(
    member: Any, rights: _Rights, keys: list[KeyUse], now: datetime, *, proofs: _Proofs, has: list[Count]
) -> Reviewed:
    user: User = member.user
    role = OrganizationRole(member.role)
    projects = [_right(role, project, rights) for project in rights.projects]
    projects = [each for each in projects if each.role is not None or each.denied is not None]
    seen = [member.last_seen_at, *(key.last_used_at for key in keys)]
    last_seen_at = max((at for at in seen if at is not None), default=None)
    findings = (
        [Finding.SWITCHED_OFF]
        if not user.is_active
        else [
            *([Finding.STALE] if now - (last_seen_at or member.created_at) > UNUSED_AFTER else []),
            *([Finding.NEVER_SEEN] if last_seen_at is None else []),
            *([Finding.GUEST_MANAGES] if role == OrganizationRole.GUEST and _manages(projects) else []),
            *([Finding.NO_SECOND_FACTOR] if _needs_second_factor(user, role, proofs) else []),
        ]
    )
    return Reviewed(
        user_id=user.pk,
        name=user.display_name,
        email=user.email,
        is_service=user.is_service,
        role=role,
        last_seen_at=last_seen_at,
        projects=projects,
        keys=keys,
        findings=findings,
        is_operator=user.is_superuser,
        has_second_factor=user.pk in proofs.with_second_factor,
        identities=proofs.identities.get(user.pk, []),
        given=has,
    )


def _needs_second_factor(user: User, role: OrganizationRole, proofs: _Proofs) -> bool:
    """Who manages others, or the installation, and signs in by nothing but a password."""
    is_powerful = user.is_superuser or role in {OrganizationRole.OWNER, OrganizationRole.ADMIN}
    has_more = user.pk in proofs.with_second_factor or user.pk in proofs.identities
    return is_powerful and not user.is_service and not has_more


def _manages(projects: list[ProjectRight]) -> bool:
    return any(each.role == ProjectRole.MANAGER for each in projects)


def _right(role: OrganizationRole, project: Project, rights: _Rights) -> ProjectRight:
    own, teams = rights.own.get(project.pk), rights.teams.get(project.pk, [])
    taken = [Permission(each) for scope in (project.pk, None) for each in rights.denied.get(scope, [])]
    denied = min(taken, key=_MOST_FIRST.index, default=None)
    is_open = role == OrganizationRole.MEMBER and project.access == ProjectAccess.ORGANIZATION
    ways = [
        *([Way.ADMIN] if role in {OrganizationRole.OWNER, OrganizationRole.ADMIN} else []),
        *([Way.OWN] if own is not None else [Way.OPEN] if is_open else []),
        *([Way.TEAM] if teams else []),
    ]
    effective = policies.effective_role(
        organization_role=role,
        member_role=own,
        access=project.access,
        team_role=highest([ProjectRole(each) for _name, each in teams]),
        denied=denied,
    )
    return ProjectRight(project.pk, project.name, effective, ways, denied)
