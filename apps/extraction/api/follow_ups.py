"""Questions about what is missing, over JSON."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import APIView, Order, Page
from apps.extraction import question_selectors, services
from apps.extraction.api import follow_up_serializers as shapes


class FollowUpListView(APIView):
    @extend_schema(operation_id="follow_ups_list", parameters=[shapes.FollowUpQuery], responses=shapes.FollowUpPageOut)
    def get(self, request: Request) -> Response:
        query = shapes.FollowUpQuery.parse_query(request)
        rows = question_selectors.list_follow_ups(
            request.actor,
            project_id=query.get("project"),
            conversation_id=query.get("conversation"),
            status=query.get("status", ""),
        )
        page = Page.of(rows, order=Order("created_at"), cursor=query.get("cursor"), limit=query["limit"])
        return Response(page.answer(lambda row: shapes.FollowUpOut(row).data))


class FollowUpView(APIView):
    @extend_schema(operation_id="follow_ups_read", responses=shapes.FollowUpOut)
    def get(self, request: Request, follow_up_id: UUID) -> Response:
        found = question_selectors.get_follow_up(follow_up_id=follow_up_id, viewer=request.actor)
        return Response(shapes.FollowUpOut(found).data)


class FollowUpAnswerView(APIView):
    @extend_schema(operation_id="follow_ups_answer", request=shapes.AnswerIn, responses=shapes.FollowUpOut)
    def post(self, request: Request, follow_up_id: UUID) -> Response:
        """In the conversation an answer is read out of the next messages; here it is given as it is."""
        data = shapes.AnswerIn.parse(request)
        row = services.answer_question(actor=request.actor, follow_up_id=follow_up_id, **data)
        return Response(shapes.FollowUpOut(row).data)


class FollowUpSkipView(APIView):
    @extend_schema(operation_id="follow_ups_skip", request=shapes.SkipIn, responses=shapes.FollowUpOut)
    def post(self, request: Request, follow_up_id: UUID) -> Response:
        data = shapes.SkipIn.parse(request)
        row = services.skip_question(actor=request.actor, follow_up_id=follow_up_id, field=data["field"])
        return Response(shapes.FollowUpOut(row).data)


class FollowUpAbandonView(APIView):
    @extend_schema(operation_id="follow_ups_abandon", request=None, responses=shapes.FollowUpOut)
    def post(self, request: Request, follow_up_id: UUID) -> Response:
        """Nothing more is asked about it. What was answered stays."""
        row = services.abandon_follow_up(actor=request.actor, follow_up_id=follow_up_id)
        return Response(shapes.FollowUpOut(row).data)
