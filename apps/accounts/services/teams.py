"""Teams: who is in them, and which role they have in projects."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from apps.accounts import policies, rights, selectors
from apps.accounts import right_events as events
from apps.accounts.models import Denial, ProjectTeam, Team, TeamMember
from apps.accounts.services.denials import require_no_way_out
from apps.accounts.services.organizations import lock_membership, not_a_member, scope_of
from apps.accounts.services.projects import lock_managed, scope_of_project
from apps.accounts.types import Actor, ProjectRole, TeamNameTaken
from apps.core.db import database_now
from apps.core.errors import FieldError, NotFound
from apps.core.events import emit
from apps.core.versions import require_version


@transaction.atomic
def create_team(*, actor: Actor, organization_id: UUID, name: str, description: str = "") -> Team:
    """Raises ``TeamNameTaken``; upper and lower case do not tell names apart."""
    organization = selectors.lock_organization(organization_id, actor)
    policies.require(policies.can_manage_teams(actor, selectors.role_of(actor, organization)))
    team = Team(organization=organization, name=name, description=description)
    _save(team)
    emit(
        events.TeamCreated(team_id=team.pk),
        actor=actor,
        scope=scope_of(organization.pk),
        subject=("team", team.pk),
    )
    return rights.get_team(team.pk, actor)


def _save(team: Team) -> None:
    try:
        with transaction.atomic():
            team.save()
    except IntegrityError:
        raise TeamNameTaken(
            fields=[FieldError("name", TeamNameTaken.code, str(TeamNameTaken.default_detail))]
        ) from None


@transaction.atomic
def change_team(*, actor: Actor, team_id: UUID, expected_version: int | None = None, **changes: Any) -> Team:
    """``name``, ``description``: also by the team's managers."""
    team = _lock_changeable(team_id, actor)
    require_version(team.version, expected_version)
    changed = [name for name, value in changes.items() if getattr(team, name) != value]
    for name in changed:
        setattr(team, name, changes[name])
    if changed:
        team.version += 1
        _save(team)
        emit(
            events.TeamChanged(team_id=team.pk, fields=sorted(changed)),
            actor=actor,
            scope=scope_of(team.organization_id),
            subject=("team", team.pk),
        )
    return team


def _lock_changeable(team_id: UUID, actor: Actor) -> Team:
    team = rights.lock_team(team_id, actor)
    role = selectors.organization_role(actor, team.organization_id)
    is_manager = getattr(team, "is_manager", False)
    policies.require(policies.can_change_team(actor, role, is_manager=is_manager))
    return team


@transaction.atomic
def delete_team(*, actor: Actor, team_id: UUID, expected_version: int | None = None) -> None:
    """What it gave its members ends, and what was denied to it: that takes whoever may lift it."""
    team = rights.lock_team(team_id, actor)
    role = selectors.organization_role(actor, team.organization_id)
    policies.require(policies.can_manage_teams(actor, role))
    require_version(team.version, expected_version)
    require_no_way_out(actor=actor, team=team)
    for model in (ProjectTeam, Denial, TeamMember):
        model.objects.filter(team=team).delete()  # type: ignore[attr-defined]
    team.deleted_at = database_now()
    team.version += 1
    team.save(update_fields=["deleted_at", "version", "updated_at"])
    emit(
        events.TeamDeleted(team_id=team.pk),
        actor=actor,
        scope=scope_of(team.organization_id),
        subject=("team", team.pk),
    )


@transaction.atomic
def set_team_member(*, actor: Actor, team_id: UUID, user_id: UUID, is_manager: bool | None = None) -> TeamMember:
    """Add somebody of the organization, or say whether they manage the team; None leaves that as it is.

    The team's managers add people; who manages it is said by those who manage all teams.
    """
    belongs = lock_membership(organization_id=rights.get_team(team_id, actor).organization_id, user_id=user_id)
    team = _lock_changeable(team_id, actor)
    if belongs is None:
        raise not_a_member()
    member = TeamMember.objects.select_for_update().filter(team=team, user=user_id).first()
    was = member.is_manager if member else None
    wanted = bool(was) if is_manager is None else is_manager
    if wanted != bool(was):
        role = selectors.organization_role(actor, team.organization_id)
        policies.require(policies.can_manage_teams(actor, role))
    if member is None:
        member = TeamMember.objects.create(
            organization_id=team.organization_id, team=team, user_id=user_id, is_manager=wanted
        )
    elif was != wanted:
        member.is_manager = wanted
        member.save(update_fields=["is_manager", "updated_at"])
    if was is None or was != wanted:
        emit(
            events.TeamMemberSet(team_id=team.pk, user_id=user_id, is_manager=wanted),
            actor=actor,
            scope=scope_of(team.organization_id),
            subject=("user", user_id),
        )
    return member


@transaction.atomic
def remove_team_member(*, actor: Actor, team_id: UUID, user_id: UUID) -> None:
    """By those who may add people, and by oneself. While the team is denied something: by those who may lift that."""
    team = rights.lock_team(team_id, actor)
    role = selectors.organization_role(actor, team.organization_id)
    is_leaving = user_id == actor.user_id and policies.can_change_own_account(actor)
    is_manager = getattr(team, "is_manager", False)
    policies.require(is_leaving or policies.can_change_team(actor, role, is_manager=is_manager))
    require_no_way_out(actor=actor, team=team, user_id=user_id)
    deleted, _by_model = TeamMember.objects.filter(team=team, user=user_id).delete()
    if not deleted:
        raise NotFound
    emit(
        events.TeamMemberRemoved(team_id=team.pk, user_id=user_id),
        actor=actor,
        scope=scope_of(team.organization_id),
        subject=("user", user_id),
    )


# In projects


@transaction.atomic
def set_project_team(*, actor: Actor, project_id: UUID, team_id: UUID, role: ProjectRole) -> ProjectTeam:
    """All members of the team have the role from now on, whatever less they had."""
    project = lock_managed(project_id=project_id, actor=actor)
    team = Team.objects.filter(pk=team_id, organization=project.organization_id, deleted_at=None).first()
    if team is None:
        raise NotFound
    row = ProjectTeam.objects.select_for_update().filter(project=project, team=team).first()
    old = row.role if row else None
    if row is None:
        row = ProjectTeam.objects.create(organization_id=project.organization_id, project=project, team=team, role=role)
    elif old != role:
        row.role = role
        row.save(update_fields=["role", "updated_at"])
    if old != role:
        emit(
            events.ProjectTeamSet(project_id=project.pk, team_id=team.pk, old=old, new=role),
            actor=actor,
            scope=scope_of_project(project=project),
            subject=("team", team.pk),
        )
    return row


@transaction.atomic
def remove_project_team(*, actor: Actor, project_id: UUID, team_id: UUID) -> None:
    """What its members have otherwise remains."""
    project = lock_managed(project_id=project_id, actor=actor)
    deleted, _by_model = ProjectTeam.objects.filter(project=project, team=team_id).delete()
    if not deleted:
        raise NotFound
    emit(
        events.ProjectTeamRemoved(project_id=project.pk, team_id=team_id),
        actor=actor,
        scope=scope_of_project(project=project),
        subject=("team", team_id),
    )
