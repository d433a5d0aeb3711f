"""Every shared read of conversations. Strangers get the same ``NotFound`` as for a random id."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count, Exists, Min, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from apps.accounts import selectors as accounts
from apps.accounts.policies import has_scope
from apps.accounts.types import Actor, ActorKind, ProjectRole
from apps.agents import selectors as agents
from apps.conversations.models import Conversation, Message, Participation, TitleRequest, Turn
from apps.conversations.policies import WRITE, has_read_scope
from apps.conversations.types import (
    ACTIVE,
    MAX_QUEUED_TURNS,
    MAX_TITLE_ATTEMPTS,
    RESTORABLE_DAYS,
    Answerer,
    ConversationNotFound,
    MessageNotFound,
    ParentElsewhere,
    TurnNotFound,
    TurnStatus,
    Visibility,
)
from apps.core.compiled import Compiled
from apps.core.db import database_now
from apps.core.leases import is_free
from apps.llm import selectors as llm


def visible_to(
    viewer: Actor, *, with_deleted: bool = False, at_least: ProjectRole = ProjectRole.VIEWER
) -> QuerySet[Conversation]:
    """One statement; agrees with ``policies.can_view`` (a property test proves it)."""
    if not has_read_scope(viewer):
        return Conversation.objects.none()
    invited = Participation.objects.filter(conversation=OuterRef("pk"), user_id=viewer.user_id, is_invited=True)
    rows = Conversation.objects.filter(
        accounts.project_filter(viewer, field="project", at_least=at_least),
        Q(visibility=Visibility.PROJECT) | Q(owner_id=viewer.user_id) | Exists(invited),
    )
    return rows if with_deleted else rows.filter(deleted_at=None)


def get_conversation(*, conversation_id: UUID, viewer: Actor, with_deleted: bool = False) -> Conversation:
    found = _conversation.first(viewer, with_deleted, pk=conversation_id)
    if found is None:
        raise ConversationNotFound
    return found


_conversation: accounts.ForViewer[Conversation] = accounts.ForViewer(
    lambda viewer, with_deleted, *, pk: (
        visible_to(viewer, with_deleted=with_deleted)
        .select_related("project", "owner", "model__provider", "agent")
        .filter(pk=pk)[:1]
    )
)


def is_visible(*, conversation_id: UUID, viewer: Actor) -> bool:
    return _visible_id.first(viewer, pk=conversation_id) is not None


_visible_id: accounts.ForViewer[Any] = accounts.ForViewer(
    lambda viewer, *, pk: visible_to(viewer).filter(pk=pk).values_list("pk")[:1]
)


def lock_conversation(*, conversation_id: UUID, viewer: Actor, with_deleted: bool = False) -> Conversation:
    """The row, locked until the transaction ends: it orders numbers, heads and positions."""
    found = _locked.first(viewer, with_deleted, pk=conversation_id)
    if found is None:
        raise ConversationNotFound
    return found


_locked: accounts.ForViewer[Conversation] = accounts.ForViewer(
    lambda viewer, with_deleted, *, pk: (
        visible_to(viewer, with_deleted=with_deleted).select_for_update(of=("self",)).filter(pk=pk)[:1]
    )
)


def find_writable(*, conversation_id: UUID, asker: Actor) -> Conversation | None:
    """For workers, who come later than the policy: the conversation's ids while the asker may still write in it. One query."""
    if asker.kind != ActorKind.SYSTEM and not has_scope(asker, WRITE):
        return None
    return _writable.first(asker, pk=conversation_id)


def _writable_to(asker: Actor, *, pk: UUID) -> QuerySet[Conversation]:
    if asker.kind == ActorKind.SYSTEM:
        rows = Conversation.objects.filter(deleted_at=None)
    else:
        rows = visible_to(asker, at_least=ProjectRole.EDITOR)
    return rows.only("id", "organization_id", "project_id").filter(pk=pk)[:1]


_writable: accounts.ForViewer[Conversation] = accounts.ForViewer(_writable_to)


def role_in(conversation: Conversation, actor: Actor) -> ProjectRole | None:
    return accounts.project_role(actor, conversation.project_id)


