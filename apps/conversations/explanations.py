"""Why somebody can, or cannot, read and write in a conversation: the layers of its project, and its own."""

from __future__ import annotations

from uuid import UUID

from apps.accounts import actors
from apps.accounts import explanations as accounts
from apps.accounts import policies as account_policies
from apps.accounts import selectors as account_selectors
from apps.accounts.explanations import Layer, LayerKind
from apps.accounts.types import SYSTEM, Actor, Permission
from apps.conversations import policies, selectors
from apps.conversations.models import Conversation, ConversationDenial, ConversationGrant, TeamGrant, teams_of
from apps.conversations.types import POST_IN, Visibility


def explain(
    *, viewer: Actor, conversation_id: UUID, user_id: UUID
) -> tuple[accounts.Explanation, Permission | None, list[Layer]]:
    """What is so in the project; then what is left in the conversation (None: nothing), and the layers that it adds.

    For those who may keep people out of it: its owner, and managers where all of the project see it. A private one stays unknown to
    everybody else.
    """
    conversation = selectors.get_conversation(conversation_id=conversation_id, viewer=viewer)
    access = selectors.access_to(conversation, viewer)
    account_policies.require(policies.can_deny(viewer, conversation, access=access))
    project = account_selectors.get_project(conversation.project_id, SYSTEM)
    found = accounts.layers_of(project, user_id)
    who = actors.actor_of_row(user_id=user_id)
    return found, _left(conversation, who), _layers(conversation, user_id)


def _left(conversation: Conversation, who: Actor) -> Permission | None:
    for permission in (Permission.POST, Permission.VIEW):
        if selectors.visible_to(who, permission=permission).filter(pk=conversation.pk).exists():
            return permission
    return None


def _layers(conversation: Conversation, user_id: UUID) -> list[Layer]:
    is_owner = conversation.owner_id == user_id
    layers = [Layer(LayerKind.PRIVACY, str(Visibility(conversation.visibility).label))]
    layers += [Layer(LayerKind.OWNER, conversation.owner.display_name)] if is_owner else []
    own = ConversationGrant.objects.filter(content_object=conversation, user=user_id).select_related("permission")
    of_teams = TeamGrant.objects.filter(content_object=conversation, team__in=teams_of(user_id))
    granted: dict[str, str] = {}
    for name, codename in [
        *(("", row.permission.codename) for row in own),
        *((row.team.name, row.permission.codename) for row in of_teams.select_related("team", "permission")),
    ]:
        is_more = codename == POST_IN or name not in granted
        granted[name] = (Permission.POST if codename == POST_IN else Permission.VIEW) if is_more else granted[name]
    layers += [Layer(LayerKind.GRANT, name, gives=permission) for name, permission in sorted(granted.items())]
    rows = ConversationDenial.objects.filter(conversation=conversation).select_related("team")
    mine = [*rows.filter(user=user_id), *rows.filter(team__in=teams_of(user_id))]
    return layers + [
        Layer(LayerKind.DENIAL, row.team.name if row.team else "", takes=Permission(row.permission)) for row in mine
    ]
