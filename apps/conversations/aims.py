"""Who answers what is posted, and whether what is posted again asks for the same."""

from __future__ import annotations

from uuid import UUID

from apps.accounts.types import Actor
from apps.conversations import selectors
from apps.conversations.models import Conversation, Message
from apps.conversations.types import Answerer, ClientIdReused


def find_answerer(
    actor: Actor,
    conversation: Conversation,
    content: str,
    *,
    model: str = "",
    agent: UUID | None = None,
    unless_to_people: bool = False,
) -> Answerer | None:
    """None: the words are for people. Whom else they name answers before a choice that stands for all that is written."""
    is_open = unless_to_people or (not model and agent is None)
    if is_open and selectors.names_only_people(conversation, actor, content):
        return None
    return selectors.get_answerer(
        conversation, actor, content=content, model=model, agent=agent, is_standing=unless_to_people
    )


def require_same_aim(
    actor: Actor,
    conversation: Conversation,
    earlier: Message,
    content: str,
    *,
    parent_id: UUID | None = None,
    model: str,
    agent: UUID | None,
    is_standing: bool,
) -> None:
    """What is named must be what was named then. What is left out may stand for something else by now, and says nothing."""
    if parent_id is not None and parent_id != earlier.parent_id:
        raise ClientIdReused
    answer = selectors.find_answer_to(earlier) if model or agent else None
    if answer is None or answer.turn is None:
        return
    then = answer.turn
    named = selectors.get_answerer(
        conversation, actor, content=content, model=model, agent=agent, is_standing=is_standing
    )
    if (agent and named.agent_id != then.agent_id) or (not agent and named.model_id != then.model_id):
        raise ClientIdReused
