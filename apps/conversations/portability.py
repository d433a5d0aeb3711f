"""What of conversations leaves with an export, who has them when their owner leaves, and how they are forgotten."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Exists, OuterRef
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.conversations import selectors
from apps.conversations.models import (
    Conversation,
    ConversationDenial,
    ConversationGrant,
    Message,
    Participation,
    ShareLink,
    TeamGrant,
    Turn,
)
from apps.conversations.services import count_shared, export_json, hand_over
from apps.conversations.services.erasure import GRANTS, OF_A_CONVERSATION
from apps.conversations.types import RESTORABLE_DAYS, Visibility
from apps.core.doors.erasers import Eraser, erasers
from apps.core.doors.exporters import Exporter, ExportScope, PersonExporter, exporters, person_exporters
from apps.core.doors.given import Given, given
from apps.core.doors.handovers import Handover, handovers
from apps.core.erasing import erase_some

OF_A_PERSON = (Participation, ConversationGrant, ConversationDenial)


def _rows(scope: ExportScope) -> Iterator[dict[str, Any]]:
    """Each conversation as ``export/`` gives it, oldest first; files are named by their hash."""
    rows = selectors.visible_to(scope.viewer).filter(organization_id=scope.organization_id)  # type: ignore[arg-type]
    if scope.project_id is not None:
        rows = rows.filter(project_id=scope.project_id)
    for conversation in rows.order_by("created_at", "pk").iterator(chunk_size=50):
        yield export_json(conversation=conversation, viewer=scope.viewer, has_files=False)  # type: ignore[arg-type]


def _rows_of(user_id: UUID) -> dict[str, list[Mapping[str, object]]]:
    """Which conversations they have to do with, and how; what was said in them leaves with the conversation."""
    own = Conversation.objects.filter(owner=user_id, deleted_at=None).order_by("created_at", "pk")
    marks = Participation.objects.filter(user=user_id).order_by("pk")
    grants = ConversationGrant.objects.filter(user=user_id).order_by("pk")
    denials = ConversationDenial.objects.filter(user=user_id).order_by("pk")
    links = ShareLink.objects.filter(created_by=user_id).order_by("pk")
    written = Message.objects.filter(author=user_id).values("conversation_id").annotate(messages=Count("pk"))
    return {
        "conversations": list(own.values("id", "title", "visibility", "created_at", "archived_at")),
        "written": list(written.order_by("conversation_id")),
        "marks": list(marks.values("conversation_id", "pinned_at", "last_read_number")),
        "grants": list(grants.values("content_object_id", "permission__codename", "created_at")),
        "denials": list(denials.values("conversation_id", "permission", "created_at")),
        "links": list(links.values("conversation_id", "hint", "shared_at", "expires_at", "revoked_at")),
    }


def _erase_person(user_id: UUID) -> int:
    """Authors stay: the account is anonymized by ``accounts``. What goes is what only this person had: pins, heads, marks, what
    they were granted and denied, links that they made (nobody answers for them any more), and private conversations that nobody
    else was let into.
    """
    count = sum(table.objects.filter(user_id=user_id).delete()[0] for table in OF_A_PERSON)
    count += ShareLink.objects.filter(created_by_id=user_id, revoked_at=None).update(revoked_at=Now())
    invited = ConversationGrant.objects.filter(content_object=OuterRef("pk"))
    invited_teams = TeamGrant.objects.filter(content_object=OuterRef("pk"))
    # As if deleted 30 days ago: the sweep takes them, with the files that nothing else shows.
    nobodys = Conversation.objects.filter(
        ~Exists(invited), ~Exists(invited_teams), owner_id=user_id, visibility=Visibility.PRIVATE
    )
    return count + nobodys.update(deleted_at=Now() - timedelta(days=RESTORABLE_DAYS), deleted_by=None)


@transaction.atomic
def _erase_organization(organization_id: UUID) -> int:
    """Hard and in one transaction; pointers first, since messages, turns and heads name each other."""
    Conversation.objects.filter(organization_id=organization_id).update(head=None, forked_from=None)
    Participation.objects.filter(organization_id=organization_id).update(head=None)
    Turn.objects.filter(organization_id=organization_id).update(after_turn=None)
    Message.objects.filter(organization_id=organization_id).update(turn=None, parent=None)
    count = 0
    for model in (*OF_A_CONVERSATION, *GRANTS, Conversation):
        count += model.objects.filter(organization_id=organization_id)._raw_delete("default")  # noqa: SLF001
    return count


def _erase_piece(organization_id: UUID, limit: int) -> int | None:
    """What is in conversations; the conversations themselves are few."""
    return erase_some(organization_id, limit, tables=OF_A_CONVERSATION, pointers=_POINTERS)


_POINTERS = {
    Turn: ((Turn, "after_turn"), (Message, "turn")),
    Message: ((Message, "parent"), (Conversation, "head")),
}


def register() -> None:
    person_exporters.register("conversations", PersonExporter("conversations", _rows_of))
    exporters.register("conversations", Exporter("conversation", _rows))
    title = _("Conversations that others see")
    handovers.register(
        "conversations",
        Handover("conversations", title, count_shared, lambda actor, leaving: hand_over(actor=actor, leaving=leaving)),
    )
    given.register("let_in", Given("let_in", _("Conversations they were let into"), selectors.count_let_in))
    given.register("links", Given("links", _("Links they share"), selectors.count_links))
    silent = _("Links that are silent while they may not see what these show")
    given.register("silent_links", Given("silent_links", silent, selectors.count_silent_links))
    erasers.register("conversations", Eraser("conversations", _erase_person, _erase_organization, _erase_piece))
