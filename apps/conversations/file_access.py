"""Files seen through messages: whoever sees the conversation may read what is attached there, unless the message is deleted."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.conversations import selectors
from apps.conversations.models import Attachment
from apps.core.doors.file_access import FileUse

#: Of a list of files: so many places are read at all.
MOST_USES = 1000


def _visible(viewer: Any) -> QuerySet[Attachment]:
    return Attachment.objects.filter(
        message__deleted_at=None, conversation__in=selectors.visible_to(viewer).values("pk")
    )


def allowed_files(viewer: Any, file_ids: Collection[UUID]) -> set[UUID]:
    return set(_visible(viewer).filter(file_id__in=file_ids).values_list("file_id", flat=True))


def shown_files(viewer: Any) -> Q:
    return Q(Exists(_visible(viewer).filter(file_id=OuterRef("pk"))))


def uses_of_files(viewer: Any, file_ids: Collection[UUID]) -> dict[UUID, list[FileUse]]:
    """The conversations, each once, at the newest message that shows the file."""
    rows = _visible(viewer).filter(file_id__in=file_ids).order_by("file", "conversation", "-message__number")
    newest = rows.distinct("file", "conversation").values("pk")
    named = Attachment.objects.filter(pk__in=newest).order_by("-pk")[:MOST_USES]
    found: dict[UUID, list[FileUse]] = {}
    for file_id, talk, title, message in named.values_list(
        "file_id", "conversation_id", "conversation__title", "message_id"
    ):
        address = reverse("conversations:page", args=[talk])
        found.setdefault(file_id, []).append(
            FileUse(title or _("New conversation"), f"{address}?message={message}#m-{message}")
        )
    return found


def used_files(file_ids: Collection[UUID]) -> set[UUID]:
    return set(Attachment.objects.filter(file_id__in=file_ids).values_list("file_id", flat=True))


def let_files_go(file_ids: Collection[UUID]) -> None:
    """The messages still name what was there; nobody could read it any more."""
    Attachment.objects.filter(file_id__in=file_ids).delete()
