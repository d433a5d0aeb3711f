"""Conversations of somebody who leaves the organization, or whose account is switched off, get another owner."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

from django.contrib.auth.models import Permission as PermissionRow
from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.db.models.functions import Now

from apps.accounts import actors
from apps.accounts import policies as account_policies
from apps.accounts import selectors as accounts
from apps.accounts.types import Actor, Permission
from apps.conversations import policies, selectors
from apps.conversations.events import ConversationArchived, ConversationDeleted, ConversationHandedOver
from apps.conversations.models import Conversation, ConversationGrant, TeamGrant, members_of
from apps.conversations.selectors.rights import denied_to
from apps.conversations.services.conversations import announce, ask_rights_again
from apps.conversations.services.links import withdraw_links_of
from apps.conversations.types import KEEP_LEFT_DAYS, POST_IN, VIEW, Visibility
from apps.core import preferences
from apps.core.doors.handovers import Leaving
from apps.core.types import ActorRef


def count_shared(organization_id: UUID, user_id: UUID) -> int:
    """What others see. Private ones are nobody's to count."""
    return _shared(organization_id, user_id).filter(deleted_at=None).count()


def _shared(organization_id: UUID, user_id: UUID) -> QuerySet[Conversation]:
    return Conversation.objects.filter(organization_id=organization_id, owner_id=user_id).exclude(
        visibility=Visibility.PRIVATE
    )


def hand_over(*, actor: ActorRef, leaving: Leaving) -> int:
    """Part of the service that ends the membership, which asks. Gives how many have another owner now.

    What others see goes to the heir where the heir may write, else to a steward. A private conversation stays sealed to its
    people: the one who is in it longest owns it. Where nobody else is, it is archived, and waits for its owner to come back.
    """
    count = _hand_over_shared(actor, leaving)
    if leaving.is_final:
        withdraw_links_of(actor, user_id=leaving.user_id, organization_id=leaving.organization_id)
        count += _hand_over_private(actor, leaving)
        ConversationGrant.objects.filter(organization_id=leaving.organization_id, user_id=leaving.user_id).delete()
    return count


def _hand_over_shared(actor: ActorRef, leaving: Leaving) -> int:
    rows = _shared(leaving.organization_id, leaving.user_id)
    left = {row.pk: row for row in rows.select_for_update().order_by("pk")}
    count = len(left)
    for heir_id in dict.fromkeys([leaving.heir_id, *leaving.stewards]):
        if not left:
            break
        allowed = selectors.visible_to(_as(heir_id), with_deleted=True, permission=Permission.POST)
        writable = set(allowed.filter(pk__in=rows.values("pk")).values_list("pk", flat=True))
        _give(actor, [left.pop(pk) for pk in sorted(writable & left.keys())], leaving.user_id, heir_id)
    # Denied to all of them: an owner of the organization may lift that.
    _give(actor, list(left.values()), leaving.user_id, leaving.stewards[0])
    return count


def _as(user_id: UUID) -> Actor:
    return actors.actor_of_row(user_id=user_id)


def _give(actor: ActorRef, conversations: list[Conversation], user_id: UUID, heir_id: UUID) -> None:
    ids = [row.pk for row in conversations]
    Conversation.objects.filter(pk__in=ids).update(owner_id=heir_id, version=F("version") + 1)
    for conversation in conversations:
        conversation.owner_id = heir_id
        announce(conversation, ConversationHandedOver(conversation.pk, user_id, heir_id), actor)


def _hand_over_private(actor: ActorRef, leaving: Leaving) -> int:
    rows = Conversation.objects.select_for_update().filter(
        organization_id=leaving.organization_id,
        owner_id=leaving.user_id,
        visibility=Visibility.PRIVATE,
        deleted_at=None,
    )
    count = 0
    for conversation in rows.order_by("pk"):
        heir_id = _longest_in(conversation)
        if heir_id is None:
            Conversation.objects.filter(pk=conversation.pk).update(archived_at=Now(), version=F("version") + 1)
            announce(conversation, ConversationArchived(conversation.pk), actor)
            continue
        _give(actor, [conversation], leaving.user_id, heir_id)
        _let_write(conversation, heir_id)
        ask_rights_again(conversation)
        count += 1
    return count


