"""Files seen through messages: whoever sees the conversation may read what is attached there, unless the message is deleted."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from apps.conversations import selectors
from apps.conversations.models import Attachment


def allowed_files(viewer: Any, file_ids: Collection[UUID]) -> set[UUID]:
    rows = Attachment.objects.filter(
        file_id__in=file_ids, message__deleted_at=None, conversation__in=selectors.visible_to(viewer).values("pk")
    )
    return set(rows.values_list("file_id", flat=True))


def used_files(file_ids: Collection[UUID]) -> set[UUID]:
    return set(Attachment.objects.filter(file_id__in=file_ids).values_list("file_id", flat=True))


def let_files_go(file_ids: Collection[UUID]) -> None:
    """The messages still name what was there; nobody could read it any more."""
    Attachment.objects.filter(file_id__in=file_ids).delete()
