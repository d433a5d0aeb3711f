"""Organizations and who belongs to them."""

from __future__ import annotations

import secrets
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now
from django.utils.text import slugify
from django.utils.translation import gettext as _

from apps.accounts import events, founding, letters, policies, right_events, rights, selectors
from apps.accounts.models import (
    Organization,
    OrganizationMember,
    Project,
    ProjectMember,
    TeamMember,
    User,
)
from apps.accounts.services import belongings, endings, sessions, unproved
from apps.accounts.types import (
    Actor,
    AlreadyMember,
    LastOwner,
    NotAMember,
    NotTransferable,
    OrganizationRole,
    SessionEnd,
)
from apps.core.errors import FieldError, NotFound
from apps.core.events import emit
from apps.core.types import Scope
from apps.core.versions import require_version


def scope_of(organization_id: UUID) -> Scope:
    return Scope(events.organization_topic(organization_id), organization_id=organization_id)


def make_organization(*, name: str, actor: Actor, is_home: bool = False) -> tuple[Organization, Project]:
    """An organization with its first project. For services: who may is theirs to ask."""
    organization = _create_organization(name, is_home=is_home)
    emit(
        events.OrganizationCreated(organization_id=organization.pk),
        actor=actor,
        scope=scope_of(organization.pk),
        subject=("organization", organization.pk),
    )
    return organization, make_project(organization=organization, name=_("First project"), actor=actor)


def make_project(*, organization: Organization, name: str, actor: Actor, **fields: Any) -> Project:
    project = Project.objects.create(organization=organization, name=name, **fields)
    emit(
        events.ProjectCreated(project_id=project.pk),
        actor=actor,
        scope=Scope(events.organization_topic(organization.pk), organization_id=organization.pk, project_id=project.pk),
        subject=("project", project.pk),
    )
    return project


def _create_organization(name: str, *, is_home: bool) -> Organization:
    """With a short name from its name; where somebody has that, or takes it at the same moment, one with chance in it."""
    base = slugify(name)[:40] or "organization"
    if not Organization.objects.filter(slug=base).exists():
        try:
            with transaction.atomic():
                return Organization.objects.create(name=name, slug=base, is_home=is_home)
        except IntegrityError:
            pass
    return Organization.objects.create(name=name, slug=f"{base}-{secrets.token_hex(4)}", is_home=is_home)


@transaction.atomic
def create_organization(*, actor: Actor, name: str) -> Organization:
    """A further organization, owned by the one who makes it. Raises ``TooManyOrganizations``; operators make any number.
    ``AddressNotConfirmed`` (409).
    """
    policies.require(policies.can_create_organization(actor, is_trusted=founding.is_trusted(actor.user_id)))
    unproved.require_proved(actor=actor)
    user = User.objects.select_for_update().get(pk=actor.user_id)
    if not policies.can_operate(actor) and not founding.has_room(user.pk):
        raise founding.TooManyOrganizations
    organization, _project = make_organization(name=name, actor=actor)
    add_member(organization=organization, user=user, role=OrganizationRole.OWNER, actor=actor)
    return selectors.get_organization(organization.pk, actor)


@transaction.atomic
def change_organization(
    *, actor: Actor, organization_id: UUID, expected_version: int | None = None, **changes: Any
) -> Organization:
    """``name``, ``time_zone``."""
    organization = selectors.lock_organization(organization_id, actor)
    policies.require(policies.can_manage_organization(actor, selectors.role_of(actor, organization)))
    require_version(organization.version, expected_version)
    changed = [name for name, value in changes.items() if getattr(organization, name) != value]
    for name in changed:
        setattr(organization, name, changes[name])
    if changed:
        organization.version += 1
        organization.save(update_fields=[*changed, "version", "updated_at"])
        emit(
            events.OrganizationChanged(organization_id=organization.pk, fields=sorted(changed)),
            actor=actor,
            scope=scope_of(organization.pk),
            subject=("organization", organization.pk),
        )
    return organization


