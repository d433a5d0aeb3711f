"""Titles that write themselves: the wish for one is a row, so that a lost hint costs time and never the title."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from apps.accounts import policies as account_policies
from apps.accounts.actors import actor_of_row
from apps.accounts.types import SYSTEM, Actor
from apps.conversations import policies, selectors
from apps.conversations.events import ConversationChanged
from apps.conversations.models import Conversation, TitleRequest, Turn
from apps.conversations.services.conversations import announce
from apps.conversations.types import MAX_TITLE_ATTEMPTS, TITLE_LEASE_SECONDS, HeldTitle, TitleSource
from apps.core import jobs, leases


def request_title(*, turn: Turn) -> None:
    """In the transaction that ends an answer. Asking again begins the attempts anew and leaves one who is writing alone."""
    wish = TitleRequest(
        organization_id=turn.organization_id,
        conversation_id=turn.conversation_id,
        requested_by_id=turn.requested_by_id,
        key_id=turn.key_id,
    )
    TitleRequest.objects.bulk_create(
        [wish],
        update_conflicts=True,
        unique_fields=["organization", "conversation"],
        update_fields=["requested_by", "key_id", "attempts", "updated_at"],
    )
    jobs.after_commit("conversations.write_title", conversation_id=turn.conversation_id)


@transaction.atomic
def claim_title(*, actor: Actor, conversation_id: UUID) -> HeldTitle | None:
    """Take the wish, or None: somebody writes this title now, it is there, or who asked may write here no more."""
    account_policies.require(policies.is_system(actor))
    wish = TitleRequest.objects.select_for_update(skip_locked=True).filter(conversation=conversation_id).first()
    if wish is None:
        return None
    asker = actor_of_row(user_id=wish.requested_by_id, key_id=wish.key_id) if wish.requested_by_id else SYSTEM
    is_untitled = Conversation.objects.filter(pk=conversation_id, title_source=TitleSource.NONE).exists()
    if not is_untitled or selectors.find_writable(conversation_id=conversation_id, asker=asker) is None:
        wish.delete()
        return None
    rows = TitleRequest.objects.filter(attempts__lt=MAX_TITLE_ATTEMPTS)
    fence = leases.claim(rows, wish.pk, seconds=TITLE_LEASE_SECONDS)
    return HeldTitle(conversation_id, fence) if fence is not None else None


@transaction.atomic
def title_conversation(*, actor: Actor, held: HeldTitle, title: str) -> bool:
    """Give the title that a model wrote, and forget the wish. Never over one that a person typed, nor by one who came late.

    False when it was not taken. An empty title leaves the wish: it is tried again when the lease has lapsed.
    """
    account_policies.require(policies.is_system(actor))
    conversation = Conversation.objects.select_for_update().get(pk=held.conversation_id)
    wish = TitleRequest.objects.select_for_update().filter(conversation=conversation, fence=held.fence).first()
    if wish is None or not title.strip():
        return False
    wish.delete()
    if conversation.title_source != TitleSource.NONE:
        return False
    conversation.title = " ".join(title.split())[:200]
    conversation.title_source = TitleSource.AUTO
    conversation.save(update_fields=["title", "title_source", "updated_at"])
    announce(conversation, ConversationChanged(conversation.pk, ("title",)), actor)
    return True
