"""Messages and titles for the one search box: newest candidates first, terms joined by OR, ranked.

Measured: very common words cost 0.2 to 0.9 s at a million rows when every match is ranked, and AND finds nothing for most
natural questions. So the newest ``CANDIDATES`` matches are taken first and only those are ranked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from apps.conversations import selectors
from apps.conversations.models import Conversation
from apps.core.doors.search_sources import SearchHit, SearchQuery

CANDIDATES = 400
MAX_TERMS = 12
MARKS = ("\ue000", "\ue001")
# Words that say nothing about a message; left out unless the query has no others. English and German.
STOP = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "but",
        "by",
        "for",
        "from",
        "has",
        "have",
        "he",
        "her",
        "his",
        "how",
        "i",
        "if",
        "in",
        "is",
        "it",
        "its",
        "me",
        "my",
        "not",
        "of",
        "on",
        "or",
        "our",
        "she",
        "so",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "they",
        "this",
        "to",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "who",
        "why",
        "will",
        "with",
        "you",
        "your",
        "aber",
        "als",
        "am",
        "an",
        "auch",
        "auf",
        "aus",
        "bei",
        "das",
        "dass",
        "dem",
        "den",
        "der",
        "des",
        "die",
        "du",
        "ein",
        "eine",
        "einem",
        "einen",
        "einer",
        "er",
        "es",
        "für",
        "haben",
        "hat",
        "ich",
        "ihr",
        "im",
        "in",
        "ist",
        "ja",
        "kann",
        "kein",
        "mit",
        "nach",
        "nicht",
        "noch",
        "nur",
        "oder",
        "sein",
        "sich",
        "sie",
        "sind",
        "so",
        "und",
        "uns",
        "von",
        "war",
        "was",
        "wenn",
        "wer",
        "wie",
        "wir",
        "wird",
        "zu",
        "zum",
        "zur",
    ]
)
_WORD = re.compile(r"\w+")


def terms(text: str) -> list[str]:
    words = list(dict.fromkeys(_WORD.findall(text.lower())))[: MAX_TERMS * 3]
    telling = [word for word in words if word not in STOP]
    return (telling or words)[:MAX_TERMS]


def tsquery(words: Sequence[str]) -> str:
    """Terms joined by OR; the last one as a prefix, since it may still be being typed."""
    quoted = ["'" + word.replace("'", "''").replace("\\", "\\\\") + "'" for word in words]
    return " | ".join([*quoted[:-1], quoted[-1] + ":*"])


_SQL = """
WITH candidates AS MATERIALIZED (
  SELECT m.id, m.conversation_id, m.number, m.content, m.created_at, m.author_id, m.role, m.words
  FROM conversations_message m
  {joins}
  WHERE m.organization_id = ANY(%(organizations)s) AND m.words @@ %(query)s::tsquery AND m.deleted_at IS NULL
    AND m.conversation_id IN ({visible})
    {filters}
  ORDER BY m.created_at DESC
  LIMIT %(candidates)s
)
SELECT id, conversation_id, number, created_at, author_id, role, ts_rank(words, %(query)s::tsquery) AS rank,
  ts_headline('simple', left(content, 20000), %(query)s::tsquery,
    'StartSel=\ue000, StopSel=\ue001, MaxFragments=2, MaxWords=24, MinWords=8') AS snippet
FROM candidates ORDER BY rank DESC, created_at DESC LIMIT %(limit)s OFFSET %(offset)s
"""


class MessageSearch:
    """Registered as ``messages``: words of messages, and titles."""

    label = _("Messages")

    def search(self, viewer: Any, query: SearchQuery) -> list[SearchHit]:
        words = terms(query.text)
        if not words:
            return []
        hits = self._messages(viewer, query, tsquery(words))
        if query.conversation_id is None and query.author_id is None and not query.offset:
            hits = self._titles(viewer, query) + hits
        return hits[: query.limit]

    def _messages(self, viewer: Any, query: SearchQuery, ts: str) -> list[SearchHit]:
        visible = self._conversations(viewer, query)
        organizations = list(visible.order_by().values_list("organization_id", flat=True).distinct())
        if not organizations:
            return []
        visible_sql, visible_parameters = visible.values("pk").query.sql_with_params()
        filters, parameters = self._filters(query)
        joins = (
            "LEFT JOIN conversations_turn t ON t.id = m.turn_id" if query.min_cost is not None or query.model else ""
        )
        names = {f"v{position}": value for position, value in enumerate(visible_parameters)}
        visible_named = visible_sql % tuple(f"%(v{position})s" for position in range(len(visible_parameters)))
        sql = _SQL.format(joins=joins, visible=visible_named, filters=filters)
        with connection.cursor() as cursor:
            cursor.execute(
                sql,
                {
                    **names,
                    **parameters,
                    "organizations": organizations,
                    "query": ts,
                    "candidates": CANDIDATES,
                    "limit": query.limit,
                    "offset": query.offset,
                },
            )
            rows = cursor.fetchall()
        titles = dict(Conversation.objects.filter(pk__in={row[1] for row in rows}).values_list("pk", "title"))
        return [self._hit(row, titles) for row in rows]

    def _conversations(self, viewer: Any, query: SearchQuery) -> Any:
        rows = selectors.visible_to(viewer)
        if query.project_id is not None:
            rows = rows.filter(project_id=query.project_id)
        if query.conversation_id is not None:
            rows = rows.filter(pk=query.conversation_id)
        if query.tag:
            rows = rows.filter(tags__contains=[query.tag])
        return rows

    def _filters(self, query: SearchQuery) -> tuple[str, dict[str, Any]]:
        clauses: list[str] = []
        parameters: dict[str, Any] = {}
        for clause, name, value in (
            ("m.author_id = %(author)s", "author", query.author_id),
            ("m.created_at >= %(since)s", "since", query.since),
            ("m.created_at <= %(until)s", "until", query.until),
            ("t.model_name = %(model)s", "model", query.model or None),
            ("t.cost >= %(min_cost)s", "min_cost", query.min_cost),
        ):
            if value is not None:
                clauses.append(f"AND {clause}")
                parameters[name] = value
        return " ".join(clauses), parameters

    def _hit(self, row: Sequence[Any], titles: dict[UUID, str]) -> SearchHit:
        pk, conversation_id, number, created_at, author_id, role, rank, snippet = row
        return SearchHit(
            kind="message",
            id=pk,
            title=titles.get(conversation_id, ""),
            snippet=snippet,
            url=reverse("conversations:page", kwargs={"conversation_id": conversation_id}) + f"?message={pk}#m-{pk}",
            at=created_at,
            rank=float(rank),
            extra={"conversation": str(conversation_id), "position": number, "author": author_id, "role": role},
        )

    def _titles(self, viewer: Any, query: SearchQuery) -> list[SearchHit]:
        if query.model or query.min_cost is not None:
            return []
        rows = self._conversations(viewer, query).filter(title__icontains=query.text.strip()[:100])
        if query.since:
            rows = rows.filter(last_activity_at__gte=query.since)
        if query.until:
            rows = rows.filter(created_at__lte=query.until)
        return [
            SearchHit(
                kind="conversation",
                id=row.pk,
                title=row.title,
                snippet=row.title,
                url=reverse("conversations:page", kwargs={"conversation_id": row.pk}),
                at=row.last_activity_at,
                rank=2.0,
                extra={"conversation": str(row.pk)},
            )
            for row in rows.order_by("-last_activity_at")[:5]
        ]
