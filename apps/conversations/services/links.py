"""Share links: made by a conversation's owner, withdrawn by them, by managers and by operators."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts import actors
from apps.accounts import policies as account_policies
from apps.accounts.services import unproved
from apps.accounts.types import Actor
from apps.conversations import policies, selectors
from apps.conversations.events import LinkMade, LinkRenewed, LinkWithdrawn
from apps.conversations.models import Conversation, ShareLink
from apps.conversations.services.conversations import announce
from apps.conversations.types import MAX_LINKS, LinkNotFound, LinksClosed, LinksOff, TooManyLinks, Visibility
from apps.core.db import database_now
from apps.core.errors import FieldError, Invalid
from apps.core.types import ActorRef

TOKEN_BYTES = 32
KEPT_AFTER_END = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class MadeLink:
    """``token`` is known now and never again."""

    link: ShareLink
    token: str


@transaction.atomic
def make_link(*, actor: Actor, conversation_id: UUID, expires_at: datetime | None = None) -> MadeLink:
    """Show the actor's path, as it is now, to whoever has the address. Raises ``LinksClosed`` while the conversation is not
    for links, ``LinksOff`` where the organization wants none, ``AddressNotConfirmed``, and ``TooManyLinks``.
    """
    conversation = _lock_for_sharing(actor, conversation_id)
    unproved.require_proved(actor=actor)
    if expires_at is not None and expires_at <= timezone.now():
        raise Invalid(fields=[FieldError("expires_at", "past", _("Choose a time that is still to come."))])
    if selectors.list_links(conversation=conversation, viewer=actor).count() >= MAX_LINKS:
        raise TooManyLinks
    token = secrets.token_urlsafe(TOKEN_BYTES)
    link = ShareLink.objects.create(
        organization_id=conversation.organization_id,
        conversation=conversation,
        token_hash=actors.hash_token(token),
        hint=token[-4:],
        created_by_id=actor.user_id,
        up_to_number=_end_of_path(actor, conversation),
        shared_at=database_now(),
        expires_at=expires_at,
    )
    announce(conversation, LinkMade(conversation.pk, link.pk, link.up_to_number), actor)
    return MadeLink(link, token)


@transaction.atomic
def renew_link(*, actor: Actor, conversation_id: UUID, link_id: UUID) -> ShareLink:
    """Share again: the same address shows the conversation as it is now."""
    conversation = _lock_for_sharing(actor, conversation_id)
    link = _find(actor, conversation, link_id)
    link.up_to_number = _end_of_path(actor, conversation)
    link.shared_at = database_now()
    link.save(update_fields=["up_to_number", "shared_at", "updated_at"])
    announce(conversation, LinkRenewed(conversation.pk, link.pk, link.up_to_number), actor)
    return link


@transaction.atomic
def withdraw_link(*, actor: Actor, conversation_id: UUID, link_id: UUID) -> None:
    """It opens nothing any more."""
    conversation = selectors.lock_conversation(conversation_id=conversation_id, viewer=actor)
    access = selectors.access_to(conversation, actor)
    account_policies.require(policies.can_deny(actor, conversation, access=access))
    _withdraw(actor, conversation, _find(actor, conversation, link_id))


@transaction.atomic
def withdraw_link_as_operator(*, actor: Actor, link_id: UUID) -> None:
    """For the admin: an operator may close what they may not read."""
    account_policies.require(policies.is_operator(actor))
    link = ShareLink.objects.select_for_update().select_related("conversation").get(pk=link_id)
    if link.revoked_at is None:
        _withdraw(actor, link.conversation, link)


def withdraw_links(actor: Actor, conversation: Conversation) -> None:
    """All of a conversation that links no longer open: they do not come back with it."""
    for link in selectors.list_links(conversation=conversation, viewer=actor):
        _withdraw(actor, conversation, link)


def withdraw_links_of(actor: ActorRef, *, user_id: UUID, organization_id: UUID) -> None:
    """All that a person made in an organization: nobody answers for them any more."""
    _withdraw_each(actor, ShareLink.objects.filter(created_by_id=user_id, organization_id=organization_id))


def _withdraw_each(actor: ActorRef, made: QuerySet[ShareLink]) -> None:
    for link in made.filter(revoked_at=None).select_related("conversation"):
        _withdraw(actor, link.conversation, link)


@transaction.atomic
def withdraw_unproved_links(*, actor: Actor, user_id: UUID, proved_at: datetime) -> None:
    """Those that an account made anywhere before its address was confirmed at ``proved_at``. Safe to repeat."""
    account_policies.require(policies.is_system(actor))
    _withdraw_each(actor, ShareLink.objects.filter(created_by_id=user_id, created_at__lt=proved_at))


def forget_ended_links(*, actor: Actor) -> int:
    """Those that have opened nothing for ninety days. Safe to repeat."""
    account_policies.require(policies.is_system(actor))
    over = Now() - KEPT_AFTER_END
    return ShareLink.objects.filter(Q(revoked_at__lt=over) | Q(expires_at__lt=over)).delete()[0]


def _withdraw(actor: ActorRef, conversation: Conversation, link: ShareLink) -> None:
    ShareLink.objects.filter(pk=link.pk).update(revoked_at=Now(), revoked_by_id=actor.user_id)
    announce(conversation, LinkWithdrawn(conversation.pk, link.pk), actor)


def _lock_for_sharing(actor: Actor, conversation_id: UUID) -> Conversation:
    conversation = selectors.lock_conversation(conversation_id=conversation_id, viewer=actor)
    access = selectors.access_to(conversation, actor)
    account_policies.require(policies.can_share(actor, conversation, access=access))
    if not selectors.are_links_on(conversation.organization_id):
        raise LinksOff
    if conversation.visibility != Visibility.LINK:
        raise LinksClosed
    return conversation


def _find(actor: Actor, conversation: Conversation, link_id: UUID) -> ShareLink:
    found = selectors.list_links(conversation=conversation, viewer=actor).filter(pk=link_id).first()
    if found is None:
        raise LinkNotFound
    return found


def _end_of_path(actor: Actor, conversation: Conversation) -> int:
    leaf = selectors.active_leaf(conversation=conversation, user_id=actor.user_id)
    return (selectors.find_number(conversation=conversation, message_id=leaf) if leaf else None) or 0
