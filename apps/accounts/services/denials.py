"""Denials: what one person or one team may not, whatever else gives it to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from apps.accounts import policies, rights, selectors
from apps.accounts import right_events as events
from apps.accounts.models import Denial, Project, Team, TeamMember
from apps.accounts.services.organizations import scope_of
from apps.accounts.types import Actor, NotAMember, Permission
from apps.core.db import database_now
from apps.core.errors import FieldError, Invalid, NotFound
from apps.core.events import emit
from apps.core.types import Scope


@transaction.atomic
def deny(
    *,
    actor: Actor,
    organization_id: UUID,
    user_id: UUID | None = None,
    team_id: UUID | None = None,
    project_id: UUID | None = None,
    permission: Permission = Permission.VIEW,
    reason: str = "",
    expires_at: datetime | None = None,
) -> Denial:
    """About exactly one person or team. One that is there already for the same place is replaced: by one that takes less, or ends
    sooner, as ``lift_denial`` would end it.

    Without ``project_id`` it holds in every project of the organization. ``expires_at`` None: until it is lifted.
    """
    organization = selectors.lock_organization(organization_id, actor)
    project = _project_of(organization_id, project_id, actor)
    people = _people_of(organization_id, user_id, team_id)
    policies.require(
        policies.can_deny(
            actor,
            selectors.role_of(actor, organization),
            project_role=selectors.project_role(actor, project.pk) if project else None,
            targets=rights.roles_of_people(organization_id, people),
        )
    )
    if expires_at is not None and expires_at <= database_now():
        raise Invalid(fields=[FieldError("expires_at", "in_the_past", str(Invalid.default_detail))])
    place: dict[str, Any] = {"organization": organization, "user_id": user_id, "team_id": team_id, "project": project}
    earlier = Denial.objects.select_for_update().filter(_in_force(), **place).first()
    is_weaker = earlier is not None and _is_weaker(earlier, permission, expires_at)
    if earlier is not None and is_weaker:
        require_can_lift(actor=actor, denial=earlier)
    denial, _is_new = Denial.objects.update_or_create(
        **place,
        defaults={
            "permission": permission,
            "reason": reason,
            "denied_by_id": actor.user_id,
            "expires_at": expires_at,
        },
    )
    replaced = str(earlier.permission) if earlier else None
    _announce(events.DenialMade, denial, actor, replaced=replaced, is_weaker=is_weaker)
    return denial


def _in_force() -> Q:
    return Q(expires_at=None) | Q(expires_at__gt=database_now())


def _is_weaker(earlier: Denial, permission: Permission, expires_at: datetime | None) -> bool:
    order = list(Permission)
    is_shorter = expires_at is not None and (earlier.expires_at is None or expires_at < earlier.expires_at)
    return is_shorter or order.index(permission) > order.index(Permission(earlier.permission))


def _project_of(organization_id: UUID, project_id: UUID | None, actor: Actor) -> Project | None:
    """Also one that the actor cannot see just now: an owner who is denied it says who else is."""
    if project_id is None:
        return None
    rows = Project.objects.filter(organization=organization_id, pk=project_id, deleted_at=None)
    is_admin = policies.can_manage_members(actor, selectors.organization_role(actor, organization_id))
    if (found := rows.first()) is None or (not is_admin and selectors.project_role(actor, project_id) is None):
        raise NotFound
    return found


def _people_of(organization_id: UUID, user_id: UUID | None, team_id: UUID | None) -> list[UUID]:
    if (user_id is None) == (team_id is None):
        raise Invalid(fields=[FieldError("user", "one_of", str(_("Name a person or a team.")))])
    if user_id is not None:
        if not rights.roles_of_people(organization_id, [user_id]):
            raise NotAMember(fields=[FieldError("user", "not_a_member", str(NotAMember.default_detail))])
        return [user_id]
    if not Team.objects.filter(pk=team_id, organization=organization_id, deleted_at=None).exists():
        raise NotFound
    return list(TeamMember.objects.filter(team=team_id).values_list("user", flat=True))


@transaction.atomic
def lift_denial(*, actor: Actor, denial_id: UUID) -> None:
    """Roles and grants count again. What was denied to oneself, or to a team one is in, only an owner lifts."""
    denial = rights.lock_denial(denial_id, actor)
    require_can_lift(actor=actor, denial=denial)
    _announce(events.DenialLifted, denial, actor)
    denial.delete()


def require_can_lift(*, actor: Actor, denial: Denial, user_id: UUID | None = None) -> None:
    """For services that end what a denial does, for all whom it is about or, of a team's, for ``user_id``."""
    if denial.team_id is None:
        people = {denial.user_id}
    else:
        people = set(TeamMember.objects.filter(team=denial.team_id).values_list("user", flat=True))
    concerned = people if user_id is None else {user_id}
    policies.require(
        policies.can_lift_denial(
            actor,
            selectors.organization_role(actor, denial.organization_id),
            project_role=selectors.project_role(actor, denial.project_id) if denial.project_id else None,
            targets=rights.roles_of_people(denial.organization_id, [each for each in concerned if each]),
            is_about_actor=actor.user_id in people,
        )
    )


def require_no_way_out(*, actor: Actor, team: Team, user_id: UUID | None = None) -> None:
    """For services that take ``user_id``, or everybody, out of a team: what is denied to it stays behind with them."""
    for denial in Denial.objects.filter(_in_force(), team=team):
        require_can_lift(actor=actor, denial=denial, user_id=user_id)


def _announce(fact: type[events.DenialMade | events.DenialLifted], denial: Denial, actor: Actor, **more: Any) -> None:
    scope = scope_of(denial.organization_id)
    emit(
        fact(
            denial_id=denial.pk,
            permission=str(denial.permission),
            user_id=denial.user_id,
            team_id=denial.team_id,
            project_id=denial.project_id,
            **more,
        ),
        actor=actor,
        scope=Scope(scope.topic, organization_id=denial.organization_id, project_id=denial.project_id),
        subject=("denial", denial.pk),
    )