def list_conversations(
    *,
    viewer: Actor,
    project_id: UUID | None = None,
    q: str = "",
    tag: str = "",
    archived: bool | None = False,
    deleted: bool = False,
    pinned: bool | None = None,
) -> QuerySet[Conversation]:
    """``archived`` None means both. Deleted ones are listed only when asked for (they can be restored for 30 days)."""
    rows = visible_to(viewer, with_deleted=deleted)
    if deleted:
        rows = rows.filter(deleted_at__gt=Now() - timedelta(days=RESTORABLE_DAYS))
    if project_id is not None:
        rows = rows.filter(project_id=project_id)
    if archived is not None:
        rows = rows.filter(archived_at__isnull=not archived)
    if tag:
        rows = rows.filter(tags__contains=[tag])
    if q:
        rows = rows.filter(title__icontains=q)
    if pinned is not None:
        pins = Participation.objects.filter(conversation=OuterRef("pk"), user_id=viewer.user_id).exclude(pinned_at=None)
        rows = rows.filter(Exists(pins) if pinned else ~Exists(pins))
    return rows


def list_participations(*, viewer: Actor, conversation_ids: Iterable[UUID]) -> dict[UUID, Participation]:
    rows = Participation.objects.filter(user_id=viewer.user_id, conversation_id__in=list(conversation_ids))
    return {row.conversation_id: row for row in rows}


def find_participation(*, conversation: Conversation, user_id: UUID | None) -> Participation | None:
    return Participation.objects.filter(conversation=conversation, user_id=user_id).first()


def is_invited(*, conversation: Conversation, user_id: UUID | None) -> bool:
    return Participation.objects.filter(conversation=conversation, user_id=user_id, is_invited=True).exists()


def list_participants(*, conversation: Conversation, viewer: Actor) -> Sequence[UUID]:
    """Users who were invited, beside the owner."""
    return list(
        Participation.objects.filter(conversation=conversation, is_invited=True).values_list("user_id", flat=True)
    )


def get_message(*, message_id: UUID, viewer: Actor) -> Message:
    """With its conversation, turn and people loaded."""
    found = messages().select_related("conversation__project", "parent").filter(pk=message_id).first()
    if found is None or not visible_to(viewer).filter(pk=found.conversation_id).exists():
        raise MessageNotFound
    return found


def get_turn(*, turn_id: UUID, viewer: Actor) -> Turn:
    found = Turn.objects.select_related("message", "conversation", "agent", "stopped_by").filter(pk=turn_id).first()
    if found is None or not visible_to(viewer).filter(pk=found.conversation_id).exists():
        raise TurnNotFound
    return found


