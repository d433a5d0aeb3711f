"""What ends with a right: keys, identities, and the invitations of those who may no longer give what these promise."""

from __future__ import annotations

from uuid import UUID

from allauth.socialaccount.models import SocialAccount

from apps.accounts import events, policies
from apps.accounts.models import ApiKey, IdentityProvider, Invitation
from apps.accounts.types import Actor, ActorKind, OrganizationRole
from apps.core.db import database_now
from apps.core.events import emit
from apps.core.types import Scope


def _scope_of(organization_id: UUID) -> Scope:
    return Scope(events.organization_topic(organization_id), organization_id=organization_id)


def end_key(*, key: ApiKey, actor: Actor) -> bool:
    """For services: a key that is locked opens nothing from now on. False when it was revoked before."""
    if key.revoked_at is not None:
        return False
    key.revoked_at = database_now()
    key.save(update_fields=["revoked_at", "updated_at"])
    emit(
        events.ApiKeyRevoked(key_id=key.pk),
        actor=actor,
        scope=_scope_of(key.organization_id),
        subject=("api_key", key.pk),
    )
    return True


def end_keys_of(*, user_id: UUID, actor: Actor, organization_id: UUID | None = None) -> int:
    """For services: all that they hold in one organization, or anywhere. How many opened something."""
    rows = ApiKey.objects.filter(user=user_id, revoked_at=None)
    if organization_id is not None:
        rows = rows.filter(organization=organization_id)
    return sum(end_key(key=key, actor=actor) for key in rows.select_for_update().order_by("pk"))


def unlink_identities(*, user_id: UUID, actor: Actor, organization_id: UUID | None = None) -> int:
    """For services: the providers of that organization, or all, sign the person in no more. How many did."""
    rows = SocialAccount.objects.filter(user=user_id)
    scope = Scope(events.user_topic(user_id))
    if organization_id is not None:
        own = IdentityProvider.objects.filter(organization=organization_id).values("slug")
        rows, scope = rows.filter(provider__in=own), _scope_of(organization_id)
    slugs = sorted(set(rows.values_list("provider", flat=True)))
    rows.delete()
    for slug in slugs:
        emit(
            events.IdentityUnlinked(user_id=user_id, provider=slug), actor=actor, scope=scope, subject=("user", user_id)
        )
    return len(slugs)


def withdraw_invitation(*, invitation: Invitation, actor: Actor) -> None:
    """For services: an open one that is locked."""
    invitation.revoked_at = database_now()
    invitation.save(update_fields=["revoked_at", "updated_at"])
    emit(
        events.InvitationRevoked(invitation_id=invitation.pk),
        actor=actor,
        scope=_scope_of(invitation.organization_id),
        subject=("invitation", invitation.pk),
    )


def withdraw_invitations_by(
    *, user_id: UUID, actor: Actor, organization_id: UUID | None = None, role: OrganizationRole | None = None
) -> None:
    """For services: open ones that this person made, in one organization or in all, and with ``role`` could not make any more."""
    rows = Invitation.objects.filter(invited_by=user_id, accepted_at=None, revoked_at=None)
    if organization_id is not None:
        rows = rows.filter(organization=organization_id)
    inviter = Actor(kind=ActorKind.MEMBER, user_id=user_id)
    for invitation in rows.select_for_update().order_by("pk"):
        if not policies.can_give_role(inviter, role, OrganizationRole(invitation.role)):
            withdraw_invitation(invitation=invitation, actor=actor)
