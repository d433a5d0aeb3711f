"""Rows as the templates want them: everything decided, nothing left to ask of the database."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _

from apps.accounts.types import Actor
from apps.conversations import policies
from apps.conversations.models import Conversation, Message, Turn
from apps.conversations.pages.endings import reason_text
from apps.conversations.pages.references import ReferenceView, chipped, reference_views
from apps.conversations.presentation import SHARED_PARTS, shared_name
from apps.conversations.types import GONE, LEFT_OUT, Access, MessageStatus, Named, Role, TurnStatus
from apps.conversations.usage import usage_of
from apps.core.doors.below_messages import BelowMessages, Shown
from apps.core.doors.reference_sources import Reference
from apps.core.markup import render

UrlOf = Callable[[str], str]
ICONS = {
    "image": "image",
    "audio": "mic",
    "video": "clapperboard",
    "text": "file-text",
    "document": "file-text",
}  # icons


@dataclass(frozen=True, slots=True)
class PartView:
    index: int
    type: str
    template: str
    html: str = ""
    text: str = ""
    name: str = ""
    call_id: str = ""
    arguments: str = ""
    result: str | None = None
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class FileView:
    index: int
    id: str
    name: str
    size: int
    url: str
    preview_url: str
    icon: str
    note: str = ""
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class SiblingsView:
    index: int
    count: int
    previous_leaf: UUID | None
    next_leaf: UUID | None


@dataclass(frozen=True, slots=True)
class MessageView:
    id: UUID
    number: int
    role: str
    state: str
    author_id: UUID | None
    author_name: str
    is_mine: bool
    created_at: datetime
    label: str
    parts: list[PartView]
    files: list[FileView]
    can: list[str]
    words: int
    version: int = 1
    edited_at: datetime | None = None
    deleted_at: datetime | None = None
    deleted_by: str = ""
    model_label: str = ""
    seconds: float | None = None
    tokens: int = 0
    cost: Decimal | None = None
    currency: str = ""
    is_estimated: bool = False
    turn_id: UUID | None = None
    client_id: UUID | None = None
    parent_id: UUID | None = None
    place: int = 0
    reason_text: str = ""
    is_shortened: bool = False
    stopped_by: str = ""
    siblings: SiblingsView | None = None
    has_words: bool = False
    is_open: bool = False
    is_sensitive: bool = False
    text: str = field(default="")
    offers: Sequence[BelowMessages] = ()
    below: Sequence[Shown] = ()
    references: Sequence[ReferenceView] = ()


def _clock(at: datetime) -> str:
    return date_format(timezone.localtime(at), "H:i")


def message_view(
    message: Message,
    *,
    viewer: Actor,
    conversation: Conversation,
    access: Access,
    siblings: Sequence[UUID] = (),
    place: int = 0,
    offers: Sequence[BelowMessages] = (),
    below: Sequence[Shown] = (),
    readable: Mapping[Named, Reference] | None = None,
) -> MessageView:
    """``message`` comes from ``selectors.messages()``; ``siblings`` are all versions of it, itself among them.

    ``readable``: of what the message names, what the viewer may read (``selectors.find_in_messages``).
    """
    turn, usage = message.turn, usage_of(message)
    is_person = message.role == Role.USER
    name = message.speaker
    is_open = message.status in (MessageStatus.PENDING, MessageStatus.STREAMING, MessageStatus.WAITING)
    content = message.text
    mine = offers if message.deleted_at is None and not message.is_sensitive and not is_open else ()
    return MessageView(
        id=message.pk,
        number=message.number,
        role=message.role,
        state=_state(message, turn),
        author_id=message.author_id,
        author_name=name,
        is_mine=is_person and message.author_id == viewer.user_id,
        created_at=message.created_at,
        label=f"{name}, {_clock(message.created_at)}",
        parts=_parts(message, readable or {}),
        files=_files(message),
        can=[*_can(message, viewer, conversation, access), *(each.do for each in mine if content)],
        words=len(content.split()),
        edited_at=message.created_at if message.is_edit else None,
        deleted_at=message.deleted_at,
        deleted_by=message.deleted_by.display_name if message.deleted_by else "",
        model_label=message.answered_by,
        seconds=usage.seconds if usage else None,
        tokens=usage.output_tokens if usage else 0,
        cost=usage.cost if usage else None,
        currency=usage.currency if usage else "",
        is_estimated=bool(usage and usage.is_estimated),
        turn_id=message.turn_id,
        client_id=message.client_id,
        parent_id=message.parent_id,
        place=place,
        reason_text=reason_text(turn),
        is_shortened=turn is not None and turn.reason == LEFT_OUT,
        stopped_by=turn.stopped_by.display_name if turn and turn.stopped_by else "",
        siblings=_siblings(message.pk, siblings),
        has_words=bool(content),
        is_open=is_open,
        is_sensitive=message.is_sensitive,
        text=content,
        offers=mine,
        below=below,
        references=reference_views(message, readable or {}),
    )


def _state(message: Message, turn: Turn | None) -> str:
    if message.deleted_at is not None:
        return "deleted"
    if message.status == MessageStatus.PENDING:
        return "queued"
    if message.status == MessageStatus.STREAMING and turn is not None and turn.status == TurnStatus.QUEUED:
        return "queued"
    return message.status


def _siblings(own: UUID, ids: Sequence[UUID]) -> SiblingsView | None:
    if len(ids) < 2:  # noqa: PLR2004
        return None
    index = list(ids).index(own)
    return SiblingsView(
        index + 1,
        len(ids),
        ids[index - 1] if index else None,
        ids[index + 1] if index + 1 < len(ids) else None,
    )


def _parts(message: Message, readable: Mapping[Named, Reference]) -> list[PartView]:
    found: list[PartView] = []
    for index, part in enumerate(message.parts):
        match part["type"]:
            case "text":
                html = mark_safe(chipped(render(part.get("text", "")), message, readable))  # noqa: S308  (the one sanitizing renderer)
                found.append(PartView(index, "text", "conversations/_part_text.html", html=html))
            case "reasoning":
                html = mark_safe(render(part.get("text", "")))  # noqa: S308  (as above)
                found.append(PartView(index, "reasoning", "conversations/_part_reasoning.html", html=html))
            case "tool_call":
                found.append(_tool_call(index, part, message.parts[index + 1 :]))
            case "citation":
                found.append(
                    PartView(
                        index,
                        "citation",
                        "conversations/_part_citation.html",
                        name=str(part.get("title", "")),
                        text=str(part.get("quote", "")),
                    )
                )
            case "error":
                found.append(
                    PartView(index, "error", "conversations/_part_error.html", text=str(part.get("detail", "")))
                )
            case _:
                continue
    return found


def _tool_call(index: int, part: Mapping[str, Any], later: Sequence[Mapping[str, Any]]) -> PartView:
    """Ids are the model's, and some servers count anew in every call: the next result of that id is its own."""
    given = part.get("arguments", "")
    pk = str(part.get("id", ""))
    own = next((each for each in later if each["type"] == "tool_result" and each.get("id") == pk), None)
    return PartView(
        index,
        "tool_call",
        "conversations/_part_tool_call.html",
        name=str(part.get("name", "")),
        call_id=pk,
        arguments=given if isinstance(given, str) else json.dumps(given, ensure_ascii=False, indent=2),
        result=None if own is None else str(own.get("content", "")),
        is_error=own is not None and own.get("is_error") is True,
    )


