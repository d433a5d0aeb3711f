"""The list of conversations in the sidebar: pinned first, then by day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import Project
from apps.accounts.types import Actor
from apps.conversations import selectors as conversations
from apps.conversations.presentation import is_unread
from apps.conversations.types import ListFilter, Visibility
from apps.core.paging import Order, Window

SHOWN = 60


@dataclass(frozen=True, slots=True)
class Talk:
    id: UUID
    title: str
    is_unread: bool
    is_private: bool


@dataclass(frozen=True, slots=True)
class TalkGroup:
    label: str
    conversations: list[Talk]
    is_pinned: bool = False


def group_talks(viewer: Actor, project: Project | None) -> list[TalkGroup]:
    """The newest of one project, then what was shared with the viewer from projects that they do not see. Four queries, whatever
    their number.
    """
    groups = _of_project(viewer, project) if project is not None else {}
    if shared := conversations.list_shared_with(viewer=viewer, limit=SHOWN):
        marks = conversations.list_participations(viewer=viewer, conversation_ids=[row.pk for row in shared])
        groups[_("Shared with you")] = [_talk(viewer, row, marks) for row in shared]
    return [TalkGroup(label, talks, label == _("Pinned")) for label, talks in groups.items()]


def _of_project(viewer: Actor, project: Project) -> dict[str, list[Talk]]:
    newest = Window(Order("last_activity_at"), SHOWN)
    pinned = conversations.read_window(newest, viewer=viewer, only=ListFilter(project.pk, pinned=True))
    known = {row.pk for row in pinned}
    rows = conversations.read_window(newest, viewer=viewer, only=ListFilter(project.pk))
    recent = [row for row in rows if row.pk not in known]
    marks = conversations.list_participations(viewer=viewer, conversation_ids=[row.pk for row in (*pinned, *recent)])
    groups: dict[str, list[Talk]] = {}
    for label, row in [(_("Pinned"), row) for row in pinned] + [(_day(row.last_activity_at), row) for row in recent]:
        groups.setdefault(label, []).append(_talk(viewer, row, marks))
    return groups


def _talk(viewer: Actor, row: Any, marks: Mapping[UUID, Any]) -> Talk:
    is_new = is_unread(row, marks.get(row.pk), reader_id=viewer.user_id, new_since=_midnight())
    return Talk(row.pk, row.title, is_new, row.visibility == Visibility.PRIVATE)


def _midnight() -> datetime:
    return timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)


def _day(moment: datetime) -> str:
    today = _midnight()
    if moment >= today:
        return _("Today")
    return _("This week") if moment >= today - timedelta(days=6) else _("Earlier")
