"""Messages: one, a path of them, versions beside each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet

from apps.accounts import selectors as accounts
from apps.accounts.types import Actor
from apps.conversations.models import Attachment, Conversation, Message, Participation
from apps.conversations.selectors.conversations import find_participation
from apps.conversations.selectors.rights import visible_to
from apps.conversations.types import (
    MessageNotFound,
    ParentElsewhere,
)
from apps.conversations.usage import beside
from apps.core.compiled import Compiled
from apps.core.db import prepared


def get_message(*, message_id: UUID, viewer: Actor) -> Message:
    """With its conversation, turn and people loaded."""
    found = messages().select_related("conversation__project", "parent").filter(pk=message_id).first()
    if found is None or not visible_to(viewer).filter(pk=found.conversation_id).exists():
        raise MessageNotFound
    return found


def find_readable(*, message_id: UUID, viewer: Actor) -> Message | None:
    """With its conversation and author, and little else; None when it is gone or not for the viewer."""
    return _readable.first(viewer, pk=message_id)


_readable: accounts.ForViewer[Message] = accounts.ForViewer(
    lambda viewer, *, pk: (
        Message.objects.defer("words")
        .select_related("conversation", "author")
        .filter(pk=pk, deleted_at=None, conversation__in=visible_to(viewer).values("pk"))[:1]
    )
)


def list_readable(*, ids: Iterable[UUID], viewer: Actor) -> list[Message]:
    """Those of the messages, of any conversation, that the viewer may read and that are there."""
    mine = visible_to(viewer).values("pk")
    rows = Message.objects.select_related("author", "conversation").defer("words")
    return list(rows.filter(pk__in=set(ids), deleted_at=None, conversation__in=mine))


def find_showing(*, file_id: UUID, viewer: Actor) -> Message | None:
    """The newest message the viewer may read that shows the file."""
    rows = Attachment.objects.filter(
        file=file_id, message__deleted_at=None, conversation__in=visible_to(viewer).values("pk")
    )
    found = rows.select_related("message").order_by("-message__created_at").first()
    return found.message if found else None


def messages() -> QuerySet[Message]:
    """Messages with what every presentation of them needs, without the search column."""
    rows = Message.objects.select_related("author", "agent", "turn__agent", "turn__stopped_by", "deleted_by")
    return rows.defer("words").annotate(beside=beside())  # type: ignore[no-redef]  # rows that are made in memory have none


def list_messages(*, conversation_id: UUID, ids: Iterable[UUID]) -> list[Message]:
    """Those of the conversation among ``ids``, for their presentation."""
    return _among.fetch_each(ids, conversation=conversation_id)


_among: Compiled[Message] = Compiled(
    lambda _many, *, conversation, **ids: messages().filter(pk__in=list(ids.values()), conversation_id=conversation)
)


def active_leaf(*, conversation: Conversation, user_id: UUID | None) -> UUID | None:
    """The end of this person's path: a head of their own, else the conversation's."""
    own = _heads.fetch(conversation=conversation.pk, user=user_id) if user_id else []
    return next((head for head in own if head), None) or conversation.head_id


_heads: Compiled[UUID | None] = Compiled(
    lambda *, conversation, user: Participation.objects.filter(conversation=conversation, user_id=user).values_list(
        "head_id", flat=True
    )
)


_WALK_UP = """
WITH RECURSIVE path(id, parent_id, number) AS (
  SELECT id, parent_id, number FROM conversations_message WHERE id = %s AND conversation_id = %s
  UNION ALL
  SELECT m.id, m.parent_id, m.number FROM conversations_message m JOIN path ON m.id = path.parent_id
)
SELECT id, number FROM path
"""


_NEWEST_LEAF = """
WITH RECURSIVE below(id, number) AS (
  SELECT id, number FROM conversations_message WHERE id = %s
  UNION ALL
  SELECT m.id, m.number FROM conversations_message m JOIN below ON m.parent_id = below.id
)
SELECT id FROM below ORDER BY number DESC LIMIT 1
"""


def _walk(conversation: Conversation, leaf_id: UUID, *, limit: int | None = None) -> list[tuple[UUID, int]]:
    """(id, number) from the leaf to the root; ``limit`` stops the walk early."""
    with prepared() as cursor:
        cursor.execute(
            _WALK_UP + ("LIMIT %s" if limit else ""), [leaf_id, conversation.pk, *([limit] if limit else [])]
        )
        return list(cursor.fetchall())


def newest_leaf(message_id: UUID) -> UUID:
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST_LEAF, [message_id])
        row = cursor.fetchone()
    if row is None:
        raise MessageNotFound
    return row[0]


def end_of_branch(*, conversation: Conversation, viewer: Actor, seen_id: UUID | None) -> UUID | None:
    """Where a page goes on that shows ``seen_id``: at the end of this person's path, while that passes it, else at the newest end below it.

    Heads move under a page: others edit, and the same person switches versions elsewhere. Raises ``ParentElsewhere``.
    """
    leaf = active_leaf(conversation=conversation, user_id=viewer.user_id)
    if seen_id is None or seen_id == leaf:
        return leaf
    if find_in(conversation=conversation, message_id=seen_id) is None:
        raise ParentElsewhere
    if conversation.is_linear or seen_id in path_ids(conversation=conversation, leaf_id=leaf):
        return leaf
    return newest_leaf(seen_id)


def path_ids(*, conversation: Conversation, leaf_id: UUID | None) -> list[UUID]:
    """All ids of a path, oldest first."""
    if leaf_id is None:
        return []
    return [pk for pk, _number in reversed(_walk(conversation, leaf_id))]


def list_path(
    *,
    conversation: Conversation,
    leaf_id: UUID | None,
    after: int | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[Message]:
    """Messages of the path that ends in ``leaf_id``, oldest first.

    ``before`` gives the last ``limit`` below that number, otherwise the first ``limit`` above ``after`` (default 0).
    A conversation without branches is read by number; others are walked from the leaf.
    """
    if leaf_id is None:
        return []
    from_end = before is not None
    if conversation.is_linear and leaf_id == conversation.head_id:
        edge = min((before if from_end else after) or 0, HIGHEST_NUMBER)
        found = _window.fetch(from_end, limit, conversation=conversation.pk, edge=edge)
        return found[::-1] if from_end else found
    is_tail = from_end and (before or 0) > conversation.last_number
    walked = _walk(conversation, leaf_id, limit=limit if is_tail else None)
    if not walked:
        raise ParentElsewhere
    if from_end:
        ids = [pk for pk, number in walked if number < (before or 0)][:limit]
    else:
        ids = [pk for pk, number in reversed(walked) if number > (after or 0)][:limit]
    return sorted(messages().filter(pk__in=ids), key=lambda message: message.number)


def list_path_for_context(
    *, conversation: Conversation, leaf_id: UUID | None, before: int, limit: int
) -> list[Message]:
    """The last ``limit`` messages up to ``leaf_id``, oldest first: roles, parts and names alone, deleted ones too.

    ``before`` is the number of the answer below ``leaf_id``; without branches everything before it is the path.
    """
    if leaf_id is None:
        return []
    if conversation.is_linear:
        return _context_window.fetch(limit, conversation=conversation.pk, edge=before)[::-1]
    ids = [pk for pk, number in _walk(conversation, leaf_id) if number < before][:limit]
    return sorted(_for_context().filter(pk__in=ids), key=lambda message: message.number)


def _for_context() -> QuerySet[Message]:
    return Message.objects.select_related("author").only(
        "id",
        "number",
        "role",
        "stored_parts",
        "sealed",
        "deleted_at",
        "author__name",
        "author__email",
        "author__anonymized_at",
    )


_context_window: Compiled[Message] = Compiled(
    lambda limit, *, conversation, edge: (
        _for_context().filter(conversation=conversation, number__lt=edge).order_by("-number")[:limit]
    )
)


def _window_of(from_end: bool, limit: int, *, conversation: UUID, edge: int) -> QuerySet[Message]:  # noqa: FBT001
    rows = messages().filter(conversation=conversation)
    rows = rows.filter(number__lt=edge) if from_end else rows.filter(number__gt=edge)
    return rows.order_by("-number" if from_end else "number")[:limit]


HIGHEST_NUMBER = 2**31 - 1  # of the column


_window: Compiled[Message] = Compiled(_window_of)


def sibling_ids(*, conversation: Conversation, rows: Sequence[Message]) -> dict[UUID, list[UUID]]:
    """Message id → all ids with the same parent and role, oldest first. Empty for a conversation without branches."""
    if conversation.is_linear or not rows:
        return {}
    parents = {row.parent_id for row in rows}
    same = Q(parent_id__in=[pk for pk in parents if pk])
    if None in parents:
        same |= Q(parent=None)
    groups: dict[tuple[UUID | None, str], list[UUID]] = {}
    found = Message.objects.filter(same, conversation=conversation).order_by("number")
    for pk, parent_id, role in found.values_list("pk", "parent_id", "role"):
        groups.setdefault((parent_id, role), []).append(pk)
    return {row.pk: groups.get((row.parent_id, row.role), [row.pk]) for row in rows}


def describe_branches(*, conversation: Conversation, viewer: Actor) -> dict[str, Any]:
    """Where the tree divides: parent → children in order, and which leaf this person sees."""
    groups: dict[UUID | None, list[UUID]] = {}
    if not conversation.is_linear:
        rows = Message.objects.filter(conversation=conversation).order_by("number").values_list("pk", "parent_id")
        for pk, parent_id in rows:
            groups.setdefault(parent_id, []).append(pk)
    own = find_participation(conversation=conversation, user_id=viewer.user_id)
    own_head = own.head_id if own else None
    return {
        "leaf": own_head or conversation.head_id,
        "is_following": own_head is None,
        "results": [
            {"parent": parent, "children": children} for parent, children in groups.items() if len(children) > 1
        ],
    }


def find_posted(*, conversation: Conversation, author_id: UUID | None, client_id: UUID | None) -> Message | None:
    if client_id is None:
        return None
    return _posted.first(conversation=conversation.pk, author=author_id, client=client_id) if author_id else None


_posted: Compiled[Message] = Compiled(
    lambda *, conversation, author, client: (
        Message.objects.defer("words")
        .select_related("turn")
        .filter(conversation=conversation, author_id=author, client_id=client)[:1]
    )
)


def find_in(*, conversation: Conversation, message_id: UUID) -> Message | None:
    """With its turn."""
    return _in_conversation.first(conversation=conversation.pk, pk=message_id)


_in_conversation: Compiled[Message] = Compiled(
    lambda *, conversation, pk: (
        Message.objects.defer("words").select_related("turn").filter(pk=pk, conversation=conversation)[:1]
    )
)


def find_answer_to(message: Message) -> Message | None:
    """The first answer that was made for it."""
    return messages().filter(parent=message, turn__isnull=False).order_by("number").first()


def find_number(*, conversation: Conversation, message_id: UUID) -> int | None:
    return Message.objects.filter(conversation=conversation, pk=message_id).values_list("number", flat=True).first()
