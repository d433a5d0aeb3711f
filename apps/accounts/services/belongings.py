"""What somebody leaves in an organization goes to somebody else: when they leave, and while their account is switched off.

Projects are handed over here; other apps hand over what is theirs through ``core.doors.handovers``.
"""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from apps.accounts import events, letters, policies, rights, selectors
from apps.accounts.models import OrganizationMember, ProjectMember
from apps.accounts.right_events import BelongingsHandedOver
from apps.accounts.types import Actor, HeirNotFit, OrganizationRole, ProjectRole, StillInUse
from apps.core.doors.handovers import Leaving, handovers
from apps.core.errors import FieldError
from apps.core.events import emit
from apps.core.types import Scope

PROJECTS = "projects"


@transaction.atomic
def hand_over(*, actor: Actor, member_id: UUID, heir_id: UUID | None = None) -> dict[str, int]:
    """Of somebody whose account is switched off and who stays a member; their roles and private conversations wait for them.

    Gives how much was handed over by kind. Raises ``StillInUse``, ``HeirNotFit``.
    """
    member = selectors.lock_member(member_id, actor)
    mine = selectors.organization_role(actor, member.organization_id)
    policies.require(policies.can_give_role(actor, mine, OrganizationRole(member.role)))
    if member.user.is_active:
        raise StillInUse
    return give_away(member=member, actor=actor, heir_id=heir_id, is_final=False)


def give_away(
    *,
    member: OrganizationMember,
    actor: Actor,
    heir_id: UUID | None = None,
    is_final: bool = True,
    is_erased: bool = False,
) -> dict[str, int]:
    """For services: who may is theirs to ask. Nothing happens where nobody else is. ``is_erased``: no mail names them any more."""
    leaving = _leaving(member, actor, heir_id, is_final=is_final)
    if leaving is None:
        return {}
    handed = {PROJECTS: _hand_over_projects(member, leaving.heir_id, actor)}
    handed |= {each.name: each.hand_over(actor, leaving) for each in handovers}
    handed = {name: count for name, count in handed.items() if count}
    if handed:
        emit(
            BelongingsHandedOver(
                user_id=member.user_id,
                heir_id=leaving.heir_id,
                projects=handed.get(PROJECTS, 0),
                things=sum(count for name, count in handed.items() if name != PROJECTS),
            ),
            actor=actor,
            scope=Scope(events.organization_topic(member.organization_id), organization_id=member.organization_id),
            subject=("user", member.user_id),
        )
        if leaving.heir_id != actor.user_id and not is_erased:
            heir = selectors.get_user(leaving.heir_id)
            letters.send_belongings(user=heir, organization=member.organization, former=member.user)
    return handed


def _leaving(member: OrganizationMember, actor: Actor, heir_id: UUID | None, *, is_final: bool) -> Leaving | None:
    """The heir that was named, else who does it, else the longest-standing owner. None: they are the only one."""
    others = OrganizationMember.objects.filter(organization=member.organization_id).exclude(user=member.user_id)
    fit = set(others.filter(rights.fit_to_inherit()).values_list("user_id", flat=True))
    if heir_id is not None and heir_id not in fit:
        raise HeirNotFit(fields=[FieldError("heir", HeirNotFit.code, str(HeirNotFit.default_detail))])
    rank = [OrganizationRole.OWNER, OrganizationRole.ADMIN, OrganizationRole.MEMBER, OrganizationRole.GUEST]
    rows = others.filter(user__is_service=False).select_related("user")
    people = sorted(rows, key=lambda row: (not row.user.is_active, rank.index(OrganizationRole(row.role)), row.pk))
    if not people:
        return None
    stewards = tuple(row.user_id for row in people if row.role in rank[:2]) or (people[0].user_id,)
    heir = heir_id or (actor.user_id if actor.user_id in fit else None) or stewards[0]
    return Leaving(member.organization_id, member.user_id, heir, stewards, is_final)


def _hand_over_projects(member: OrganizationMember, heir_id: UUID, actor: Actor) -> int:
    projects = list(rights.projects_managed_alone(member).select_for_update())
    had = dict(ProjectMember.objects.filter(project__in=projects, user=heir_id).values_list("project_id", "role"))
    for project in projects:
        ProjectMember.objects.update_or_create(
            organization_id=project.organization_id,
            project=project,
            user_id=heir_id,
            defaults={"role": ProjectRole.MANAGER},
        )
        emit(
            events.ProjectMemberSet(
                project_id=project.pk, user_id=heir_id, old=had.get(project.pk), new=ProjectRole.MANAGER
            ),
            actor=actor,
            scope=Scope(
                events.organization_topic(project.organization_id),
                organization_id=project.organization_id,
                project_id=project.pk,
            ),
            subject=("user", heir_id),
        )
    return len(projects)
