"""What the one search box looks through. Run by ``web`` (page) and the ``search/`` address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from django.utils.functional import Promise

from apps.core.doors import Door
from apps.core.types import ActorRef


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """Words, filters, or both. Without words a source lists what the filters leave, the newest first."""

    text: str
    limit: int = 20
    offset: int = 0
    project_id: UUID | None = None
    conversation_id: UUID | None = None
    author_id: UUID | None = None
    model: str = ""
    tag: str = ""
    since: datetime | None = None
    until: datetime | None = None
    min_cost: float | None = None

    @property
    def has_filters(self) -> bool:
        named = (self.project_id, self.conversation_id, self.author_id, self.since, self.until, self.min_cost)
        return bool(self.model or self.tag) or any(value is not None for value in named)

    @property
    def is_about_messages(self) -> bool:
        """Narrowed by what only messages have: where, from whom, by which model, at which cost."""
        return bool(self.conversation_id or self.author_id or self.model or self.tag or self.min_cost is not None)


@dataclass(frozen=True, slots=True)
class SearchHit:
    """``snippet`` is text with U+E000 and U+E001 around matches: the page marks them, the API sends spans."""

    kind: str
    id: UUID
    title: str
    snippet: str
    url: str
    at: datetime
    rank: float
    extra: dict[str, Any]


class SearchSource(Protocol):
    """Hits come by falling ``rank``, then by falling ``at``: the lists of several sources are merged by these two.

    ``offset`` hits of that order are left out, then at most ``limit`` are given.
    """

    label: str | Promise

    def search(self, viewer: ActorRef, query: SearchQuery) -> Sequence[SearchHit]: ...


search_sources: Door[SearchSource] = Door("search source")
