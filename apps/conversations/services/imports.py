"""Import of what ``transfer`` exports, also into another organization. Nothing in it is trusted."""

from __future__ import annotations

import contextlib
from collections.abc import Container, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts import policies as account_policies
from apps.accounts import selectors as accounts
from apps.accounts.types import Actor
from apps.conversations import policies, selectors
from apps.conversations.events import ConversationImported, ConversationStarted
from apps.conversations.models import Conversation, Message, Turn
from apps.conversations.services.attachments import record_attachments
from apps.conversations.services.conversations import announce
from apps.conversations.transfer_format import (
    DELETED,
    Contents,
    checked,
    embedded,
    files_of,
    read_moment,
    refused,
    visibility_of,
)
from apps.conversations.types import GONE, MessageStatus, Named, Role, Visibility, without_link
from apps.core.errors import NotFound
from apps.files import selectors as files
from apps.files import services as file_services
from apps.files.types import QuotaReached

MAX_NAMED = 5_000  # things that a conversation refers to; what is beyond names nothing


def import_conversation(
    *, actor: Actor, project_id: UUID, document: dict[str, Any], contents: Contents | None = None
) -> Conversation:
    """Shapes are checked, ids are new, names are only names. Raises ``ImportRefused``, and what an upload raises.
    What was private, or does not say, is seen by the actor alone.

    Files first, each stored as an upload of the actor; then the conversation in one transaction. If that fails they are
    erased again. ``contents`` None: the document carries them inside.
    """
    project = accounts.get_project(project_id, actor)
    account_policies.require(policies.can_start(actor, role=accounts.role_in(actor, project)))
    contents = contents or embedded(document)
    body, visibility = checked(document, contents), visibility_of(document)
    if sum(contents.sizes().values()) > files.room_left(project.organization_id):
        raise QuotaReached
    with _stored(actor, project_id, body, contents) as stored:
        conversation = _write(actor, project, body, stored, digest=document["digest"], visibility=visibility)
    return selectors.get_conversation(conversation_id=conversation.pk, viewer=actor)


@contextlib.contextmanager
def _stored(actor: Actor, project_id: UUID, body: dict[str, Any], contents: Contents) -> Iterator[dict[str, Any]]:
    """Each file once, under the first name it has, and what its hash says. Taken back when the caller fails."""
    stored: dict[str, Any] = {}
    try:
        for part, key in files_of(body):
            if key in stored or key not in contents.sizes():
                continue
            with contents.open(key) as stream:
                stored[key] = file_services.store_upload(
                    actor=actor, project_id=project_id, name=part["name"], stream=stream
                )
            if files.content_of(stored[key]).etag != key:
                raise refused("files")
        yield stored
    except BaseException:
        for file in stored.values():
            with contextlib.suppress(NotFound):
                file_services.delete_file(actor=actor, file_id=file.pk)
        raise


@transaction.atomic
def _write(
    actor: Actor, project: Any, body: dict[str, Any], stored: dict[str, Any], *, digest: str, visibility: Visibility
) -> Conversation:
    conversation = Conversation.objects.create(
        organization_id=project.organization_id,
        project_id=project.pk,
        owner_id=actor.user_id,
        title=body["title"],
        title_source=body["title_source"],
        tags=body["tags"],
        system_prompt=body["system_prompt"],
        visibility=without_link(visibility),
        is_sensitive=selectors.is_sensitive_by_rule(project),
        last_activity_at=Now(),
        imported_digest=digest,
    )
    named = selectors.named_in(part for entry in body["messages"] for part in entry["parts"])
    found = selectors.find_references(actor, named[:MAX_NAMED], project_id=project.pk)
    made: dict[int, Message] = {}
    turns: list[Turn] = []
    is_linear = True
    for number, entry in enumerate(body["messages"], start=1):
        # Earlier exports left deleted messages out: their numbers have holes, which no conversation may have.
        parent = made[entry["parent"]] if entry["parent"] is not None else None
        is_linear = is_linear and (parent.number if parent else 0) == number - 1
        made[entry["position"]] = message = _message(conversation, number, entry, parent, stored, found=found)
        if entry["role"] == Role.ASSISTANT and entry["usage"] is not None:
            turns.append(_turn(conversation, message, entry["usage"]))
    Message.objects.bulk_create(made.values(), batch_size=500)
    Turn.objects.bulk_create(turns, batch_size=500)
    for turn in turns:
        turn.message.turn = turn
    Message.objects.bulk_update([turn.message for turn in turns], ["turn"], batch_size=500)
    record_attachments(list(made.values()))
    last = next(reversed(made.values()), None)
    Conversation.objects.filter(pk=conversation.pk).update(
        last_number=len(made), head=last, is_linear=is_linear, **_totals(turns)
    )
    announce(conversation, ConversationStarted(conversation.pk, conversation.visibility), actor)
    announce(conversation, ConversationImported(conversation.pk, len(made)), actor)
    return conversation