@dataclass(frozen=True, slots=True)
class SharedView:
    """A message as a share link shows it."""

    number: int
    role: str
    author_name: str
    created_at: datetime
    model_label: str
    parts: list[PartView]
    files: list[FileView]
    is_sensitive: bool


def shared_view(message: Message, *, file_url: UrlOf, preview_url: UrlOf) -> SharedView:
    return SharedView(
        number=message.number,
        role=message.role,
        author_name=shared_name(message),
        created_at=message.created_at,
        model_label=message.answered_by,
        parts=[] if message.is_sensitive else [part for part in _parts(message, {}) if part.type in SHARED_PARTS],
        files=[] if message.is_sensitive else _files(message, file_url, preview_url),
        is_sensitive=message.is_sensitive,
    )


def _file_url(file_id: str) -> str:
    return reverse("files:file", kwargs={"file_id": file_id})


def _preview_url(file_id: str) -> str:
    return reverse("files:preview", kwargs={"file_id": file_id})


def _files(message: Message, file_url: UrlOf = _file_url, preview_url: UrlOf = _preview_url) -> list[FileView]:
    found = []
    for index, part in enumerate(message.parts):
        if part["type"] != "file":
            continue
        is_gone = part.get("file") == GONE
        url = "" if is_gone else file_url(part["file"])
        is_image = part.get("kind") == "image" and not is_gone
        found.append(
            FileView(
                index=index,
                id="" if is_gone else str(part["file"]),
                name=part["name"],
                size=part.get("size", 0),
                url=url,
                preview_url=preview_url(part["file"]) if is_image else "",
                icon=ICONS.get(part.get("kind", ""), "file-text"),
                note=_("The content did not come along.") if is_gone else "",
            )
        )
    return found


