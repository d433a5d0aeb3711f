"""Export as JSON (the whole tree) and Markdown (one's path); import of that JSON, also into another organization.

The digest is SHA-256 over RFC 8785 canonical JSON of the conversation without ids and import times, files by their hash:
a conversation that was exported, imported and exported again has the same digest.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
from typing import Any
from uuid import UUID

import rfc8785
from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from apps.accounts import policies as account_policies
from apps.accounts import selectors as accounts
from apps.accounts.types import Actor
from apps.conversations import policies, selectors
from apps.conversations.events import ConversationStarted
from apps.conversations.models import Conversation, Message
from apps.conversations.services.conversations import announce
from apps.conversations.services.messages import record_attachments
from apps.conversations.types import (
    GONE,
    MAX_CONTENT_CHARACTERS,
    ImportRefused,
    MessageStatus,
    Role,
    TitleSource,
    text_of_parts,
)
from apps.files import selectors as files
from apps.files import services as file_services
from apps.files import storage

FORMAT = "parlance.conversation"
VERSION = 1
MAX_MESSAGES = 20_000
MAX_EXPORTED_FILES_BYTES = 64 * 1024 * 1024
PART_TYPES = {"text", "reasoning", "file", "tool_call", "tool_result", "citation", "card", "error"}
FINAL = (MessageStatus.COMPLETED, MessageStatus.STOPPED, MessageStatus.FAILED, MessageStatus.INTERRUPTED)


def export_json(*, conversation: Conversation, viewer: Actor) -> dict[str, Any]:
    """The whole tree; messages name their parent by position. Answers that are still being written are left out."""
    rows = list(selectors.messages().filter(conversation=conversation, status__in=FINAL).order_by("number"))
    numbers = {row.pk: row.number for row in rows}
    contents: dict[str, str] = {}
    body = {
        "title": conversation.title,
        "title_source": conversation.title_source,
        "tags": sorted(conversation.tags),
        "system_prompt": conversation.system_prompt,
        "messages": [_message(row, numbers, contents, viewer) for row in rows if row.deleted_at is None],
    }
    return {
        "format": FORMAT,
        "version": VERSION,
        "digest": digest(body),
        "conversation": body,
        "files": contents,
    }


def digest(body: dict[str, Any]) -> str:
    return hashlib.sha256(rfc8785.dumps(body)).hexdigest()


def _message(row: Message, numbers: dict[UUID, int], contents: dict[str, str], viewer: Actor) -> dict[str, Any]:
    parent = row.parent_id
    return {
        "position": row.number,
        "parent": numbers.get(parent) if parent else None,
        "role": row.role,
        "author": _author(row),
        "status": row.status,
        "model": row.answered_by,
        "parts": [_part(part, contents, viewer) for part in row.parts],
    }


def _author(row: Message) -> str:
    """The name of who wrote it; imported messages keep the name they came with."""
    for part in row.parts:
        if part["type"] == "text" and part.get("author"):
            return str(part["author"])
    return row.author.display_name if row.author is not None else ""


def _part(part: dict[str, Any], contents: dict[str, str], viewer: Actor) -> dict[str, Any]:
    plain = {name: value for name, value in part.items() if name != "author"}
    if part["type"] != "file":
        return plain
    found = files.find_file(UUID(part["file"]))
    plain.pop("file")
    if found is None:
        return plain | {"sha256": ""}
    content = files.content_of(found)
    if content.etag not in contents and sum(map(len, contents.values())) < MAX_EXPORTED_FILES_BYTES:
        with storage.open_content(content.path) as stream:
            contents[content.etag] = base64.b64encode(stream.read()).decode("ascii")
    return plain | {"sha256": content.etag}


def export_markdown(*, conversation: Conversation, viewer: Actor) -> str:
    """The viewer's path as a document."""
    leaf = selectors.active_leaf(conversation=conversation, user_id=viewer.user_id)
    rows = selectors.list_path(conversation=conversation, leaf_id=leaf, limit=MAX_MESSAGES)
    lines = [f"# {conversation.title or _('Conversation')}", ""]
    for row in rows:
        if row.deleted_at is not None:
            continue
        name = row.author.display_name if row.author else row.answered_by or _("Answer")
        lines += [f"## {name}, {row.created_at:%Y-%m-%d %H:%M} UTC", ""]
        for part in row.parts:
            if part["type"] == "text":
                lines += [part["text"], ""]
            elif part["type"] == "file":
                lines += [f"*{_('File')}: {part['name']}*", ""]
    return "\n".join(lines)