def _message(
    conversation: Conversation,
    number: int,
    entry: dict[str, Any],
    parent: Message | None,
    stored: dict[str, Any],
    *,
    found: Container[Named],
) -> Message:
    is_deleted = entry["status"] == DELETED
    return Message(
        organization_id=conversation.organization_id,
        conversation=conversation,
        number=number,
        role=entry["role"],
        parent=parent,
        created_at=read_moment(entry["created_at"]) if entry["created_at"] else timezone.now(),
        status=MessageStatus.COMPLETED if is_deleted else entry["status"],
        deleted_at=timezone.now() if is_deleted else None,
        is_sensitive=conversation.is_sensitive or entry.get("sensitive", False),
        parts=[_part(part, entry, stored, found) for part in entry["parts"]],
        answered_by=entry["model"],
    )


def _turn(conversation: Conversation, message: Message, usage: dict[str, Any]) -> Turn:
    """What the answer took elsewhere: shown and summed here, in no ledger and on no budget of this organization."""
    return Turn(
        organization_id=conversation.organization_id,
        conversation=conversation,
        project_id=conversation.project_id,
        message=message,
        status=message.status,
        provider_name=usage["provider"],
        model_name=usage["model"],
        is_fallback=usage["is_fallback"],
        input_tokens=usage["input_tokens"],
        output_tokens=usage["output_tokens"],
        cost=Decimal(usage["cost"]) if usage["cost"] is not None else None,
        currency=usage["currency"],
        is_estimated=usage["estimated"],
        created_at=message.created_at,
        started_at=message.created_at,
        finished_at=message.created_at + timedelta(milliseconds=usage["milliseconds"]),
    )


def _totals(turns: list[Turn]) -> dict[str, Any]:
    return {
        "input_tokens": sum(turn.input_tokens for turn in turns),
        "output_tokens": sum(turn.output_tokens for turn in turns),
        "cost": sum((turn.cost for turn in turns if turn.cost is not None), Decimal(0)),
        "currency": next((turn.currency for turn in reversed(turns) if turn.currency), ""),
        "answer_seconds": sum(
            (turn.finished_at - turn.started_at).total_seconds()
            for turn in turns
            if turn.finished_at and turn.started_at
        ),
    }


def _part(
    part: dict[str, Any], entry: dict[str, Any], stored: dict[str, Any], readable: Container[Named]
) -> dict[str, Any]:
    """What is named and not the importer's to read in this project names nothing: others' rights are not for them to use."""
    if part["type"] == "reference":
        return part if Named(part["kind"], UUID(part["id"])) in readable else part | {"is_gone": True}
    if part["type"] == "text" and entry["author"]:
        return part | {"author": entry["author"]}
    if part["type"] == "file":
        file = stored.get(part["sha256"])
        found = {"media_type": file.media_type, "size": file.size, "kind": file.kind} if file else {}
        kept = {name: value for name, value in part.items() if name != "sha256"}
        return kept | found | {"file": str(file.pk) if file else GONE}
    return part
