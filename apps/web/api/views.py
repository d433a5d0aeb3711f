"""``search/``: every source that is registered, over JSON."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import APIView
from apps.core.doors.search_sources import SearchHit, SearchQuery
from apps.core.errors import FieldError, Invalid
from apps.web.api.serializers import HitsOut, SearchIn
from apps.web.finding import find, read_cursor

_BEGIN, _END = "\ue000", "\ue001"


class SearchView(APIView):
    @extend_schema(
        operation_id="search",
        tags=["search"],
        parameters=[SearchIn],
        responses=HitsOut,
        description="Words in messages, titles and records, filters, or both. With words what fits best comes first (terms are "
        "joined by OR); with filters alone the newest.",
    )
    def get(self, request: Request) -> Response:
        data = SearchIn.parse_query(request)
        cursor = read_cursor(data.get("cursor"))
        if cursor is None:
            raise Invalid(fields=[FieldError("cursor", "invalid", _("Take the cursor from the last answer."))])
        query = SearchQuery(
            text=data["q"],
            limit=data["limit"],
            project_id=data.get("project"),
            conversation_id=data.get("conversation"),
            author_id=data.get("author"),
            model=data.get("model", ""),
            tag=data.get("tag", ""),
            since=data.get("since"),
            until=data.get("until"),
            min_cost=data.get("min_cost"),
        )
        if not query.text and not query.has_filters:
            raise Invalid(fields=[FieldError("q", "required", _("Give words or a filter."))])
        found = find(request.actor, query, cursor)
        return Response({"results": [_hit(hit) for hit in found.hits], "next": found.next, "previous": found.previous})


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