def put_away_alone(*, actor: Actor) -> list[Organization]:
    """For services. Organizations that the actor owns and no other person belongs to: from now on nobody sees them, or has any right in
    them, until an operator gives them back (``give_back``). The one that the installation began with stays.
    """
    owned = OrganizationMember.objects.filter(user=actor.user_id, role=OrganizationRole.OWNER).values("organization")
    others = rights.other_people(actor.user_id).filter(organization=OuterRef("pk"))
    rows = Organization.objects.filter(pk__in=owned, deleted_at=None, is_home=False).order_by("pk")
    held = list(rows.select_for_update())  # whoever joins just now is waited for, and counts
    found = list(rows.filter(~Exists(others), pk__in=[each.pk for each in held]))
    Organization.objects.filter(pk__in=[each.pk for each in found]).update(deleted_at=Now(), updated_at=Now())
    for organization in found:
        emit(
            right_events.OrganizationPutAway(organization_id=organization.pk),
            actor=actor,
            scope=scope_of(organization.pk),
            subject=("organization", organization.pk),
        )
    return found


@transaction.atomic
def give_back(*, actor: Actor, organization_id: UUID) -> None:
    """One that was put away, by an operator, to who was in it. ``NotFound`` for every other, also for one that is being erased."""
    policies.require(policies.can_operate(actor))
    rows = Organization.objects.select_for_update().filter(pk=organization_id, erased_for="")
    organization = rows.exclude(deleted_at=None).first()
    if organization is None:
        raise NotFound
    organization.deleted_at = None
    organization.save(update_fields=["deleted_at", "updated_at"])
    emit(
        right_events.OrganizationGivenBack(organization_id=organization.pk),
        actor=actor,
        scope=scope_of(organization.pk),
        subject=("organization", organization.pk),
    )


# Members


def add_member(
    *,
    organization: Organization,
    user: User,
    role: OrganizationRole,
    actor: Actor,
    invitation_id: UUID | None = None,
) -> OrganizationMember:
    """For services: who may is theirs to ask. Raises ``AlreadyMember``."""
    member, is_new = OrganizationMember.objects.get_or_create(
        organization=organization, user=user, defaults={"role": role}
    )
    if not is_new:
        raise AlreadyMember
    emit(
        events.MemberJoined(user_id=user.pk, role=role, invitation_id=invitation_id),
        actor=actor,
        scope=scope_of(organization.pk),
        subject=("member", member.pk),
    )
    sessions.end_unfit(user_id=user.pk, actor=actor)
    return member


def lock_membership(*, organization_id: UUID, user_id: UUID) -> OrganizationMember | None:
    """For services that add somebody to something of the organization: whoever removes them meanwhile waits, and takes it too.

    Before the team or project is locked: who removes a member locks in that order.
    """
    rows = OrganizationMember.objects.select_for_update().filter(organization=organization_id, user=user_id)
    return rows.first()


def not_a_member() -> NotAMember:
    return NotAMember(fields=[FieldError("user", "not_a_member", str(NotAMember.default_detail))])


@transaction.atomic
def change_member_role(
    *, actor: Actor, member_id: UUID, role: OrganizationRole, expected_version: int | None = None
) -> OrganizationMember:
    """Ends that person's sessions: they sign in again with the rights of now. Their open invitations that they could not make
    any more are withdrawn. The last owner stays an owner; raises ``OwnerNotFit`` for programs and accounts that are switched off.
    """
    member = selectors.lock_member(member_id, actor)
    mine = selectors.organization_role(actor, member.organization_id)
    old = OrganizationRole(member.role)
    policies.require(policies.can_give_role(actor, mine, old) and policies.can_give_role(actor, mine, role))
    require_version(member.version, expected_version)
    if old == role:
        return member
    if role == OrganizationRole.OWNER and (member.user.is_service or not member.user.is_active):
        raise founding.OwnerNotFit(
            fields=[FieldError("role", founding.OwnerNotFit.code, str(founding.OwnerNotFit.default_detail))]
        )
    _require_another_owner(member, still=role)
    member.role = role
    member.version += 1
    member.save(update_fields=["role", "version", "updated_at"])
    emit(
        events.MemberRoleChanged(user_id=member.user_id, old=old.value, new=role.value),
        actor=actor,
        scope=scope_of(member.organization_id),
        subject=("member", member.pk),
    )
    endings.withdraw_invitations_by(
        user_id=member.user_id, organization_id=member.organization_id, role=role, actor=actor
    )
    sessions.end_all_sessions(user_id=member.user_id, reason=SessionEnd.RIGHTS, actor=actor)
    return member


