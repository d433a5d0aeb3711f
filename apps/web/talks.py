"""The list of conversations in the sidebar: pinned first, then by day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import Project
from apps.accounts.types import Actor
from apps.conversations import selectors as conversations

SHOWN = 60


@dataclass(frozen=True, slots=True)
class Talk:
    id: UUID
    title: str
    is_unread: bool


@dataclass(frozen=True, slots=True)
class TalkGroup:
    label: str
    conversations: list[Talk]


def group_talks(viewer: Actor, project: Project | None) -> list[TalkGroup]:
    """The newest of one project. Three queries, whatever their number."""
    if project is None:
        return []
    rows = conversations.list_conversations(viewer=viewer, project_id=project.pk)
    pinned = list(
        conversations.list_conversations(viewer=viewer, project_id=project.pk, pinned=True).order_by(
            "-last_activity_at"
        )[:SHOWN]
    )
    known = {row.pk for row in pinned}
    recent = [row for row in rows.order_by("-last_activity_at", "-pk")[:SHOWN] if row.pk not in known]
    marks = conversations.list_participations(viewer=viewer, conversation_ids=[row.pk for row in (*pinned, *recent)])
    groups: dict[str, list[Talk]] = {}
    for label, row in [(_("Pinned"), row) for row in pinned] + [(_day(row.last_activity_at), row) for row in recent]:
        mark = marks.get(row.pk)
        is_unread = mark is not None and mark.last_read_number < row.last_number
        groups.setdefault(label, []).append(Talk(row.pk, row.title, is_unread))
    return [TalkGroup(label, talks) for label, talks in groups.items()]


def _day(moment: datetime) -> str:
    today = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    if moment >= today:
        return _("Today")
    return _("This week") if moment >= today - timedelta(days=6) else _("Earlier")
