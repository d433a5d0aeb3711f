"""Whatever people may do to one conversation, drawn by lot."""

from __future__ import annotations

import random
from typing import Any

from apps.conversations import services
from apps.conversations.models import Conversation, Message, Turn
from apps.conversations.types import ACTIVE
from tests.conversations.factories import say


def act(dice: random.Random, people: list[Any], conversation: Conversation) -> Any:
    """Somebody does something; gives who chose another branch, which the page hears from its own request, not from an event.

    Raises ``DomainError`` where it is refused. Answers are written by whoever runs turns meanwhile.
    """
    actor = dice.choice(people)
    messages = list(Message.objects.filter(conversation=conversation).order_by("number").values_list("pk", flat=True))
    turns = list(Turn.objects.filter(conversation=conversation, status__in=ACTIVE).values_list("pk", flat=True))
    match dice.choice(
        [
            *("post", "edit", "again", "stop", "stop", "delete", "restore", "continue", "continue", "name"),
            *("branch", "pin", "archive", "unarchive", "gone and back", "fork"),
        ]
    ):
        case "post":
            say(actor, conversation, f"words {dice.random()}")
        case "edit" if messages:
            services.edit_message(actor=actor, message_id=dice.choice(messages), content=f"other {dice.random()}")
        case "again" if messages:
            services.regenerate_answer(actor=actor, message_id=dice.choice(messages))
        case "stop" if turns:
            services.stop_turn(actor=actor, turn_id=dice.choice(turns))
        case "delete" if messages:
            services.delete_message(actor=actor, message_id=dice.choice(messages))
        case "restore" if messages:
            services.restore_message(actor=actor, message_id=dice.choice(messages))
        case "continue" if messages:
            services.continue_answer(actor=actor, message_id=dice.choice(messages))
        case "branch" if messages:
            services.choose_branch(
                actor=actor, conversation_id=conversation.pk, message_id=dice.choice([None, dice.choice(messages)])
            )
            return actor
        case "pin":
            services.pin_conversation(actor=actor, conversation_id=conversation.pk, pinned=dice.random() < 0.5)
        case "archive" if dice.random() < 0.3:
            services.archive_conversation(actor=actor, conversation_id=conversation.pk, archived=True)
        case "unarchive":
            services.archive_conversation(actor=actor, conversation_id=conversation.pk, archived=False)
        case "gone and back" if dice.random() < 0.3:
            services.delete_conversation(actor=people[0], conversation_id=conversation.pk)
            services.restore_conversation(actor=people[0], conversation_id=conversation.pk)
        case "fork" if messages:
            services.fork_conversation(actor=actor, conversation_id=conversation.pk, message_id=dice.choice(messages))
        case "name":
            changes = {"title": f"{dice.random()}", "tags": [f"{dice.randrange(9)}"]}
            services.change_conversation(actor=actor, conversation_id=conversation.pk, changes=changes)
    return None
