"""What the installation's operators do in the admin site. All of it is in the audit log."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from apps.accounts import events, letters, policies
from apps.accounts.models import ApiKey, ServiceAccount, User, UserSession
from apps.accounts.services import endings, sessions
from apps.accounts.types import Actor, SessionEnd
from apps.core.db import database_now
from apps.core.errors import NotFound
from apps.core.events import emit
from apps.core.types import Scope


@transaction.atomic
def end_sessions_of(*, actor: Actor, user_id: UUID) -> int:
    """Cookies, tokens and sockets of a person, everywhere."""
    policies.require(policies.can_operate(actor))
    return sessions.end_all_sessions(user_id=user_id, reason=SessionEnd.OPERATOR, actor=actor)


@transaction.atomic
def end_sessions(*, actor: Actor, session_ids: list[UUID]) -> int:
    policies.require(policies.can_operate(actor))
    return sessions.end_listed(UserSession.objects.filter(pk__in=session_ids), SessionEnd.OPERATOR, actor)


@transaction.atomic
def revoke_key(*, actor: Actor, key_id: UUID) -> bool:
    """False when it was withdrawn before."""
    policies.require(policies.can_operate(actor))
    key = ApiKey.objects.select_for_update().filter(pk=key_id).first()
    if key is None:
        raise NotFound
    return endings.end_key(key=key, actor=actor)


@transaction.atomic
def set_active(*, actor: Actor, user_id: UUID, is_active: bool) -> bool:
    """Keep somebody out at once, or let them in again. Operators cannot keep themselves out. False: nothing changed."""
    policies.require(policies.can_operate(actor) and (is_active or user_id != actor.user_id))
    user = User.objects.select_for_update().filter(pk=user_id, anonymized_at=None).first()
    if user is None:
        raise NotFound
    if user.is_active == is_active:
        return False
    user.is_active = is_active
    user.save(update_fields=["is_active", "updated_at"])
    ServiceAccount.objects.filter(user=user).update(disabled_at=None if is_active else database_now())
    emit(
        events.ActivityChanged(user_id=user.pk, is_active=is_active),
        actor=actor,
        scope=Scope(events.user_topic(user.pk)),
        subject=("user", user.pk),
    )
    if not is_active:
        endings.withdraw_invitations_by(user_id=user.pk, actor=actor)
        sessions.end_all_sessions(user_id=user.pk, reason=SessionEnd.OPERATOR, actor=actor)
    return True


@transaction.atomic
def send_sign_in_link(*, actor: Actor, user_id: UUID) -> None:
    """Mailed to the person, never shown to the operator: a link signs in as them."""
    policies.require(policies.can_operate(actor))
    user = User.objects.filter(pk=user_id, is_active=True, is_service=False).first()
    if user is None:
        raise NotFound
    token = sessions.make_sign_in_link(actor=actor, user=user)
    letters.send_link(user=user, token=token)
