"""Export as JSON (the whole tree) and Markdown (one's path); import of that JSON, also into another organization.

The digest is SHA-256 over RFC 8785 canonical JSON of the conversation without ids and import times, files by their hash:
a conversation that was exported, imported and exported again has the same digest.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts import policies as account_policies
from apps.accounts import selectors as accounts
from apps.accounts.types import Actor
from apps.conversations import policies, selectors
from apps.conversations.events import ConversationImported, ConversationStarted
from apps.conversations.models import Conversation, Message
from apps.conversations.services.attachments import record_attachments
from apps.conversations.services.conversations import announce
from apps.conversations.transfer_format import DELETED, FINAL, FORMAT, MAX_MESSAGES, VERSION, checked, digest
from apps.conversations.types import GONE, MessageStatus, text_of_parts
from apps.files import selectors as files
from apps.files import services as file_services
from apps.files import storage

MAX_EXPORTED_FILES_BYTES = 64 * 1024 * 1024


def export_json(*, conversation: Conversation, viewer: Actor) -> dict[str, Any]:
    """The whole tree; messages name their parent by position.

    Deleted messages keep their place without words. So do answers that are still being written: as ``interrupted``.
    """
    rows = list(selectors.messages().filter(conversation=conversation).order_by("number"))
    numbers = {row.pk: row.number for row in rows}
    carried = _Carried()
    body = {
        "title": conversation.title,
        "title_source": conversation.title_source,
        "tags": sorted(conversation.tags),
        "system_prompt": conversation.system_prompt,
        "messages": [_message(row, numbers, carried) for row in rows],
    }
    return {
        "format": FORMAT,
        "version": VERSION,
        "digest": digest(body),
        "conversation": body,
        "files": carried.contents,
        "left_out": list(carried.left_out.values()),
    }


@dataclass(slots=True)
class _Carried:
    """Files by hash, as base64, up to ``MAX_EXPORTED_FILES_BYTES`` together; those beyond are named instead."""

    contents: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, dict[str, Any]] = field(default_factory=dict)
    length: int = 0

    def take(self, file: Any) -> str:
        content = files.content_of(file)
        key: str = content.etag
        if key in self.contents or key in self.left_out:
            return key
        length = -(-file.size // 3) * 4
        if self.length + length > MAX_EXPORTED_FILES_BYTES:
            self.left_out[key] = {"sha256": key, "name": file.name, "size": file.size}
            return key
        with storage.open_content(content.path) as stream:
            self.contents[key] = base64.b64encode(stream.read()).decode("ascii")
        self.length += length
        return key


def _message(row: Message, numbers: dict[UUID, int], carried: _Carried) -> dict[str, Any]:
    is_deleted, is_final = row.deleted_at is not None, row.status in FINAL
    has_words = is_final and not is_deleted
    return {
        "position": row.number,
        "parent": numbers[row.parent_id] if row.parent_id else None,
        "role": row.role,
        "author": _author(row) if has_words else "",
        "status": DELETED if is_deleted else row.status if is_final else MessageStatus.INTERRUPTED,
        "model": row.answered_by if has_words else "",
        "parts": [_part(part, carried) for part in row.parts] if has_words else [],
    }


def _author(row: Message) -> str:
    """The name of who wrote it; imported messages keep the name they came with."""
    for part in row.parts:
        if part["type"] == "text" and part.get("author"):
            return str(part["author"])
    return row.author.display_name if row.author is not None else ""


def _part(part: dict[str, Any], carried: _Carried) -> dict[str, Any]:
    plain = {name: value for name, value in part.items() if name != "author"}
    if part["type"] != "file":
        return plain
    found = files.find_file(UUID(part["file"]))
    plain.pop("file")
    if found is None:
        return plain | {"sha256": ""}
    return plain | {"sha256": carried.take(found)}


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
    body, contents = checked(document)
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
    for number, entry in enumerate(body["messages"], start=1):
        # Earlier exports left deleted messages out: their numbers have holes, which no conversation may have.
        parent = made[entry["parent"]] if entry["parent"] is not None else None
        is_linear = is_linear and (parent.number if parent else 0) == number - 1
        is_deleted = entry["status"] == DELETED
        made[entry["position"]] = Message(
            organization_id=project.organization_id,
            conversation=conversation,
            number=number,
            role=entry["role"],
            parent=parent,
            status=MessageStatus.COMPLETED if is_deleted else entry["status"],
            deleted_at=timezone.now() if is_deleted else None,
            parts=[_imported_part(part, entry, stored) for part in entry["parts"]],
            content=text_of_parts(entry["parts"]),
            answered_by=entry["model"],
        )
    Message.objects.bulk_create(made.values(), batch_size=500)
    record_attachments(list(made.values()))
    last = next(reversed(made.values()), None)
    Conversation.objects.filter(pk=conversation.pk).update(last_number=len(made), head=last, is_linear=is_linear)
    announce(conversation, ConversationStarted(conversation.pk, conversation.visibility), actor)
    announce(conversation, ConversationImported(conversation.pk, len(made)), actor)
    return selectors.get_conversation(conversation_id=conversation.pk, viewer=actor)


def _imported_part(part: dict[str, Any], entry: dict[str, Any], stored: dict[str, Any]) -> dict[str, Any]:
    if part["type"] == "text" and entry["author"]:
        return part | {"author": entry["author"]}
    if part["type"] == "file":
        file = stored.get(part["sha256"])
        found = {"media_type": file.media_type, "size": file.size, "kind": file.kind} if file else {}
        kept = {name: value for name, value in part.items() if name != "sha256"}
        return kept | found | {"file": str(file.pk) if file else GONE}
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
