"""``search/``: every source that is registered, over JSON."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from django.core import signing
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import APIView
from apps.core.doors.search_sources import SearchHit, SearchQuery, search_sources
from apps.core.errors import FieldError, Invalid
from apps.web.api.serializers import HitsOut, SearchIn

_SALT = "parlance.search"
_BEGIN, _END = "\ue000", "\ue001"
FURTHEST = 2000  # ranking reads what it skips: deeper pages cost more and nobody reads them


class SearchView(APIView):
    @extend_schema(
        operation_id="search",
        tags=["search"],
        parameters=[SearchIn],
        responses=HitsOut,
        description="Words in messages and titles. What fits best comes first; terms are joined by OR.",
    )
    def get(self, request: Request) -> Response:
        data = SearchIn.parse_query(request)
        offset = _offset(data.get("cursor"))
        limit = data["limit"]
        query = SearchQuery(
            text=data["q"],
            limit=limit + 1,
            offset=offset,
            project_id=data.get("project"),
            conversation_id=data.get("conversation"),
            author_id=data.get("author"),
            model=data.get("model", ""),
            tag=data.get("tag", ""),
            since=data.get("since"),
            until=data.get("until"),
            min_cost=data.get("min_cost"),
        )
        found = [hit for source in search_sources for hit in source.search(request.actor, query)]
        hits = sorted(found, key=lambda hit: -hit.rank)
        has_next = len(hits) > limit and offset + limit < FURTHEST
        return Response(
            {
                "results": [_hit(hit) for hit in hits[:limit]],
                "next": _cursor(offset + limit) if has_next else None,
                "previous": _cursor(max(offset - limit, 0)) if offset else None,
            }
        )


def _cursor(offset: int) -> str:
    return signing.dumps(offset, salt=_SALT)


def _offset(cursor: str | None) -> int:
    if not cursor:
        return 0
    try:
        return int(signing.loads(cursor, salt=_SALT))
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise Invalid(fields=[FieldError("cursor", "invalid", _("Take the cursor from the last answer."))]) from error


def _hit(hit: SearchHit) -> dict[str, Any]:
    snippet, spans = _split(hit.snippet)
    return {
        "kind": hit.kind,
        "id": hit.id,
        "title": hit.title.replace(_BEGIN, "").replace(_END, ""),
        "snippet": snippet,
        "spans": spans,
        "url": hit.url,
        "at": hit.at,
        **{name: hit.extra.get(name) for name in ("conversation", "position", "role", "author")},
    }


def _split(marked: str) -> tuple[str, list[list[int]]]:
    """Text without the marks, and where they stood: marks inside the text would be the client's to escape."""
    edges: list[int] = []
    text = ""
    for piece in marked.replace(_END, _BEGIN).split(_BEGIN):
        text += piece
        edges.append(len(text))
    spans = [[start, end] for start, end in pairwise(edges)]
    return text, spans[::2]