def _longest_in(conversation: Conversation) -> UUID | None:
    """Of those who were let in, and are not denied it: the first who may write, else the first who may read."""
    readers = []
    for user_id in dict.fromkeys(_people_in(conversation)):
        who = _as(user_id)
        if user_id == conversation.owner_id or not _sees(who, conversation, Permission.VIEW):
            continue
        if _sees(who, conversation, Permission.POST):
            return user_id
        if not Conversation.objects.filter(denied_to(who, Permission.POST), pk=conversation.pk).exists():
            readers.append(user_id)
    return readers[0] if readers else None


def _people_in(conversation: Conversation) -> Iterator[UUID]:
    """Longest first: by the grant of their own, then by those of their teams."""
    people = ConversationGrant.objects.filter(
        content_object=conversation, user__is_active=True, user__is_service=False
    ).order_by("created_at", "pk")
    yield from people.values_list("user_id", flat=True)
    for grant in TeamGrant.objects.filter(content_object=conversation).order_by("created_at", "pk"):
        members = members_of([grant.team_id]).filter(user__is_active=True, user__is_service=False)
        yield from members.order_by("created_at", "pk")


def _sees(who: Actor, conversation: Conversation, permission: Permission) -> bool:
    return selectors.visible_to(who, permission=permission).filter(pk=conversation.pk).exists()


def _let_write(conversation: Conversation, user_id: UUID) -> None:
    """An owner has no grant; one who has no role in the project needs one to write in it still."""
    own = ConversationGrant.objects.filter(content_object=conversation, user_id=user_id)
    own.delete()
    if _sees(_as(user_id), conversation, Permission.POST):
        return
    kinds = PermissionRow.objects.filter(content_type__app_label="conversations", codename__in=(VIEW, POST_IN))
    ConversationGrant.objects.bulk_create(
        ConversationGrant(
            organization_id=conversation.organization_id,
            content_object=conversation,
            user_id=user_id,
            permission=kind,
        )
        for kind in kinds
    )


def delete_left(*, actor: Actor, limit: int = 100) -> int:
    """Private conversations of people who did not come back for so long as the organization keeps them; gives how many.

    As if their owner had deleted them: for 30 more days they could be restored, then the sweep of deleted ones erases them.
    """
    account_policies.require(policies.is_system(actor))
    count = 0
    for organization_id in _left().values_list("organization_id", flat=True).distinct():
        days = preferences.get(KEEP_LEFT_DAYS, organization=organization_id)
        due = _left().filter(organization_id=organization_id, archived_at__lte=Now() - timedelta(days=days))
        for pk in due.values_list("pk", flat=True)[:limit]:
            count += _delete_left(actor, pk)
    return count


def _left() -> QuerySet[Conversation]:
    """Nobody of the organization is in them."""
    belongs = accounts.belongs(user="user")
    people = ConversationGrant.objects.filter(belongs, content_object=OuterRef("pk"))
    return Conversation.objects.filter(
        ~accounts.belongs(user="owner"),
        ~Exists(people),
        ~Exists(TeamGrant.objects.filter(content_object=OuterRef("pk"))),
        visibility=Visibility.PRIVATE,
        deleted_at=None,
        archived_at__isnull=False,
    )


@transaction.atomic
def _delete_left(actor: Actor, conversation_id: UUID) -> bool:
    conversation = _left().select_for_update().filter(pk=conversation_id).first()
    if conversation is None:
        return False
    Conversation.objects.filter(pk=conversation.pk).update(deleted_at=Now(), version=F("version") + 1)
    announce(conversation, ConversationDeleted(conversation.pk), actor)
    return True