def messages() -> QuerySet[Message]:
    """Messages with what every presentation of them needs, without the search column."""
    return Message.objects.select_related("author", "agent", "turn__agent", "turn__stopped_by", "deleted_by").defer(
        "words"
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
    with connection.cursor() as cursor:
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


def list_active_turns(*, conversation_id: UUID) -> list[Turn]:
    return list(
        Turn.objects.select_related("message", "agent", "stopped_by")
        .filter(conversation_id=conversation_id, status__in=ACTIVE)
        .order_by("created_at")
    )


def count_waiting(conversation: Conversation) -> int:
    return len(_waiting.fetch(conversation=conversation.pk))


_waiting: Compiled[UUID] = Compiled(
    lambda *, conversation: Turn.objects.filter(conversation=conversation, status=TurnStatus.QUEUED).values_list(
        "pk", flat=True
    )[: MAX_QUEUED_TURNS + 1]
)


def get_turn_with_context(turn_id: UUID) -> Turn:
    """For the runner: with conversation, agent and who asked."""
    found = _with_context.first(pk=turn_id)
    if found is None:
        raise TurnNotFound
    return found


_with_context: Compiled[Turn] = Compiled(
    lambda *, pk: Turn.objects.select_related("conversation", "agent", "requested_by").filter(pk=pk)[:1]
)


def get_bare_message(message_id: UUID) -> Message:
    """For the runner: place and parts."""
    found = _bare_message.first(pk=message_id)
    if found is None:
        raise MessageNotFound
    return found


_bare_message: Compiled[Message] = Compiled(
    lambda *, pk: Message.objects.only("id", "parent_id", "number", "parts").filter(pk=pk)[:1]
)


def list_parts_to_continue(*, turn_id: UUID, message_id: UUID) -> list[dict[str, Any]]:
    """What the message holds already when a turn goes on with it; empty for a new answer."""
    return _parts_to_continue.first(turn=turn_id, pk=message_id) or []


_parts_to_continue: Compiled[list[dict[str, Any]]] = Compiled(
    lambda *, turn, pk: Message.objects.filter(pk=pk, turn=turn, turn__is_continuation=True).values_list(
        "parts", flat=True
    )[:1]
)


def lock_turn(turn_id: UUID) -> Turn:
    """For the engine, inside its transaction."""
    found = _locked_turn.first(pk=turn_id)
    if found is None:
        raise TurnNotFound
    return found


_locked_turn: Compiled[Turn] = Compiled(lambda *, pk: Turn.objects.select_for_update().filter(pk=pk)[:1])


def list_lapsed_turns(*, limit: int = 200) -> list[Turn]:
    """Running turns whose lease has ended by the database's clock, with their messages."""
    return list(
        Turn.objects.select_related("message")
        .filter(status=TurnStatus.RUNNING, lease_until__lt=Now())
        .order_by("lease_until")[:limit]
    )


def list_due_titles(*, older_than: timedelta, limit: int = 100) -> list[dict[str, UUID]]:
    """Conversations whose title nobody writes although one is wanted: a hint was lost, or the one who wrote it is."""
    rows = TitleRequest.objects.filter(
        is_free(), attempts__lt=MAX_TITLE_ATTEMPTS, updated_at__lt=Now() - older_than
    ).order_by("created_at")
    return [{"conversation_id": pk} for pk in rows.values_list("conversation_id", flat=True)[:limit]]


def stats_active_turns() -> dict[str, int]:
    rows = Turn.objects.filter(status__in=ACTIVE).values_list("status").annotate(count=Count("pk"))
    return {str(status): 0 for status in ACTIVE} | {str(status): count for status, count in rows}


def stats_oldest_queued_seconds() -> float:
    """0 when nothing waits."""
    oldest = Turn.objects.filter(status=TurnStatus.QUEUED).aggregate(oldest=Min("created_at"))["oldest"]
    return (database_now() - oldest).total_seconds() if oldest else 0.0


_MENTION = re.compile(r"(?:^|\s)@(\S[^\n]{0,120})")


def get_answerer(
    conversation: Conversation, actor: Actor, *, content: str = "", model: str = "", agent: UUID | None = None
) -> Answerer:
    """Who answers: what the request names, else whom the words mention, else the conversation's own choice.

    Without any of them it is the project's default agent, and the answer is signed with its name from the first moment.
    """
    if agent is not None:
        return Answerer(None, agents.get_agent(agent_id=agent, viewer=actor, project_id=conversation.project_id).pk)
    chosen = Answerer(conversation.model_id, conversation.agent_id)
    if model:
        found = llm.get_model(organization_id=conversation.organization_id, reference=model)
        chosen = Answerer(found.pk, conversation.agent_id)
    elif "@" in content and (mentioned := _find_mentioned(conversation, content)):
        chosen = mentioned
    if chosen.agent_id is None and (default := agents.find_default_agent(project_id=conversation.project_id)):
        return Answerer(chosen.model_id, default.pk)
    return chosen


def _find_mentioned(conversation: Conversation, content: str) -> Answerer | None:
    """The first ``@name`` that is an agent of the project or a model: the longest name that fits wins."""
    for match in _MENTION.finditer(content):
        said = match.group(1).casefold()
        if found := agents.find_by_spoken_name(project_id=conversation.project_id, said=said):
            return Answerer(found.model_id, found.pk)
        if model := llm.find_model_by_spoken_name(organization_id=conversation.organization_id, said=said):
            return Answerer(model.pk, conversation.agent_id)
    return None
