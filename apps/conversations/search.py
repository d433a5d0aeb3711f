"""Messages and titles for the one search box: newest candidates first, terms joined by OR, ranked.

Measured: very common words cost 0.2 to 0.9 s at a million rows when every match is ranked, and AND finds nothing for most
natural questions. So the newest ``CANDIDATES`` matches are taken first and only those are ranked. Filters without words rank
nothing: they list the newest they leave.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import product
from typing import Any
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Case, QuerySet, When
from django.db.models import Value as Literal
from django.db.models.lookups import GreaterThan
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from apps.accounts import selectors as accounts
from apps.conversations import selectors
from apps.conversations.excerpts import excerpt, marked, written
from apps.conversations.models import Conversation
from apps.conversations.search_terms import pattern, terms, title_words, tsquery
from apps.conversations.selectors.titles import place_of, with_words
from apps.conversations.usage import COST_OF_ALL
from apps.core.compiled import Value
from apps.core.doors.search_sources import SearchHit, SearchQuery
from apps.core.folding import folded

CANDIDATES = 400
LEADING_TITLES = 5  # stand before all messages; the other titles come after what the words say in messages

# One branch for each organization and way to write the model: only with constants does the planner walk an index from its
# newest end and stop after enough rows ("= ANY" and OR made it sort half a million first: 1.7 s in place of 20 ms).
_BRANCH = """(
  SELECT m.id, m.conversation_id, m.number, m.content, m.created_at, m.author_id, m.role, m.words
  FROM {tables} WHERE {where} ORDER BY {newest}.created_at DESC LIMIT %(candidates)s
)"""

_RANKED = """
WITH candidates AS MATERIALIZED (
  SELECT * FROM ({branches}) AS every ORDER BY created_at DESC LIMIT %(candidates)s
)
SELECT found.id, found.conversation_id, found.number, found.created_at, found.author_id, found.role, found.rank,
  CASE WHEN octet_length(found.content) <= 20000 THEN found.content ELSE
    substr(found.content, greatest(regexp_instr(core_folded(found.content), %(place)s, 1, 1, 0, 'i') - 2000, 1), 20000)
  END, c.title
