"""An address that is proved for the first time: what was set up before may be the work of somebody who only typed it.

Whoever signs up types an address, and is let in before its mailbox was ever opened. A person who proves later that the mailbox is
theirs, without the password of then, is perhaps another one: nothing that was set up until then opens the account any more, and nobody
works on in what a stranger has arranged.
"""

from __future__ import annotations

from uuid import UUID

from allauth.account.models import EmailAddress
from django.db import transaction

from apps.accounts import actors, events, letters, mailbox_events
from apps.accounts.models import Device, OrganizationMember, ServiceAccount, User
from apps.accounts.services import endings, organizations, people, second_factors, sessions
from apps.accounts.types import SessionEnd
from apps.core.db import database_now
from apps.core.events import emit
from apps.core.types import Scope


def is_unproved(*, user: User) -> bool:
    """Says whether ``clear_unproved`` would end anything."""
    return EmailAddress.objects.filter(user=user, email__iexact=user.email, verified=False).exists()


def note_proved(*, user_id: UUID) -> None:
    """By the person within a session of theirs, or with their password: mailbox and account are in one hand, and what was set up stays."""
    own = User.objects.values_list("email", flat=True).get(pk=user_id)
    EmailAddress.objects.filter(user=user_id, email__iexact=own, verified=False).update(verified=True)


@transaction.atomic
def clear_unproved(*, user: User, how: str) -> bool:
    """By somebody who has the mailbox and did not need what was set up (``how``: password_reset, sso).

    The address is confirmed; sessions, keys (those of service accounts that the person made too), second factors, identities,
    known devices and open invitations from before are over. Organizations that nobody else is in are put away, with all that was set
    up in them, and whoever has no other begins in a new one. The person is told, of the organizations with others in them too. The
    password is for the caller to replace. False, and nothing happens, where the address was confirmed before.
    """
    User.objects.select_for_update().filter(pk=user.pk).first()  # first the person, as where all sessions end
    own = EmailAddress.objects.filter(user=user, email__iexact=user.email, verified=False)
    if not own.update(verified=True, primary=True):
        return False
    actor = actors.member(user)
    put_away = organizations.put_away_alone(actor=actor)
    programs = ServiceAccount.objects.filter(created_by=user).values_list("user_id", flat=True)
    fact = mailbox_events.MailboxProved(
        user_id=user.pk,
        how=how,
        keys=sum(endings.end_keys_of(user_id=each, actor=actor) for each in [user.pk, *programs]),
        second_factors=len(second_factors.remove_each(user=user, actor=actor)),
        identities=endings.unlink_identities(user_id=user.pk, actor=actor),
        sessions=sessions.end_all_sessions(user_id=user.pk, reason=SessionEnd.PASSWORD, actor=actor),
        organizations=len(put_away),
    )
    endings.withdraw_invitations_by(user_id=user.pk, actor=actor)
    Device.objects.filter(user=user, forgotten_at=None).update(forgotten_at=database_now())
    emit(fact, actor=actor, scope=Scope(events.user_topic(user.pk)), subject=("user", user.pk))
    left = OrganizationMember.objects.filter(user=user, organization__deleted_at=None).select_related("organization")
    letters.send_proved(
        user=user,
        put_away=[organization.name for organization in put_away],
        shared=[row.organization.name for row in left.order_by("organization__name", "pk")],
    )
    if put_away and not left.exists():
        people.settle_in(user=user)
    user.refresh_from_db(fields=["epoch"])
    return True
