"""Answers that come in pieces: a turn as server-sent events, an archive while it is packed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import StreamingHttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from apps.conversations import presentation, selectors
from apps.conversations.api.serializers import EventsQuery
from apps.core.api import APIView
from apps.live import sse


class TurnEventsView(APIView):
    """No thread and no connection is held while the stream is open: the view returns, the loop goes on."""

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:  # noqa: FBT001, FBT002  (REST framework's signature)
        return JSONRenderer(), "application/json"  # errors are problems; the stream is no matter of renderers

    @extend_schema(
        operation_id="turns_events",
        parameters=[EventsQuery],
        responses={(200, "text/event-stream"): OpenApiResponse(response=str, description="docs/live.md")},
    )
    def get(self, request: Request, turn_id: UUID) -> StreamingHttpResponse:
        query = EventsQuery.parse_query(request)
        viewer = request.actor
        turn = selectors.get_turn(turn_id=turn_id, viewer=viewer)

        def read() -> sse.TurnRow:
            found = selectors.get_turn(turn_id=turn_id, viewer=viewer)
            message = selectors.get_message(message_id=found.message_id, viewer=viewer)
            return sse.TurnRow(found.status, presentation.turn_data(found), presentation.message_data(message))

        return sse.turn_events(
            viewer=viewer,
            topic=f"conversation:{turn.conversation_id}",
            turn_id=turn_id,
            after=sse.resume_after(request.headers.get("Last-Event-ID"), str(query.get("after", ""))),
            read=read,
        )