@transaction.atomic
def remove_member(
    *, actor: Actor, member_id: UUID, heir_id: UUID | None = None, expected_version: int | None = None
) -> None:
    """Ends membership, roles, teams, keys and sessions at once. Everybody may leave; what they wrote stays, and so do denials:
    leaving and coming back is no way around one. What would be without an owner goes to ``heir_id``, without one to who
    removes them, else to an owner (``services/belongings.py``). Raises ``LastOwner``, ``HeirNotFit``.
    """
    member = selectors.lock_member(member_id, actor)
    mine = selectors.organization_role(actor, member.organization_id)
    held = OrganizationRole(member.role)
    policies.require(policies.can_remove_member(actor, mine, user_id=member.user_id, held=held))
    require_version(member.version, expected_version)
    _require_another_owner(member, still=None)
    belongings.give_away(member=member, actor=actor, heir_id=heir_id)
    organization_id, user_id, role = member.organization_id, member.user_id, member.role
    for model in (ProjectMember, TeamMember):
        model.objects.filter(organization=organization_id, user=user_id).delete()  # type: ignore[attr-defined]
    endings.end_keys_of(user_id=user_id, organization_id=organization_id, actor=actor)
    endings.withdraw_invitations_by(user_id=user_id, organization_id=organization_id, actor=actor)
    endings.unlink_identities(user_id=user_id, organization_id=organization_id, actor=actor)
    member.delete()
    emit(
        events.MemberRemoved(user_id=user_id, role=role),
        actor=actor,
        scope=scope_of(organization_id),
        subject=("user", user_id),
    )
    sessions.end_all_sessions(user_id=user_id, reason=SessionEnd.RIGHTS, actor=actor)


@transaction.atomic
def transfer_ownership(*, actor: Actor, member_id: UUID) -> OrganizationMember:
    """Another member owns the organization, and who hands it over stays as an admin. Both are told by mail.

    Callers have asked for a fresh proof of who it is. Both sign in again, with the rights of now.
    """
    member = selectors.lock_member(member_id, actor)
    organization = selectors.lock_organization(member.organization_id, actor)
    policies.require(policies.can_transfer_ownership(actor, selectors.role_of(actor, organization)))
    if member.user_id == actor.user_id or member.user.is_service or not member.user.is_active:
        raise NotTransferable
    own = OrganizationMember.objects.select_related("user").get(organization=organization, user=actor.user_id)
    for row, role in ((member, OrganizationRole.OWNER), (own, OrganizationRole.ADMIN)):
        row.role = role
        row.version += 1
        row.save(update_fields=["role", "version", "updated_at"])
    emit(
        events.OwnershipTransferred(user_id=member.user_id),
        actor=actor,
        scope=scope_of(organization.pk),
        subject=("member", member.pk),
    )
    endings.withdraw_invitations_by(
        user_id=own.user_id, organization_id=organization.pk, role=OrganizationRole.ADMIN, actor=actor
    )
    for row in (member, own):
        letters.send_ownership(user=row.user, organization=organization, owner=member.user, former=own.user)
        sessions.end_all_sessions(user_id=row.user_id, reason=SessionEnd.RIGHTS, actor=actor)
    return member


def _require_another_owner(member: OrganizationMember, *, still: OrganizationRole | None) -> None:
    """A person whose account is in use. Owners are locked since ``lock_member``, so two who leave at once do not both see the other
    staying.
    """
    if member.role != OrganizationRole.OWNER or still == OrganizationRole.OWNER:
        return
    others = OrganizationMember.objects.filter(rights.OWNS, organization=member.organization_id).exclude(pk=member.pk)
    if not others.exists():
        raise LastOwner
