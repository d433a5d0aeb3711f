"""What may follow a sign in the composer: commands after a slash, who can be named after an at sign, and what after a number sign."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from apps.accounts import selectors as accounts
from apps.accounts.types import Actor
from apps.agents.answerers import list_answerers
from apps.conversations import selectors, services
from apps.conversations.models import Conversation

COMMAND_ICONS = {
    "export": "download",
    "extract": "table-2",
    "help": "keyboard",
    "model": "cloud",
    "system": "settings-2",
    "title": "pencil",
}  # icons
MENTION_ICONS = {"agent": "bot", "model": "cloud", "person": "user-round"}  # icons


def list_commands(*, is_new: bool = False) -> list[dict[str, Any]]:
    """All of them; where nothing was said yet those that read it say so."""
    return [
        {
            "name": each["name"],
            "help": each["summary"],
            "icon": COMMAND_ICONS.get(each["name"], "square-slash"),
            "arguments": each["arguments"],
            "allowed": not (is_early := is_new and each["needs_words"]),
            "reason": _("It reads what was said, and nothing is said here yet.") if is_early else "",
        }
        for each in services.describe_commands()
    ]


def list_mentions(project: Any, *, viewer: Actor, conversation: Conversation | None = None) -> list[dict[str, Any]]:
    """Those who answer first, then the other people of the project; in a ``conversation`` those who see it."""
    if conversation is not None:
        people = selectors.list_others(conversation=conversation, viewer=viewer)
    else:
        people = [each for each in accounts.list_people_of_project(project, viewer) if each.id != viewer.user_id]
    found: list[dict[str, Any]] = [
        {
            "id": str(each.id),
            "name": each.label,
            "kind": each.kind,
            "note": each.model_label,
            "icon": MENTION_ICONS[each.kind],
            "allowed": each.is_available,
            "reason": each.reason,
        }
        for each in list_answerers(viewer, project)
    ]
    return found + [
        {
            "id": str(person.id),
            "name": person.name,
            "kind": "person",
            "note": _("no model answers"),
            "icon": MENTION_ICONS["person"],
            "allowed": True,
            "reason": "",
        }
        for person in people
    ]


MOST_REFERENCES = 8


def list_references(project: Any, *, viewer: Actor, typed: str) -> list[dict[str, Any]]:
    """``group`` heads those of one kind in the list."""
    found = selectors.list_suggested(viewer, project_id=project.pk, typed=typed, limit=MOST_REFERENCES)
    return [
        {
            "id": str(each.id),
            "name": each.title,
            "kind": each.kind,
            "group": str(source.label),
            "note": each.note,
            "icon": source.icon,
        }
        for source, each in found
    ]
