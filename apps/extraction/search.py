"""Records for the one search box: the newest that have one of the words, ranked by all of them."""

from __future__ import annotations

import re
from typing import Any

from django.contrib.postgres.search import SearchQuery as Words
from django.contrib.postgres.search import SearchRank
from django.db.models import F
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from apps.conversations.excerpts import excerpt
from apps.conversations.search import CANDIDATES
from apps.conversations.search_terms import terms, tsquery
from apps.core.doors.search_sources import SearchHit, SearchQuery
from apps.extraction import reach
from apps.extraction.models import Record

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class RecordSearch:
    """Registered as ``records``. What is asked about messages (author, model, tag, cost) finds none."""

    label = _("Records")

    def search(self, viewer: Any, query: SearchQuery) -> list[SearchHit]:
        words = terms(query.text)
        if not words or query.is_about_messages:
            return []
        # Asked first: with the rights in it, planning the search takes ten times as long as running it, and most have no collection.
        if not (seen := reach.list_ids(viewer)):
            return []
        wanted = Words(tsquery(words), search_type="raw", config="simple")
        rows = Record.objects.filter(collection__in=seen, deleted_at=None, words=wanted)
        if query.project_id:
            rows = rows.filter(project_id=query.project_id)
        if query.since:
            rows = rows.filter(updated_at__gte=query.since)
        if query.until:
            rows = rows.filter(updated_at__lte=query.until)
        newest = rows.order_by("-updated_at").values("pk")[:CANDIDATES]
        ranked = Record.objects.filter(pk__in=newest).select_related("collection").defer("words")
        vector: Any = F("words")
        ordered = ranked.annotate(rank=SearchRank(vector, wanted)).order_by("-rank", "-updated_at", "pk")
        return [_hit(row, words) for row in ordered[query.offset : query.offset + query.limit]]


def _hit(row: Any, words: list[str]) -> SearchHit:
    return SearchHit(
        kind="record",
        id=row.pk,
        title=row.title or row.collection.name,
        snippet=excerpt(_words_of(row), words),
        url=_address(row),
        at=row.updated_at,
        rank=float(row.rank),
        extra={"collection": str(row.collection_id), "collection_name": row.collection.name},
    )


def _words_of(row: Any) -> str:
    """What was written in it; ids, of records that it points to, are no words."""
    return " · ".join(line for line in row.text.split("\n") if not _ID.fullmatch(line))


def _address(row: Any) -> str:
    return reverse("extraction:record", kwargs={"record_id": row.pk})