def _can(message: Message, viewer: Actor, conversation: Conversation, access: Access) -> list[str]:
    """What the buttons offer; the services decide again."""
    can_post = policies.can_post(viewer, conversation, access=access) and conversation.archived_at is None
    is_open = message.status in (MessageStatus.PENDING, MessageStatus.STREAMING, MessageStatus.WAITING)
    may_delete = policies.can_delete_message(viewer, conversation, message, access=access)
    if message.deleted_at is not None:
        return ["restore"] if may_delete and policies.is_restorable(message) else []
    can: list[str] = []
    if can_post:
        if policies.can_fork(viewer, access=access):
            can.append("fork")
        if message.role == Role.ASSISTANT:
            is_aside = message.turn is None and message.parent is not None and message.parent.role == Role.ASSISTANT
            can += ["stop"] if is_open else [] if is_aside else ["retry"]
            can_go_on = message.status in (MessageStatus.STOPPED, MessageStatus.INTERRUPTED, MessageStatus.FAILED)
            if can_go_on and message.turn is not None:  # an import may bring an answer whose turn stayed elsewhere
                can.append("continue")
        elif policies.can_edit_message(viewer, conversation, message, access=access):
            can.append("edit")
    if may_delete and not is_open:
        can.append("delete")
    if not message.is_sensitive:
        can += ["mark"] if policies.can_mark(viewer, conversation, access=access) else []
    elif (
        not is_open
        and not conversation.is_sensitive
        and policies.can_unmark(viewer, conversation, message, access=access)
    ):
        can.append("unmark")
    return can


def message_views(
    rows: Sequence[Message],
    *,
    viewer: Actor,
    conversation: Conversation,
    access: Access,
    siblings: Mapping[UUID, Sequence[UUID]],
    places: Mapping[UUID, int] | None = None,
    offers: Sequence[BelowMessages] = (),
    below: Mapping[UUID, Sequence[Shown]] | None = None,
    readable: Mapping[Named, Reference] | None = None,
) -> list[MessageView]:
    ahead: Any = places or {}
    known = {row.pk: row for row in rows}
    for row in rows:
        if row.parent_id in known:
            row.parent = known[row.parent_id]  # who asked decides who may delete an answer: no query for each
    return [
        message_view(
            row,
            viewer=viewer,
            conversation=conversation,
            access=access,
            siblings=siblings.get(row.pk, ()),
            place=ahead.get(row.turn_id, 0),
            offers=offers,
            below=(below or {}).get(row.pk, ()),
            readable=readable,
        )
        for row in rows
    ]