FROM (
  SELECT id, conversation_id, number, created_at, author_id, role, content,
    ts_rank(words, to_tsquery('simple'::regconfig, %(query)s)) AS rank
  FROM candidates ORDER BY rank DESC, created_at DESC, id LIMIT %(limit)s OFFSET %(offset)s
) AS found JOIN conversations_conversation c ON c.id = found.conversation_id
ORDER BY found.rank DESC, found.created_at DESC, found.id
"""

_NEWEST = """
SELECT found.*, c.title FROM (
  SELECT id, conversation_id, number, created_at, author_id, role, 0, left(content, 1000)
  FROM ({branches}) AS every ORDER BY created_at DESC, id LIMIT %(limit)s OFFSET %(offset)s
) AS found JOIN conversations_conversation c ON c.id = found.conversation_id
ORDER BY found.created_at DESC, found.id
"""


class MessageSearch:
    """Registered as ``messages``: what people and models said."""

    label = _("Messages")

    def search(self, viewer: Any, query: SearchQuery) -> list[SearchHit]:
        words = terms(query.text)
        if not words and (query.text or not query.has_filters):
            return []
        narrowed = _narrow(viewer, query, words)
        if not narrowed.branches:
            return []
        statement = (_RANKED if words else _NEWEST).format(branches=" UNION ALL ".join(narrowed.branches))
        with connection.cursor() as cursor:
            cursor.execute(statement, narrowed.values)
            rows = cursor.fetchall()
        address = _addresses()
        return [_message_hit(row, words, address(row[1])) for row in rows]


class TitleSearch:
    """Registered as ``titles``: conversations by name, or by what filters say about a conversation."""

    label = _("Conversations")

    def search(self, viewer: Any, query: SearchQuery) -> list[SearchHit]:
        is_about_messages = query.conversation_id or query.author_id or query.model or query.min_cost is not None
        if is_about_messages or not (query.text or query.has_filters):
            return []
        text = " ".join(query.text.split())[:200]
        words = title_words(text)
        if query.text and not words:
            return []
        given = {
            **{f"word{number}": word for number, word in enumerate(words)},
            "phrase": folded(text) if len(words) > 1 else "",
            "project": query.project_id,
            "since": query.since,
            "until": query.until,
        }
        values: dict[str, Any] = {name: value for name, value in given.items() if value}
        rows: Iterable[Conversation]
        if query.tag:  # a list is no plain value
            rows = _titled(viewer, query.limit, query.offset, query.tag, **values)
        else:
            rows = _by_title.fetch(viewer, query.limit, query.offset, **values)
        address = _addresses()
        return [_title_hit(row, words, place, address(row.pk)) for place, row in enumerate(rows, start=query.offset)]


def _titled(
    viewer: Any,
    limit: int,
    offset: int,
    tag: str = "",
    *,
    phrase: str = "",
    project: UUID | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    **words: str,
) -> QuerySet[Conversation]:
    """Those that hold the words in a row, as they are in the phrase, first; then the newest. ``in_a_row`` says of each whether it does."""
    rows = with_words(_conversations(viewer, project=project, tag=tag), *words.values())
    in_a_row = Case(When(GreaterThan(place_of(phrase), 0), then=True), default=False) if phrase else Literal(True)
    if since:
        rows = rows.filter(last_activity_at__gte=since)
    if until:
        rows = rows.filter(created_at__lte=until)
    rows = rows.annotate(in_a_row=in_a_row).only("title", "last_activity_at")
    return rows.order_by(*["-in_a_row"] * bool(phrase), "-last_activity_at", "-pk")[offset : offset + limit]


_by_title: accounts.ForViewer[Conversation] = accounts.ForViewer(_titled)


def _conversations(
    viewer: Any, *, project: UUID | None = None, conversation: UUID | None = None, tag: str = ""
) -> QuerySet[Conversation]:
    rows = selectors.visible_to(viewer)
    if project is not None:
        rows = rows.filter(project_id=project)
    if conversation is not None:
        rows = rows.filter(pk=conversation)
    if tag:
        rows = rows.filter(tags__contains=[tag])
    return rows


_visible_ids: accounts.ForViewer[Any] = accounts.ForViewer(
    lambda viewer, **which: _conversations(viewer, **which).order_by().values("pk")
)


def _visible(viewer: Any, query: SearchQuery) -> tuple[str, Sequence[Any]] | None:
    """The ids of the conversations to look through, as SQL. None: there are none."""
    given = {"project": query.project_id, "conversation": query.conversation_id}
    which: dict[str, Value] = {name: value for name, value in given.items() if value is not None}
    if not query.tag:
        return _visible_ids.statement(viewer, **which)
    try:
        rows = _conversations(viewer, tag=query.tag, project=query.project_id, conversation=query.conversation_id)
        return rows.order_by().values("pk").query.sql_with_params()
    except EmptyResultSet:
        return None


@dataclass(slots=True)
class _Narrowed:
    """What words and filters leave, as branches of one statement, and their values."""

    values: dict[str, Any] = field(default_factory=dict)
    branches: list[str] = field(default_factory=list)

    def name(self, value: Any) -> str:
        """A placeholder for the value."""
        self.values[f"v{len(self.values)}"] = value
        return f"%(v{len(self.values) - 1})s"


def _narrow(viewer: Any, query: SearchQuery, words: Sequence[str]) -> _Narrowed:
    """No branch when the viewer sees nothing that could match."""
    found = _Narrowed()
    if (looked_through := _visible(viewer, query)) is None:
        return found
    visible, parameters = looked_through
    clauses = [
        "m.deleted_at IS NULL",
        "NOT m.is_sensitive",
        f"m.conversation_id IN ({visible % tuple(found.name(value) for value in parameters)})",
    ]
    if query.author_id is not None:
        clauses.append(f"m.author_id = {found.name(query.author_id)}")
    if query.since is not None:
        clauses.append(f"m.created_at >= {found.name(query.since)}")
    if query.until is not None:
        clauses.append(f"m.created_at <= {found.name(query.until)}")
    clauses.append("m.words @@ to_tsquery('simple'::regconfig, %(query)s)" if words else "m.status <> 'pending'")
    tables = "conversations_message m"
    if query.model or query.min_cost is not None:
        tables += " JOIN conversations_turn t ON t.id = m.turn_id"
    for organization_id in accounts.list_organization_ids(viewer):
        organization = found.name(organization_id)
        own = [*clauses, f"m.organization_id = {organization}"]
        if "JOIN" in tables:
            own.append(f"t.organization_id = {organization}")
        for model, cost in product(_models(found, query.model), _costs(found, query.min_cost)):
            where = " AND ".join([*own, *model, *cost])
            found.branches.append(_BRANCH.format(tables=tables, where=where, newest="t" if model else "m"))
    found.values |= {"limit": query.limit, "offset": query.offset}
    if words:
        found.values |= {"query": tsquery(words), "place": pattern(words)}
    found.values["candidates"] = CANDIDATES if words else query.limit + query.offset
    return found


def _models(found: _Narrowed, written: str) -> list[list[str]]:
    """The ways to read a model: a bare name, which may hold slashes itself, or ``provider/name``."""
    if not written:
        return [[]]
    provider, _slash, name = written.partition("/")
    bare = [f"t.model_name = {found.name(written)}"]
    if not name:
        return [bare]
    return [bare, [f"t.model_name = {found.name(name)}", f"t.provider_name = {found.name(provider)}"]]


def _costs(found: _Narrowed, least: float | None) -> list[list[str]]:
    """Answers whose last turn alone cost so much, by its index; and those whose turns did together, which few have."""
    if least is None:
        return [[]]
    name = found.name(Decimal(str(least)))
    together = ["t.has_others", f"(t.cost >= {name}) IS NOT TRUE", f"{COST_OF_ALL} >= {name}"]
    return [[f"t.cost >= {name}"], together]


def _addresses() -> Callable[[UUID], str]:
    """Of the pages of many conversations: the address is looked up once."""
    pattern = reverse("conversations:page", kwargs={"conversation_id": UUID(int=0)})
    return lambda conversation_id: pattern.replace(str(UUID(int=0)), str(conversation_id))


def _message_hit(row: Sequence[Any], words: Sequence[str], address: str) -> SearchHit:
    pk, conversation_id, number, created_at, author_id, role, rank, content, title = row
    return SearchHit(
        kind="message",
        id=pk,
        title=title,
        snippet=excerpt(content, words),
        url=f"{address}?message={pk}#m-{pk}",
        at=created_at,
        rank=float(rank),
        extra={"conversation": str(conversation_id), "position": number, "author": author_id, "role": role},
    )


def _title_hit(row: Conversation, words: Sequence[str], place: int, address: str) -> SearchHit:
    title = unicodedata.normalize("NFC", row.title)
    sought = re.compile("|".join(map(written, words)), re.IGNORECASE)
    is_leading, in_a_row = place < LEADING_TITLES, row.in_a_row  # type: ignore[attr-defined]
    return SearchHit(
        kind="conversation",
        id=row.pk,
        title=marked(title, sought) if words else title,
        snippet="",
        url=address,
        at=row.last_activity_at,
        rank=(2.0 if in_a_row else 1.5) if is_leading else (0.0 if in_a_row else -1.0),
        extra={"conversation": str(row.pk)},
    )
