"""Who is let into one conversation, and who is kept out of it."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.models import Permission as PermissionRow
from django.db import transaction

from apps.accounts import policies as account_policies
from apps.accounts.types import Actor, Permission
from apps.conversations import policies, selectors
from apps.conversations.events import (
    ParticipantAdded,
    ParticipantAllowed,
    ParticipantDenied,
    ParticipantRemoved,
)
from apps.conversations.models import Conversation, ConversationDenial, ConversationGrant, TeamGrant
from apps.conversations.news import tell_people_later
from apps.conversations.services.conversations import announce, ask_rights_again
from apps.conversations.types import POST_IN, VIEW, OwnConversation
from apps.core.errors import NotFound

CODENAMES = {Permission.VIEW: (VIEW,), Permission.POST: (VIEW, POST_IN)}


def _require_somebody(conversation: Conversation, actor: Actor, *, user_id: UUID | None, team_id: UUID | None) -> None:
    """Of the organization, and somebody the actor may know of. One of the two is named."""
    if team_id is not None:
        known = selectors.list_teams_for(conversation, actor)
        is_known = user_id is None and team_id in known
    else:
        is_known = user_id in selectors.list_people_for(conversation, actor)
    if not is_known:
        raise NotFound


@transaction.atomic
def invite_participant(
    *,
    actor: Actor,
    conversation_id: UUID,
    user_id: UUID | None = None,
    team_id: UUID | None = None,
    permission: Permission = Permission.POST,
) -> None:
    """Let one person or one team of the organization read the conversation, or read and write in it, whatever their role in the
    project. What they had before is replaced; the same again is no error and no event.
    """
    conversation = selectors.lock_conversation(conversation_id=conversation_id, viewer=actor)
    access = selectors.access_to(conversation, actor)
    account_policies.require(policies.can_share(actor, conversation, access=access))
    _require_somebody(conversation, actor, user_id=user_id, team_id=team_id)
    wanted = set(CODENAMES[permission])
    rows = selectors.list_grants(conversation, user_id=user_id, team_id=team_id)
    had = set(rows.values_list("permission__codename", flat=True))
    if user_id == conversation.owner_id or had == wanted:
        return
    rows.exclude(permission__codename__in=wanted).delete()
    table = TeamGrant if team_id is not None else ConversationGrant
    who = {"team_id": team_id} if team_id is not None else {"user_id": user_id}
    kinds = PermissionRow.objects.filter(content_type__app_label="conversations", codename__in=wanted - had)
    table.objects.bulk_create(
        table(
            organization_id=conversation.organization_id,
            content_object=conversation,
            permission=kind,
            granted_by_id=actor.user_id,
            **who,
        )
        for kind in kinds
    )
    announce(conversation, ParticipantAdded(conversation.pk, user_id, team_id, permission.value), actor)
    if had:
        ask_rights_again(conversation)


@transaction.atomic
def remove_participant(
    *, actor: Actor, conversation_id: UUID, user_id: UUID | None = None, team_id: UUID | None = None
) -> None:
    """Take a grant back, or leave by oneself. Somebody who has none is no error: the state asked for is there."""
    conversation = selectors.lock_conversation(conversation_id=conversation_id, viewer=actor)
    access = selectors.access_to(conversation, actor)
    account_policies.require(policies.can_remove_participant(actor, conversation, user_id, access=access))
    told = selectors.list_people_with_grants(conversation)
    gone, _by_model = selectors.list_grants(conversation, user_id=user_id, team_id=team_id).delete()
    if not gone:
        return
    announce(conversation, ParticipantRemoved(conversation.pk, user_id, team_id), actor)
    tell_people_later(told, conversation, "list")
    ask_rights_again(conversation)


@transaction.atomic
def deny_participant(
    *,
    actor: Actor,
    conversation_id: UUID,
    user_id: UUID | None = None,
    team_id: UUID | None = None,
    permission: Permission = Permission.VIEW,
) -> ConversationDenial:
    """Keep one person or one team out of the conversation, or from writing in it, whatever roles and grants they have.

    Raises ``OwnConversation`` for oneself and for one's own teams: nobody could lift it. A denial that is there is replaced.
    """
    conversation = selectors.lock_conversation(conversation_id=conversation_id, viewer=actor)
    access = selectors.access_to(conversation, actor)
    account_policies.require(policies.can_deny(actor, conversation, access=access))
    _require_somebody(conversation, actor, user_id=user_id, team_id=team_id)
    if actor.user_id is not None and actor.user_id in ({user_id} if team_id is None else selectors.list_team(team_id)):
        raise OwnConversation
    denial, is_new = ConversationDenial.objects.get_or_create(
        organization_id=conversation.organization_id,
        conversation=conversation,
        user_id=user_id,
        team_id=team_id,
        defaults={"permission": permission, "denied_by_id": actor.user_id},
    )
    if is_new or denial.permission != permission:
        denial.permission = permission.value
        denial.denied_by_id = actor.user_id
        denial.save(update_fields=["permission", "denied_by", "updated_at"])
        announce(conversation, ParticipantDenied(conversation.pk, user_id, team_id, permission.value), actor)
        tell_people_later(_told_of(denial), conversation, "list")
        ask_rights_again(conversation)
    return denial


@transaction.atomic
def lift_denial(*, actor: Actor, conversation_id: UUID, denial_id: UUID) -> None:
    conversation = selectors.lock_conversation(conversation_id=conversation_id, viewer=actor)
    access = selectors.access_to(conversation, actor)
    account_policies.require(policies.can_deny(actor, conversation, access=access))
    denial = selectors.list_denials(conversation=conversation, viewer=actor).filter(pk=denial_id).first()
    if denial is None:
        raise NotFound
    told = _told_of(denial)
    denial.delete()
    announce(conversation, ParticipantAllowed(conversation.pk, denial.user_id, denial.team_id), actor)
    tell_people_later(told, conversation, "list")
    ask_rights_again(conversation)


def _told_of(denial: ConversationDenial) -> set[UUID]:
    return {denial.user_id} if denial.user_id is not None else selectors.list_team(denial.team_id)
