"""Forgetting a person, and an organization. What people wrote keeps an author; who that was is known no more."""

from __future__ import annotations

from uuid import UUID

from allauth.account.models import EmailAddress
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from apps.accounts import actors, events, policies
from apps.accounts.models import (
    ApiKey,
    Invitation,
    Organization,
    OrganizationMember,
    Project,
    ProjectMember,
    Pseudonym,
    SignInAttempt,
    SignInLink,
    User,
    UserSession,
)
from apps.accounts.services import organizations, sessions
from apps.accounts.types import SYSTEM, Actor, LastOperator, LastOwner, SessionEnd
from apps.core import mail, preferences
from apps.core.db import database_now
from apps.core.doors.erasers import Eraser, erasers
from apps.core.errors import Forbidden, NotFound
from apps.core.events import emit
from apps.core.types import Scope


@transaction.atomic
def erase_person(*, actor: Actor, user_id: UUID) -> int:
    """Everywhere, at once and for good; how many rows it touched. For operators, and for people themselves.

    Raises ``LastOwner`` while an organization with other people would lose its only owner (name a successor first), and
    ``LastOperator`` for the only operator; nothing is changed then. Repeating it adds nothing.
    """
    is_own = policies.can_change_own_account(actor) and actor.user_id == user_id
    policies.require(policies.can_operate(actor) or is_own)
    user = User.objects.select_for_update().filter(pk=user_id).first()
    if user is None:
        raise NotFound
    is_first_time = user.anonymized_at is None
    count = sum(eraser.erase_person(user_id) for eraser in _in_order())
    if is_first_time:
        emit(
            events.UserErased(user_id=user_id),
            actor=actor,
            scope=Scope(events.user_topic(user_id)),
            subject=("user", user_id),
        )
    return count


@transaction.atomic
def erase_organization(*, actor: Actor, organization_id: UUID) -> int:
    """All that belongs to it, in every app; how many rows. For operators, and never the installation's own organization.

    The audit log stays: its rows hold ids, pseudonyms and numbers. Repeating it gives ``NotFound``.
    """
    organization = Organization.objects.select_for_update().filter(pk=organization_id).first()
    policies.require(policies.can_operate(actor))
    if organization is None:
        raise NotFound
    if organization.is_home:
        raise Forbidden
    count = sum(eraser.erase_organization(organization_id) for eraser in _in_order())
    emit(
        events.OrganizationErased(organization_id=organization_id),
        actor=actor,
        scope=organizations.scope_of(organization_id),
        subject=("organization", organization_id),
    )
    return count


def _in_order() -> list[Eraser]:
    """This app's last: what refers to a person or an organization goes before the row."""
    return sorted(erasers, key=lambda each: each.name == "accounts")


@transaction.atomic
def forget_person(*, user_id: UUID) -> int:
    """This app's part of it, as an eraser: safe to repeat. The row stays without a name, and opens nothing.

    The audit log knows people by a pseudonym only. Its row here is the one link between the two: without it the entries
    are nobody's, and their chain is valid as before.
    """
    user = User.objects.select_for_update().get(pk=user_id)
    if user.is_superuser and not User.objects.filter(is_superuser=True, is_active=True).exclude(pk=user_id).exists():
        raise LastOperator
    count = _leave_organizations(user_id)
    sessions.end_all_sessions(user_id=user_id, reason=SessionEnd.OPERATOR)
    keys = UserSession.objects.filter(user=user_id).exclude(session_key=None).values_list("session_key", flat=True)
    mine = [
        Session.objects.filter(session_key__in=list(keys)),
        UserSession.objects.filter(user=user_id),
        ApiKey.objects.filter(user=user_id),
        SignInLink.objects.filter(Q(user=user_id) | Q(used_by=user_id)),
        SignInAttempt.objects.filter(account_hash=actors.hash_account(user.email)),
        EmailAddress.objects.filter(user=user_id),
        Pseudonym.objects.filter(user=user_id),
    ]
    count += sum(rows.delete()[0] for rows in mine)
    count += mail.forget_recipient(user.email) + preferences.forget_person(user_id)
    for invitation in Invitation.objects.filter(Q(email__iexact=user.email) | Q(accepted_by=user_id)):
        invitation.email = _nowhere(invitation.pk)
        if invitation.accepted_at is None and invitation.revoked_at is None:
            invitation.revoked_at = database_now()
        invitation.save(update_fields=["email", "revoked_at", "updated_at"])
        count += 1
    return count + _anonymize(user_id)


def _leave_organizations(user_id: UUID) -> int:
    """One that nobody else belongs to is deleted with its only member. Raises ``LastOwner`` for those with others in them."""
    count = 0
    for member in OrganizationMember.objects.filter(user=user_id).select_related("organization").order_by("pk"):
        organization = member.organization
        everybody = OrganizationMember.objects.select_for_update().filter(organization=organization).order_by("pk")
        if len(everybody) > 1 and organization.deleted_at is None:
            organizations.remove_member(actor=SYSTEM, member_id=member.pk)
            count += 1
            continue
        if organization.is_home:
            raise LastOwner
        ProjectMember.objects.filter(organization=organization, user=user_id).delete()
        member.delete()
        Organization.objects.filter(pk=organization.pk, deleted_at=None).update(deleted_at=database_now())
        emit(
            events.MemberRemoved(user_id=user_id, role=member.role),
            actor=SYSTEM,
            scope=organizations.scope_of(organization.pk),
            subject=("user", user_id),
        )
        count += 1
    return count


def _anonymize(user_id: UUID) -> int:
    user = User.objects.get(pk=user_id)  # again: the sessions that ended moved its epoch on
    if user.anonymized_at is not None:
        return 0
    user.email, user.name = _nowhere(user_id), _("Former member")
    user.language, user.time_zone = "en", "UTC"
    user.is_active = user.is_staff = user.is_superuser = False
    user.last_login = None
    user.anonymized_at = database_now()
    user.set_unusable_password()
    user.save()
    user.groups.clear()
    user.user_permissions.clear()
    return 1


def _nowhere(pk: UUID) -> str:
    """No mail ever goes there: RFC 2606 keeps the domain for nobody."""
    return f"{pk.hex}@erased.invalid"


@transaction.atomic
def forget_organization(*, organization_id: UUID) -> int:
    """As an eraser, after those of the floors above: members, keys, invitations, projects, and the organization. Safe to repeat."""
    projects = Project.objects.filter(organization=organization_id)
    ids = [organization_id, *projects.values_list("pk", flat=True)]
    models = (ApiKey, Invitation, ProjectMember, OrganizationMember)
    count = sum(model.objects.filter(organization=organization_id).delete()[0] for model in models)
    count += preferences.forget_targets(ids)
    return count + projects.delete()[0] + Organization.objects.filter(pk=organization_id).delete()[0]
