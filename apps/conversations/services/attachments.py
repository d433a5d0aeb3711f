"""Which message shows which file."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from apps.conversations.models import Attachment, Message
from apps.conversations.types import GONE
from apps.files import selectors as file_selectors


def record_attachments(rows: Sequence[Message]) -> None:
    """Whoever sees a message may read its files. In the transaction that writes the messages.

    One row a file, however often the message shows it; none for a file that was erased since an earlier message named it.
    """
    shown = {
        (row.pk, UUID(part["file"])): row
        for row in rows
        for part in row.parts
        if part["type"] == "file" and part["file"] != GONE
    }
    if not shown:
        return
    there = file_selectors.list_existing({file_id for _pk, file_id in shown})
    Attachment.objects.bulk_create(
        Attachment(
            organization_id=row.organization_id, conversation_id=row.conversation_id, message=row, file_id=file_id
        )
        for (_pk, file_id), row in shown.items()
        if file_id in there
    )
