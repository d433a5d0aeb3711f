"""Conversations, who sees them and who answers in them. Strangers get the same ``NotFound`` as for a random id."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, Func, OuterRef, QuerySet, Subquery
from django.db.models.functions import Now

from apps.accounts import selectors as accounts
from apps.accounts.policies import has_scope
from apps.accounts.types import Actor, ActorKind, Permission
from apps.agents import selectors as agents
from apps.conversations.models import Conversation, Message, Participation
from apps.conversations.policies import WRITE, has_read_scope
from apps.conversations.search_terms import title_words
from apps.conversations.selectors.rights import (
    denied_here,
    denied_to,
    granted_to,
    is_open_to,
    list_people_with_grants,
    visible_to,
    with_access_of,
)
from apps.conversations.selectors.titles import with_words
from apps.conversations.types import (
    ALL_SENSITIVE,
    RESTORABLE_DAYS,
    Answerer,
    ConversationNotFound,
    ListFilter,
    Visibility,
)
from apps.core import preferences
from apps.core.compiled import Compiled, Value
from apps.core.doors.topics import TopicEvent
from apps.core.paging import Window
from apps.live import selectors as live
from apps.llm import selectors as llm

ACTIVE = ListFilter()


def get_conversation(*, conversation_id: UUID, viewer: Actor, with_deleted: bool = False) -> Conversation:
    found = _conversation.first(viewer, with_deleted, pk=conversation_id)
    if found is None:
        raise ConversationNotFound
    return found


_conversation: accounts.ForViewer[Conversation] = accounts.ForViewer(
    lambda viewer, with_deleted, *, pk: (
        with_access_of(viewer, visible_to(viewer, with_deleted=with_deleted))
        .select_related("project", "owner", "model__provider", "agent")
        .filter(pk=pk)[:1]
    )
)


def get_with_mark(*, conversation_id: UUID, viewer: Actor) -> tuple[Conversation, Participation | None]:
    """With what the viewer has with it (head, pin and reading mark; nothing else of the row), in one statement."""
    found: Any = _with_mark.first(viewer, pk=conversation_id)
    if found is None:
        raise ConversationNotFound
    if found.read_until is None:
        return found, None
    return found, Participation(head_id=found.own_head, pinned_at=found.pinned_at, last_read_number=found.read_until)


def _with_mark_of(viewer: Actor, *, pk: UUID) -> QuerySet[Conversation]:
    mine = Participation.objects.filter(conversation=OuterRef("pk"), user_id=viewer.user_id)
    return (
        visible_to(viewer)
        .select_related("model__provider", "agent")
        .annotate(
            own_head=Subquery(mine.values("head_id")[:1]),
            pinned_at=Subquery(mine.values("pinned_at")[:1]),
            read_until=Subquery(mine.values("last_read_number")[:1]),
        )
        .filter(pk=pk)[:1]
    )


_with_mark: accounts.ForViewer[Conversation] = accounts.ForViewer(_with_mark_of)


def list_events_for(*, conversation_id: UUID, viewer: Actor, after: int) -> list[TopicEvent] | None:
    """The next events of its topic, None for strangers: rights and events in one statement."""
    topic = f"conversation:{conversation_id}"
    found = _events_for.fetch(viewer, pk=conversation_id, topic=topic, after=after)
    return live.read_events(found[0]) if found else None


_events_for: accounts.ForViewer[Any] = accounts.ForViewer(
    lambda viewer, *, pk, topic, after: (
        visible_to(viewer).filter(pk=pk).values_list(live.events_beside(topic, after), flat=True)[:1]
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
        with_access_of(viewer, visible_to(viewer, with_deleted=with_deleted))
        .select_for_update(of=("self",))
        .filter(pk=pk)[:1]
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
        rows = visible_to(asker, permission=Permission.POST)
    return rows.only("id", "organization_id", "project_id").filter(pk=pk)[:1]


_writable: accounts.ForViewer[Conversation] = accounts.ForViewer(_writable_to)


def is_sensitive_by_rule(project: Any) -> bool:
    """Does its organization, or it, want every message sealed? A project may not undo what its organization wants. As the rows say
    now: what begins under the rule is under it.
    """
    of = project.organization_id
    of_either = preferences.get_fresh(ALL_SENSITIVE, organization=of, project=project.pk)
    return bool(of_either or preferences.get(ALL_SENSITIVE, organization=of))


def list_conversations(*, viewer: Actor, only: ListFilter = ACTIVE) -> QuerySet[Conversation]:
    rows = _narrow(visible_to(viewer, with_deleted=only.deleted), viewer, only)
    if only.project_id is not None:
        rows = rows.filter(project_id=only.project_id)
    if only.tag:
        rows = rows.filter(tags__contains=[only.tag])
    if only.q:
        words = title_words(only.q)
        rows = with_words(rows, *words) if words else rows.none()
    return rows


def _narrow(rows: QuerySet[Conversation], viewer: Actor, only: ListFilter) -> QuerySet[Conversation]:
    if only.deleted:
        rows = rows.filter(deleted_at__gt=Now() - timedelta(days=RESTORABLE_DAYS))
    else:
        rows = rows.filter(deleted_at=None)
    if only.archived is not None:
        rows = rows.filter(archived_at__isnull=not only.archived)
    if only.pinned is not None:
        pins = Participation.objects.filter(conversation=OuterRef("pk"), user_id=viewer.user_id).exclude(pinned_at=None)
        rows = rows.filter(Exists(pins) if only.pinned else ~Exists(pins))
    return rows


def read_window(window: Window, *, viewer: Actor, only: ListFilter = ACTIVE) -> list[Conversation]:
    """A window over what ``list_conversations`` lists, with models and agents. Without words and tags its SQL is made once."""
    if only.q or only.tag:
        rows = list_conversations(viewer=viewer, only=only)
        return list(window.over(rows.select_related("model__provider", "agent")))
    values: dict[str, Value] = {"project": only.project_id} if only.project_id is not None else {}
    if window.edge is not None:
        at, pk = window.edge
        values |= {"at": datetime.fromisoformat(at), "pk": pk}
    return _listed.fetch(viewer, replace(only, project_id=None), replace(window, edge=None), **values)


def _list_window(
    viewer: Actor,
    only: ListFilter,
    window: Window,
    *,
    project: UUID | None = None,
    at: datetime | None = None,
    pk: UUID | None = None,
) -> QuerySet[Conversation]:
    """The window of each project by its index and that of what was granted, then of these the window: sorting all that one sees
    costs more than all the rest.
    """
    if not has_read_scope(viewer):
        return Conversation.objects.none()
    if pk is not None:
        window = replace(window, edge=(at, pk))
    of_project = _narrow(Conversation.objects.filter(is_open_to(viewer), project=OuterRef("pk")), viewer, only)
    if viewer.user_id is not None:
        of_project = of_project.exclude(denied_here(viewer))
    projects = accounts.visible_projects(viewer)
    if project is not None:
        projects = projects.filter(pk=project)
    among = projects.values(among=Func(ArraySubquery(window.over(of_project).values("pk")), function="unnest"))
    if viewer.user_id is not None:
        granted = _narrow(Conversation.objects.filter(granted_to(viewer), ~denied_to(viewer)), viewer, only)
        if project is not None:
            granted = granted.filter(project=project)
        among = among.union(window.over(granted).values("pk"))
    return window.over(Conversation.objects.filter(pk__in=among).select_related("model__provider", "agent"))


_listed: accounts.ForViewer[Conversation] = accounts.ForViewer(_list_window)


def list_shared_with(*, viewer: Actor, limit: int) -> list[Conversation]:
    """The newest of those that were granted to the viewer in projects that they do not see."""
    return _shared_with.fetch(viewer, limit) if viewer.user_id is not None else []


def _list_shared_with(viewer: Actor, limit: int) -> QuerySet[Conversation]:
    if not has_read_scope(viewer):
        return Conversation.objects.none()
    project = accounts.visible_projects(viewer).filter(pk=OuterRef("project"))
    rows = Conversation.objects.filter(granted_to(viewer), ~denied_to(viewer), ~Exists(project))
    return rows.filter(deleted_at=None, archived_at=None).order_by("-last_activity_at", "-pk")[:limit]


_shared_with: accounts.ForViewer[Conversation] = accounts.ForViewer(_list_shared_with)


def list_participations(*, viewer: Actor, conversation_ids: Iterable[UUID]) -> dict[UUID, Participation]:
    if viewer.user_id is None:
        return {}
    return {row.conversation_id: row for row in _participations.fetch_each(conversation_ids, user=viewer.user_id)}


_participations: Compiled[Participation] = Compiled(
    lambda _many, *, user, **ids: Participation.objects.filter(user_id=user, conversation_id__in=list(ids.values()))
)


def find_last_project(*, viewer: Actor, project_ids: Iterable[UUID]) -> UUID | None:
    """The one of these projects in whose conversations the viewer last wrote, or read something new."""
    if viewer.user_id is None:
        return None
    there = {"conversation__project__in": list(project_ids), "conversation__deleted_at": None}
    wrote = Message.objects.filter(author=viewer.user_id, **there).order_by("-created_at")
    read = Participation.objects.filter(user=viewer.user_id, **there).order_by("-updated_at")
    found = [
        *wrote.values_list("created_at", "conversation__project")[:1],
        *read.values_list("updated_at", "conversation__project")[:1],
    ]
    return max(found)[1] if found else None


def find_participation(*, conversation: Conversation, user_id: UUID | None) -> Participation | None:
    return _participation.first(conversation=conversation.pk, user=user_id) if user_id else None


_participation: Compiled[Participation] = Compiled(
    lambda *, conversation, user: Participation.objects.filter(conversation=conversation, user_id=user)[:1]
)


#: More names than these in one message are words.
MOST_MENTIONS = 20
#: What follows is looked at and not taken: another name may stand in the same line. ``completion.js`` offers names at the same places.
_MENTION = re.compile(r"(?:^|[\s(])@(?=(\S[^\n]{0,120}))")


def get_answerer(
    conversation: Conversation,
    actor: Actor,
    *,
    content: str = "",
    model: str = "",
    agent: UUID | None = None,
    is_standing: bool = False,
) -> Answerer:
    """Who answers: what the request names, else whom the words mention, else the conversation's own choice. A choice that stands
    for all that is written (``is_standing``) comes after whom the words mention.

    Without any of them it is the project's default agent, and the answer is signed with its name from the first moment.
    """
    is_named = (bool(model) or agent is not None) and not is_standing
    mentions = () if is_named else _list_mentioned(conversation, actor, content)
    chosen = Answerer(conversation.model_id, conversation.agent_id)
    if mentioned := next((each for each in mentions if each is not None), None):
        chosen = mentioned
    elif agent is not None:
        return Answerer(None, agents.get_agent(agent_id=agent, viewer=actor, project_id=conversation.project_id).pk)
    elif model:
        found = llm.get_model(organization_id=conversation.organization_id, reference=model)
        chosen = Answerer(found.pk, conversation.agent_id)
    if chosen.agent_id is None and (default := agents.find_default_agent(project_id=conversation.project_id)):
        return Answerer(chosen.model_id, default.pk)
    return chosen


def names_only_people(conversation: Conversation, actor: Actor, content: str) -> bool:
    """Words for others in the project, and for nobody who answers: no model takes them for a question."""
    mentioned = list(_list_mentioned(conversation, actor, content))
    return bool(mentioned) and all(each is None for each in mentioned)


def _list_mentioned(conversation: Conversation, actor: Actor, content: str) -> Iterator[Answerer | None]:
    """For each ``@name`` of the words: the agent of the project or the model, or None for another person. The longest name that
    fits wins; a name of nobody is left out.
    """
    if "@" not in content:
        return
    people = [each.name.casefold() for each in list_others(conversation=conversation, viewer=actor)]
    for match in islice(_MENTION.finditer(content), MOST_MENTIONS):
        said = match.group(1).casefold()
        person = max((len(name) for name in people if _is_spoken(said, name)), default=0)
        found = agents.find_by_spoken_name(project_id=conversation.project_id, said=said)
        if found is not None and len(found.name) >= person:
            yield Answerer(found.model_id, found.pk)
        elif model := llm.find_model_by_spoken_name(organization_id=conversation.organization_id, said=said):
            yield Answerer(model.pk, conversation.agent_id)
        elif person:
            yield None


def list_others(*, conversation: Conversation, viewer: Actor) -> list[accounts.ProjectPerson]:
    """Whom words in it may name: the people of its project who see it. Who was let into this one conversation knows nobody of the project."""
    project = accounts.visible_projects(viewer).filter(pk=conversation.project_id).first()
    if project is None or accounts.project_role(viewer, project.pk) is None:
        return []
    people = [each for each in accounts.list_people_of_project(project, viewer) if each.id != viewer.user_id]
    if people and conversation.visibility == Visibility.PRIVATE:
        let_in = {conversation.owner_id, *list_people_with_grants(conversation)}
        people = [each for each in people if each.id in let_in]
    return people


def _is_spoken(said: str, name: str) -> bool:
    """Both case-folded. A name ends where a word ends."""
    return said.startswith(name) and not said[len(name) : len(name) + 1].isalnum()
