"""Rows as the API, the socket and the stream tell them: plain dictionaries, made without a query.

``api/serializers.py`` describes the same shapes for the OpenAPI file; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from apps.conversations.models import Conversation, Message, Participation, Turn
from apps.conversations.types import GONE
from apps.conversations.usage import Usage, usage_of


def moment(value: Any) -> str | None:
    return value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else None


def _id(value: UUID | None) -> str | None:
    return str(value) if value else None


def person_data(user: Any) -> dict[str, Any] | None:
    return {"id": str(user.pk), "name": user.display_name} if user is not None else None


def usage_data(took: Turn | Usage) -> dict[str, Any]:
    return {
        "input_tokens": took.input_tokens,
        "output_tokens": took.output_tokens,
        "cost": f"{took.cost.normalize():f}" if took.cost is not None else None,
        "currency": took.currency or None,
        "estimated": took.is_estimated,
    }


def answer_usage_data(message: Message) -> dict[str, Any] | None:
    """Of all the turns of an answer, while a turn tells its own."""
    if (usage := usage_of(message)) is None:
        return None
    return usage_data(usage) | {"seconds": round(usage.seconds, 3) if usage.seconds is not None else None}


def turn_data(turn: Turn, *, place: int | None = None) -> dict[str, Any]:
    """``seconds`` from start to end; ``place`` (how many wait before it) only where it was asked for."""
    seconds = (turn.finished_at - turn.started_at).total_seconds() if turn.finished_at and turn.started_at else None
    data: dict[str, Any] = {
        "id": str(turn.pk),
        "conversation": str(turn.conversation_id),
        "message": str(turn.message_id),
        "status": turn.status,
        "reason": turn.reason or None,
        "attempts": turn.attempts,
        "provider": turn.provider_name or None,
        "model": turn.model_name or None,
        "is_fallback": turn.is_fallback,
        "agent": _id(turn.agent_id),
        "stop_requested": turn.stop_requested_at is not None,
        "stopped_by": person_data(turn.stopped_by),
        "usage": usage_data(turn),
        "seconds": round(seconds, 3) if seconds is not None else None,
        "created_at": moment(turn.created_at),
        "started_at": moment(turn.started_at),
        "finished_at": moment(turn.finished_at),
        "correlation_id": turn.correlation_id,
    }
    if place is not None:
        data["place"] = place
    return data


def message_data(message: Message, *, siblings: Sequence[UUID] | None = None) -> dict[str, Any]:
    """A deleted message keeps its place and loses its words; ``siblings`` only in lists of a path."""
    is_deleted = message.deleted_at is not None
    turn = message.turn
    data: dict[str, Any] = {
        "id": str(message.pk),
        "conversation": str(message.conversation_id),
        "position": message.number,
        "role": message.role,
        "author": person_data(message.author),
        "agent": {"id": str(message.agent.pk), "name": message.agent.name} if message.agent is not None else None,
        "content": "" if is_deleted else message.text,
        "parts": [] if is_deleted else message.parts,
        "parent": _id(message.parent_id),
        "status": message.status,
        "model": message.answered_by or None,
        "is_edit": message.is_edit,
        "sensitive": message.is_sensitive,
        "client_id": _id(message.client_id),
        "created_at": moment(message.created_at),
        "deleted_at": moment(message.deleted_at),
        "turn": turn_data(turn) if turn is not None else None,
        "usage": answer_usage_data(message),
    }
    if siblings is not None:
        data["siblings"] = [str(pk) for pk in siblings]
    return data


#: What a share link shows of a message. How an answer came about (reasoning, tools and what they gave) is not for outside.
SHARED_PARTS = ("text", "file", "citation")


def known_name(user: Any) -> str:
    """As strangers may know somebody: a name of which nothing is part of an address."""
    return user.display_name if user.name or user.anonymized_at else _("Somebody")


def shared_name(message: Message) -> str:
    """Who said it."""
    if message.author is not None:
        return known_name(message.author)
    imported = next((str(part["author"]) for part in message.parts if part.get("author")), "")
    return imported or (message.agent.name if message.agent is not None else _("Assistant"))


def shared_parts(message: Message) -> list[dict[str, Any]]:
    """Nothing of what is sensitive: links show that something was said there, and not what."""
    return [] if message.is_sensitive else [dict(part) for part in message.parts if part["type"] in SHARED_PARTS]


def shared_message_data(message: Message, *, file_url: Callable[[str], str]) -> dict[str, Any]:
    parts = shared_parts(message)
    for part in parts:
        if part["type"] == "file":
            part["url"] = file_url(part["file"]) if part["file"] != GONE else None
    return {
        "position": message.number,
        "role": message.role,
        "author": shared_name(message),
        "model": message.answered_by or None,
        "created_at": moment(message.created_at),
        "content": "" if message.is_sensitive else message.text,
        "parts": parts,
        "sensitive": message.is_sensitive,
    }


def is_unread(
    conversation: Conversation, mark: Participation | None, *, reader_id: UUID | None, new_since: datetime
) -> bool:
    """For a list. What one has never opened counts while it is new: who joins a project does not find all of it in bold."""
    if mark is not None:
        return mark.last_read_number < conversation.last_number
    is_theirs = conversation.owner_id != reader_id and conversation.last_number > 0
    return is_theirs and conversation.last_activity_at >= new_since


def conversation_data(conversation: Conversation, participation: Participation | None = None) -> dict[str, Any]:
    """Needs ``model__provider`` and ``agent`` loaded, or unset."""
    model = conversation.model
    read_until = participation.last_read_number if participation else 0
    return {
        "id": str(conversation.pk),
        "project": str(conversation.project_id),
        "organization": str(conversation.organization_id),
        "owner": str(conversation.owner_id),
        "title": conversation.title,
        "title_source": conversation.title_source,
        "visibility": conversation.visibility,
        "model": {"id": str(model.pk), "name": f"{model.provider.name}/{model.name}"} if model is not None else None,
        "agent": {"id": str(conversation.agent.pk), "name": conversation.agent.name} if conversation.agent else None,
        "system_prompt": conversation.system_prompt,
        "tags": conversation.tags,
        "head": _id(conversation.head_id),
        "message_count": conversation.last_number,
        "unread": max(0, conversation.last_number - read_until) if participation else conversation.last_number,
        "is_pinned": bool(participation and participation.pinned_at),
        "sensitive": conversation.is_sensitive,
        "forked_from": _id(conversation.forked_from_id),
        "usage": {
            "input_tokens": conversation.input_tokens,
            "output_tokens": conversation.output_tokens,
            "cost": f"{conversation.cost.normalize():f}",
            "currency": conversation.currency or None,
            "seconds": round(conversation.answer_seconds, 3),
        },
        "version": conversation.version,
        "created_at": moment(conversation.created_at),
        "last_activity_at": moment(conversation.last_activity_at),
        "archived_at": moment(conversation.archived_at),
        "deleted_at": moment(conversation.deleted_at),
    }
