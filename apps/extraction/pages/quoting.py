"""The words behind the values of suggestions, as cards quote them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.urls import reverse

from apps.accounts.types import Actor
from apps.conversations import selectors as conversations
from apps.core.errors import DomainError
from apps.extraction.models import Proposal
from apps.files import selectors as files

_AROUND = 60


@dataclass(frozen=True, slots=True)
class Quote:
    """The words behind a value, with some before and after. ``nth``: how often the same words came before in the message."""

    number: int
    words: str
    before: str = ""
    after: str = ""
    nth: int = 0
    message_id: UUID | None = None
    url: str = ""
    file_name: str = ""
    is_exact: bool = True


class QuotedWords:
    """The words behind values, of messages and files that the viewer may read; others stay closed."""

    def __init__(self, viewer: Actor, rows: Sequence[Proposal]) -> None:
        sources = [source for row in rows for source in row.sources if source["method"]]
        wanted = {UUID(source["message"]) for source in sources if source["message"]}
        readable = conversations.list_readable(ids=wanted, viewer=viewer) if wanted else []
        self._messages = {str(row.pk): row for row in readable}
        self._texts = {pk: row.text for pk, row in self._messages.items()}
        self._files: dict[str, tuple[str, str]] = {}
        for file_id in {source["attachment"] for source in sources if source["attachment"]}:
            self._read_file(viewer, file_id)

    def _read_file(self, viewer: Actor, file_id: str) -> None:
        try:
            file = files.get_usable_file(UUID(file_id), viewer)
        except DomainError:
            return
        found = files.text_of([file.pk]).get(file.pk)
        self._files[file_id] = (file.name, found.text if found else "")

    def url_of(self, message_id: UUID) -> str:
        row = self._messages.get(str(message_id))
        if row is None:
            return ""
        page = reverse("conversations:page", kwargs={"conversation_id": row.conversation_id})
        return f"{page}?message={message_id}"

    def quote(self, source: Mapping[str, Any], number: Any) -> Quote | None:
        if not source["method"]:
            return None
        start, end = source["start"], source["end"]
        if source["message"] in self._texts:
            text, message_id, name = self._texts[source["message"]], UUID(source["message"]), ""
        elif source["attachment"] in self._files:
            name, text = self._files[source["attachment"]]
            message_id = None
        else:
            return None
        words = text[start:end]
        if not words:
            return None
        return Quote(
            number=number(),
            words=words,
            before=("…" if start > _AROUND else "") + text[max(0, start - _AROUND) : start],
            after=text[end : end + _AROUND] + ("…" if len(text) > end + _AROUND else ""),
            nth=text[:start].count(words),
            message_id=message_id,
            url=self.url_of(message_id)
            if message_id
            else reverse("files:file", kwargs={"file_id": source["attachment"]}),
            file_name=name,
            is_exact=source["method"] == "exact",
        )
