"""Invitations: a place in an organization for one e-mail address."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac

from apps.accounts import actors, events, letters, policies, selectors
from apps.accounts.models import Invitation, OrganizationMember, Project, ProjectMember, User
from apps.accounts.services import mailboxes, unproved
from apps.accounts.services.endings import withdraw_invitation
from apps.accounts.services.organizations import add_member, scope_of
from apps.accounts.services.people import create_user
from apps.accounts.services.sign_in_rules import require_mail_domain
from apps.accounts.types import (
    Actor,
    ActorKind,
    AlreadyMember,
    InvitationNotValid,
    OrganizationRole,
    ProjectRole,
)
from apps.core import limits, rules
from apps.core.db import database_now
from apps.core.errors import FieldError, NotFound
from apps.core.events import emit

LIFETIME = timedelta(days=7)
#: What the mailed link has besides the token, as its address names it.
MAILED = "mailed"
TO_ONE = limits.Limit(5 / 300, 5)
TO_ALL = limits.Limit(100 / 3600, 100)


@dataclass(frozen=True, slots=True)
class Invited:
    """``link`` holds the token and is known only now."""

    invitation: Invitation
    link: str


@transaction.atomic
def invite(
    *,
    actor: Actor,
    organization_id: UUID,
    email: str,
    role: OrganizationRole = OrganizationRole.MEMBER,
    project_id: UUID | None = None,
    project_role: ProjectRole = ProjectRole.EDITOR,
) -> Invited:
    """Mail a link that is good once, for a week. An earlier open invitation of the same address is withdrawn.

    With ``project_id`` the person is added to that project as well; guests see nothing else. Raises ``AddressNotConfirmed`` (409).
    """
    organization = selectors.lock_organization(organization_id, actor)
    mine = selectors.role_of(actor, organization)
    policies.require(policies.can_manage_members(actor, mine) and policies.can_give_role(actor, mine, role))
    unproved.require_proved(actor=actor)
    project = _project_of(organization_id, project_id)
    email = rules.MAIL(email, field="email").lower()
    require_mail_domain(organization_id=organization_id, email=email)
    if OrganizationMember.objects.filter(organization=organization, user__email__iexact=email).exists():
        raise AlreadyMember
    _limit(actor=actor, organization_id=organization_id, email=email)
    for earlier in Invitation.objects.filter(
        organization=organization, email__iexact=email, accepted_at=None, revoked_at=None
    ):
        withdraw_invitation(invitation=earlier, actor=actor)
    token = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        organization=organization,
        email=email,
        role=role,
        project=project,
        project_role=project_role,
        token_hash=actors.hash_token(token),
        invited_by_id=actor.user_id,
        expires_at=database_now() + LIFETIME,
    )
    emit(
        events.InvitationMade(invitation_id=invitation.pk, role=role),
        actor=actor,
        scope=scope_of(organization_id),
        subject=("invitation", invitation.pk),
    )
    link = settings.PARLANCE_URL + reverse("accounts:invitation", args=[token])
    letters.send_invitation(invitation=invitation, link=f"{link}?{urlencode({MAILED: _mark_of(token)})}")
    return Invited(invitation, link)


def _mark_of(token: str) -> str:
    """Only in the link that is mailed: whoever made the invitation sees the other one, and could join with it as somebody else."""
    return salted_hmac("parlance.mailed-invitation", token, algorithm="sha256").hexdigest()


def _is_mailed(token: str, mark: str) -> bool:
    return constant_time_compare(mark, _mark_of(token))


def _limit(*, actor: Actor, organization_id: UUID, email: str) -> None:
    """Where everybody may sign up, everybody has an organization to invite to: no mailbox is flooded, nothing is sent by the thousand.

    Raises ``LimitReached`` (429).
    """
    if limits.are_on():
        buckets = [
            limits.Bucket("invitation.account", actors.hash_token(email).hex(), TO_ONE),
            limits.Bucket("invitation.organization", organization_id, TO_ALL),
        ]
        limits.take_from([*buckets, limits.Bucket("invitation.person", actor.user_id, TO_ALL)])


def _project_of(organization_id: UUID, project_id: UUID | None) -> Project | None:
    if project_id is None:
        return None
    if found := Project.objects.filter(organization=organization_id, pk=project_id, deleted_at=None).first():
        return found
    raise NotFound


@transaction.atomic
def revoke_invitation(*, actor: Actor, invitation_id: UUID) -> None:
    """Twice changes nothing; one that was accepted cannot be taken back."""
    rows = selectors.visible_invitations(actor).select_for_update(of=("self",))
    if (invitation := rows.filter(pk=invitation_id).first()) is None:
        raise NotFound
    policies.require(policies.can_manage_members(actor, selectors.organization_role(actor, invitation.organization_id)))
    if invitation.accepted_at is not None:
        raise InvitationNotValid
    if invitation.revoked_at is None:
        withdraw_invitation(invitation=invitation, actor=actor)


def find_invitation(*, token: str) -> Invitation | None:
    """The open invitation this token belongs to: holding it is the right to see it."""
    found = _open(token).select_related("organization", "invited_by").first()
    return found if found is not None and _is_still_given(found) else None


@transaction.atomic
def accept_invitation(*, actor: Actor, token: str, mark: str = "") -> OrganizationMember:
    """For somebody with an account, whose address must be the invited one. Raises ``InvitationNotValid``.

    ``mark``: what the mailed link has besides; it confirms the address.
    """
    policies.require(policies.can_change_own_account(actor))
    user = User.objects.get(pk=actor.user_id)
    invitation = _lock_open(token)
    if user.email.lower() != invitation.email.lower():
        raise InvitationNotValid
    if _is_mailed(token, mark):
        mailboxes.note_proved(user_id=user.pk)
    return _join(invitation, user)


@transaction.atomic
def join_by_invitation(*, token: str, name: str, password: str, mark: str = "") -> User:
    """For somebody without an account: the address is the invited one, and known to be theirs by the link that was mailed
    (``mark``), not by the one that whoever invites sees too.

    Raises ``EmailTaken`` when that address has an account: then they sign in first.
    """
    invitation = _lock_open(token)
    user = create_user(
        email=invitation.email,
        password=password,
        name=name,
        how="invitation",
        is_proved=_is_mailed(token, mark),
    )
    _join(invitation, user)
    return user


def _open(token: str) -> QuerySet[Invitation]:
    return Invitation.objects.filter(
        Q(expires_at__gt=database_now()),
        token_hash=actors.hash_token(token),
        accepted_at=None,
        revoked_at=None,
        organization__deleted_at=None,
    )


def _is_still_given(invitation: Invitation) -> bool:
    """Nobody gives by an invitation what they could not give now. Those of people who lost a right are withdrawn with it."""
    inviter = Actor(kind=ActorKind.MEMBER, user_id=invitation.invited_by_id)
    rows = OrganizationMember.objects.filter(organization=invitation.organization_id, user__is_active=True)
    role = rows.filter(user=inviter.user_id).values_list("role", flat=True).first()
    given = OrganizationRole(invitation.role)
    return policies.can_give_role(inviter, OrganizationRole(role) if role else None, given)


def _lock_open(token: str) -> Invitation:
    found = _open(token).select_for_update(of=("self",)).first()
    if found is None or not _is_still_given(found):
        raise InvitationNotValid(
            fields=[FieldError("token", "invitation_not_valid", str(InvitationNotValid.default_detail))]
        )
    return found


def _join(invitation: Invitation, user: User) -> OrganizationMember:
    actor = actors.member(user)
    require_mail_domain(organization_id=invitation.organization_id, email=user.email)
    member = add_member(
        organization=invitation.organization,
        user=user,
        role=OrganizationRole(invitation.role),
        actor=actor,
        invitation_id=invitation.pk,
    )
    if invitation.project_id is not None:
        ProjectMember.objects.create(
            organization_id=invitation.organization_id,
            project_id=invitation.project_id,
            user=user,
            role=invitation.project_role,
        )
    invitation.accepted_at = database_now()
    invitation.accepted_by = user
    invitation.save(update_fields=["accepted_at", "accepted_by", "updated_at"])
    return member
