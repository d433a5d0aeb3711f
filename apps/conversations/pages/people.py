"""Who sees a conversation, and what the viewer may change about that: the panel "People"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from apps.accounts import selectors as accounts
from apps.accounts.types import Actor
from apps.conversations import policies, selectors
from apps.conversations.models import Conversation
from apps.conversations.types import Access, Visibility


@dataclass(frozen=True, slots=True)
class PersonView:
    """A person or a team. ``has_grant``: let in beside what a role in the project gives."""

    id: UUID
    name: str
    note: str
    is_team: bool = False
    is_viewer: bool = False
    is_owner: bool = False
    has_grant: bool = False


def people_context(*, conversation: Conversation, project: Any, viewer: Actor, access: Access) -> dict[str, Any]:
    """``people`` see it. ``project`` None: the viewer was let in, and learns who else was, and nothing of the project.

    The owner may let in ``people_for`` and ``teams_for``; managers too may keep people out and see the links.
    """
    is_private = conversation.visibility == Visibility.PRIVATE
    can_share = policies.can_share(viewer, conversation, access=access)
    can_deny = policies.can_deny(viewer, conversation, access=access)
    members = {} if project is None else {each.id: each for each in accounts.list_people_of_project(project, viewer)}
    granted = {each.id: each for each in selectors.list_participants(conversation=conversation, viewer=viewer)}
    people = [
        PersonView(
            id=person.id,
            name=person.name,
            note=_access_note(granted[person.id]) if person.id in granted else str(person.role.label),
            is_viewer=person.id == viewer.user_id,
            is_owner=person.id == conversation.owner_id,
            has_grant=person.id in granted,
        )
        for person in members.values()
        if not is_private or person.id in granted or person.id == conversation.owner_id
    ]
    people += [
        PersonView(each.id, each.name, _access_note(each), each.is_team, each.id == viewer.user_id, has_grant=True)
        for each in granted.values()
        if each.id not in members
    ]
    if conversation.owner_id not in {each.id for each in people}:
        owner = conversation.owner
        people.append(PersonView(owner.pk, owner.display_name, "", is_owner=True))
    people.sort(key=lambda each: (not each.is_owner, each.is_team, each.name.casefold()))
    known = {each.id for each in people}
    denials = selectors.list_denials(conversation=conversation, viewer=viewer) if can_deny else []
    return {
        "people": people,
        "people_for": _others(selectors.list_people_for(conversation, viewer), known) if can_share else [],
        "teams_for": _others(selectors.list_teams_for(conversation, viewer), known) if can_share else [],
        "deniable": [each for each in people if not each.is_viewer] if can_deny else [],
        "denials": [{"id": row.pk, "name": _denied_name(row), "permission": row.permission} for row in denials],
        "links": _links(conversation, viewer) if can_deny else [],
        "are_links_on": selectors.are_links_on(conversation.organization_id),
        "can_share": can_share,
        "can_deny": can_deny,
        "is_private": is_private,
        "of_project": project,
        "can_leave": viewer.user_id in granted and policies.can_arrange(viewer),
    }


def _access_note(participant: selectors.Participant) -> str:
    return _("reads and writes") if participant.can_post else _("reads")


def _others(found: dict[UUID, str], known: set[UUID]) -> list[tuple[UUID, str]]:
    return sorted(((pk, name) for pk, name in found.items() if pk not in known), key=lambda each: each[1].casefold())


def _denied_name(denial: Any) -> str:
    return denial.user.display_name if denial.user is not None else denial.team.name


def _links(conversation: Conversation, viewer: Actor) -> list[dict[str, Any]]:
    return [
        {
            "id": link.pk,
            "hint": link.hint,
            "by": link.created_by.display_name,
            "expires_at": link.expires_at,
            "is_in_force": policies.is_link_in_force(link, conversation),
            "is_behind": link.up_to_number < conversation.last_number,
        }
        for link in selectors.list_links(conversation=conversation, viewer=viewer)
    ]
