"""Of what a person's message consists: files, what it names, words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from apps.accounts.types import Actor
from apps.conversations import selectors
from apps.conversations.models import Conversation, Message
from apps.conversations.types import (
    MAX_ATTACHMENTS,
    MAX_CONTENT_CHARACTERS,
    MAX_REFERENCES,
    EmptyMessage,
    MessageTooLong,
    Named,
    TooManyAttachments,
    TooManyReferences,
    UnknownReference,
)
from apps.files import services as file_services


def parts_of(
    actor: Actor, conversation: Conversation, content: str, attachments: Sequence[UUID], references: Sequence[Named]
) -> list[dict[str, Any]]:
    _require_words(content, has_others=bool(attachments))
    return [
        *_files(actor, conversation, attachments),
        *_references(actor, conversation, references),
        *_words(content),
    ]


def parts_of_edit(
    actor: Actor,
    conversation: Conversation,
    message: Message,
    *,
    content: str,
    attachments: Sequence[UUID] | None,
    references: Sequence[Named] | None,
) -> list[dict[str, Any]]:
    """None keeps the files, and what is named: of what was named in the words, what the new ones name, too."""
    kept_files = [part for part in message.parts if part["type"] == "file"]
    _require_words(content, has_others=bool(kept_files if attachments is None else attachments))
    named = [part for part in message.parts if part["type"] == "reference"]
    return [
        *(kept_files if attachments is None else _files(actor, conversation, attachments)),
        *(
            [part for part in named if is_said(part, content) or not is_said(part, message.text)]
            if references is None
            else _named_now(actor, conversation, named, references)
        ),
        *_words(content),
    ]


def _named_now(
    actor: Actor, conversation: Conversation, named: Sequence[dict[str, Any]], references: Sequence[Named]
) -> list[dict[str, Any]]:
    """What the message names already is not looked for again: it may be gone by now."""
    there = {each: part for part in named for each in selectors.named_in([part])}
    wanted = list(dict.fromkeys(references))
    if len(wanted) > MAX_REFERENCES:
        raise TooManyReferences
    new = [each for each in wanted if each not in there]
    there |= dict(zip(new, _references(actor, conversation, new), strict=True))
    return [there[each] for each in wanted]


def is_said(part: dict[str, Any], words: str) -> bool:
    return f"#{part['title']}" in words


def same_parts(
    earlier: Message, content: str, attachments: Sequence[UUID] | None, references: Sequence[Named] | None
) -> bool:
    """Whether this is what a message consists of; None: whatever it has."""
    files = [part["file"] for part in earlier.parts if part["type"] == "file"]
    return (
        earlier.text == content
        and (attachments is None or files == [str(pk) for pk in dict.fromkeys(attachments)])
        and (references is None or selectors.named_in(earlier.parts) == list(dict.fromkeys(references)))
    )


def _require_words(content: str, *, has_others: bool) -> None:
    if len(content) > MAX_CONTENT_CHARACTERS:
        raise MessageTooLong
    if not content.strip() and not has_others:
        raise EmptyMessage


def _files(actor: Actor, conversation: Conversation, attachments: Sequence[UUID]) -> list[dict[str, Any]]:
    if not attachments:
        return []
    if len(attachments) > MAX_ATTACHMENTS:
        raise TooManyAttachments
    return [
        {
            "type": "file",
            "file": str(file.pk),
            "name": file.name,
            "media_type": file.media_type,
            "size": file.size,
            "kind": file.kind,
        }
        for file in file_services.attach_files(
            actor=actor, file_ids=list(attachments), project_id=conversation.project_id
        )
    ]


def _references(actor: Actor, conversation: Conversation, references: Sequence[Named]) -> list[dict[str, Any]]:
    """With the titles of now. What the actor may not read is what is not there."""
    wanted = list(dict.fromkeys(references))
    if len(wanted) > MAX_REFERENCES:
        raise TooManyReferences
    found = selectors.find_references(actor, wanted, project_id=conversation.project_id)
    if len(found) < len(wanted):
        raise UnknownReference
    return [{"type": "reference", "kind": each.kind, "id": str(each.id), "title": found[each].title} for each in wanted]


def _words(content: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if content else []
