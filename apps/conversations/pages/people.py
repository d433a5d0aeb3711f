"""Who sees a conversation, and what the viewer may change about that: the panel "People"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.accounts import selectors as accounts
from apps.accounts.types import Actor
from apps.conversations import policies, selectors
from apps.conversations.models import Conversation
from apps.conversations.types import Visibility


@dataclass(frozen=True, slots=True)
class PersonView:
    id: UUID
    name: str
    role_label: str
    is_viewer: bool
    is_owner: bool
    can_remove: bool


def people_context(*, conversation: Conversation, project: Any, viewer: Actor) -> dict[str, Any]:
    """``people`` see it; ``candidates`` are members of the project who do not, for the owner to invite."""
    everybody = accounts.list_people_of_project(project, viewer)
    is_private = conversation.visibility == Visibility.PRIVATE
    can_share = policies.can_share(viewer, conversation, role=accounts.role_in(viewer, project))
    shown = {person.id for person in everybody}
    if is_private:
        invited = selectors.list_participants(conversation=conversation, viewer=viewer)
        shown = {conversation.owner_id, *[each.user_id for each in invited]}
    people = [
        PersonView(
            id=person.id,
            name=person.name,
            role_label=str(person.role.label),
            is_viewer=person.id == viewer.user_id,
            is_owner=person.id == conversation.owner_id,
            can_remove=can_share and is_private and person.id != conversation.owner_id,
        )
        for person in everybody
        if person.id in shown
    ]
    people.sort(key=lambda person: (not person.is_owner, person.name.casefold()))
    return {
        "people": people,
        "candidates": [person for person in everybody if person.id not in shown] if can_share else [],
        "can_share": can_share,
        "is_private": is_private,
        "can_leave": is_private and viewer.user_id != conversation.owner_id and policies.can_arrange(viewer),
    }