@transaction.atomic
def import_conversation(*, actor: Actor, project_id: UUID, document: dict[str, Any]) -> Conversation:
    """Read what ``export_json`` wrote. Nothing in it is trusted: shapes are checked, ids are new, names are only names."""
    project = accounts.get_project(project_id, actor)
    account_policies.require(policies.can_post(actor, role=accounts.role_in(actor, project)))
    body, contents = _checked(document)
    conversation = Conversation.objects.create(
        organization_id=project.organization_id,
        project_id=project.pk,
        owner_id=actor.user_id,
        title=body["title"],
        title_source=body["title_source"],
        tags=body["tags"],
        system_prompt=body["system_prompt"],
        last_activity_at=Now(),
        imported_digest=document["digest"],
    )
    stored = _store_files(actor, project_id, body, contents)
    made: dict[int, Message] = {}
    is_linear = True
    for entry in body["messages"]:
        number, parent = entry["position"], entry["parent"]
        is_linear = is_linear and (parent or 0) == number - 1
        made[number] = Message(
            organization_id=project.organization_id,
            conversation=conversation,
            number=number,
            role=entry["role"],
            parent=made[parent] if parent else None,
            status=entry["status"],
            parts=[_imported_part(part, entry, stored) for part in entry["parts"]],
            content=text_of_parts(entry["parts"]),
            answered_by=entry["model"],
        )
    Message.objects.bulk_create(made.values(), batch_size=500)
    record_attachments(list(made.values()))
    last = max(made, default=0)
    Conversation.objects.filter(pk=conversation.pk).update(
        last_number=last, head_id=made[last].pk if made else None, is_linear=is_linear
    )
    announce(conversation, ConversationStarted(conversation.pk, conversation.visibility), actor)
    return selectors.get_conversation(conversation_id=conversation.pk, viewer=actor)


def _imported_part(part: dict[str, Any], entry: dict[str, Any], stored: dict[str, Any]) -> dict[str, Any]:
    if part["type"] == "text" and entry["author"]:
        return part | {"author": entry["author"]}
    if part["type"] == "file":
        file = stored.get(part["sha256"])
        return {name: value for name, value in part.items() if name != "sha256"} | {
            "file": str(file.pk) if file else GONE
        }
    return part


def _store_files(actor: Actor, project_id: UUID, body: dict[str, Any], contents: dict[str, bytes]) -> dict[str, Any]:
    stored: dict[str, Any] = {}
    for entry in body["messages"]:
        for part in entry["parts"]:
            key = part.get("sha256") if part["type"] == "file" else None
            if key and key in contents and key not in stored:
                stored[key] = file_services.store_upload(
                    actor=actor, project_id=project_id, name=part["name"], stream=io.BytesIO(contents[key])
                )
    return stored


def _checked(document: dict[str, Any]) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Everything ``export_json`` promises, or ``ImportRefused`` that names what is wrong."""

    def refuse(what: str) -> ImportRefused:
        return ImportRefused(_("The import was refused: %(what)s.") % {"what": what})

    if document.get("format") != FORMAT or document.get("version") != VERSION:
        raise refuse("format")
    body = document.get("conversation")
    if set(document) - {"format", "version", "digest", "conversation", "files"} or not isinstance(body, dict):
        raise refuse("unknown fields")
    if set(body) != {"title", "title_source", "tags", "system_prompt", "messages"}:
        raise refuse("conversation")
    texts = (body["title"], body["system_prompt"], document.get("digest"))
    if not all(isinstance(each, str) for each in texts) or len(body["title"]) > 200:  # noqa: PLR2004
        raise refuse("title")
    if body["title_source"] not in TitleSource.values:
        raise refuse("title_source")
    tags = body["tags"]
    if not isinstance(tags, list) or not all(isinstance(tag, str) and len(tag) <= 40 for tag in tags):  # noqa: PLR2004
        raise refuse("tags")
    messages = body["messages"]
    if not isinstance(messages, list) or len(messages) > MAX_MESSAGES:
        raise refuse("messages")
    seen: set[int] = set()
    for entry in messages:
        _check_entry(entry, seen, refuse)
    if digest(body) != document["digest"]:
        raise refuse("digest")
    contents: dict[str, bytes] = {}
    given = document.get("files", {})
    if not isinstance(given, dict):
        raise refuse("files")
    for name, encoded in given.items():
        try:
            content = base64.b64decode(encoded, validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise refuse("files") from error
        if hashlib.sha256(content).hexdigest() != name:
            raise refuse("files")
        contents[name] = content
    return body, contents


def _check_entry(entry: Any, seen: set[int], refuse: Any) -> None:
    keys = {"position", "parent", "role", "author", "status", "model", "parts"}
    if not isinstance(entry, dict) or set(entry) != keys:
        raise refuse("message")
    position, parent = entry["position"], entry["parent"]
    if type(position) is not int or position < 1 or position in seen or position < max(seen, default=0):
        raise refuse("position")
    if parent is not None and (type(parent) is not int or parent not in seen):
        raise refuse("parent")
    if entry["role"] not in Role.values or entry["status"] not in FINAL:
        raise refuse("role")
    if not isinstance(entry["author"], str) or not isinstance(entry["model"], str) or len(entry["model"]) > 200:  # noqa: PLR2004
        raise refuse("author")
    if not isinstance(entry["parts"], list):
        raise refuse("parts")
    for part in entry["parts"]:
        if not isinstance(part, dict) or part.get("type") not in PART_TYPES:
            raise refuse("part")
        text = part.get("text", "")
        if not isinstance(text, str) or len(text) > MAX_CONTENT_CHARACTERS * 4:
            raise refuse("text")
        if part["type"] == "file" and not (isinstance(part.get("name"), str) and isinstance(part.get("sha256"), str)):
            raise refuse("file")
    seen.add(position)
