"""Files seen through messages: whoever sees the conversation may read what is attached there, unless the message is deleted."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Window
from django.db.models.functions import RowNumber
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.conversations import selectors
from apps.conversations.models import Attachment
from apps.core.doors.file_access import FileUse, FileUses


def _visible(viewer: Any) -> QuerySet[Attachment]:
    return Attachment.objects.filter(
        message__deleted_at=None, conversation__in=selectors.visible_to(viewer).values("pk")
    )


def allowed_files(viewer: Any, file_ids: Collection[UUID]) -> set[UUID]:
    return set(_visible(viewer).filter(file_id__in=file_ids).values_list("file_id", flat=True))


def shown_files(viewer: Any) -> Q:
    return Q(Exists(_visible(viewer).filter(file_id=OuterRef("pk"))))


def uses_of_files(viewer: Any, file_ids: Collection[UUID], most: int) -> dict[UUID, FileUses]:
    """The conversations, each once, at the newest message that shows the file."""
    rows = _visible(viewer).filter(file_id__in=file_ids).order_by("file", "conversation", "-message__number")
    newest = rows.distinct("file", "conversation").values("pk")
    places = Attachment.objects.filter(pk__in=newest).annotate(
        title=F("conversation__title"),
        place=Window(RowNumber(), partition_by="file", order_by="-pk"),
        count=Window(Count("pk"), partition_by="file"),
    )
    found: dict[UUID, FileUses] = {}
    for row in places.filter(place__lte=most).order_by("place"):
        address = reverse("conversations:page", args=[row.conversation_id])
        found.setdefault(row.file_id, FileUses([], row.count)).named.append(
            FileUse(row.title or _("New conversation"), f"{address}?message={row.message_id}#m-{row.message_id}")
        )
    return found


def used_files(file_ids: Collection[UUID]) -> set[UUID]:
    return set(Attachment.objects.filter(file_id__in=file_ids).values_list("file_id", flat=True))


def let_files_go(file_ids: Collection[UUID]) -> None:
    """The messages still name what was there; nobody could read it any more."""
    Attachment.objects.filter(file_id__in=file_ids).delete()
