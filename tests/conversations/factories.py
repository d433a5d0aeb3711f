"""Conversations for tests, made through the services that make them for people."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from apps.accounts.types import SYSTEM, Actor, ProjectRole
from apps.conversations import services
from apps.conversations.models import Conversation, Message
from apps.conversations.types import Ending, TurnStatus, TurnUsage
from tests.accounts.factories import ProjectMemberFactory, UserFactory, actor_of, join


def someone(project: Any, role: ProjectRole = ProjectRole.EDITOR) -> Actor:
    """A member of the project's organization who has that role in the project."""
    user = UserFactory()
    join(user, project.organization)
    ProjectMemberFactory(project=project, user=user, role=role)
    return actor_of(user)


def start(actor: Actor, project: Any, **fields: Any) -> Conversation:
    return services.start_conversation(actor=actor, project_id=project.pk, **fields)


def say(actor: Actor, conversation: Conversation, content: str = "Hello", **fields: Any) -> services.Posted:
    return services.post_message(
        actor=actor, conversation_id=conversation.pk, content=content, **({"client_id": uuid4()} | fields)
    )


def answer(posted: services.Posted, text: str = "Answer", *, status: TurnStatus = TurnStatus.COMPLETED) -> Message:
    """Claim and finish the turn as a worker would, without a model."""
    assert posted.turn is not None
    held = services.claim_turn(actor=SYSTEM, turn_id=posted.turn.pk, worker="test")
    assert held is not None
    ending = Ending(
        status,
        [{"type": "text", "text": text}] if text else [],
        reason="" if status == TurnStatus.COMPLETED else "test",
        usage=TurnUsage(input_tokens=3, output_tokens=5),
        model="m",
    )
    services.finish_turn(actor=SYSTEM, turn_id=held.turn_id, fence=held.fence, ending=ending)
    return Message.objects.get(pk=held.message_id)
