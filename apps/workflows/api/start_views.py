from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import APIView, Order, Page
from apps.workflows import presentation, selectors, services
from apps.workflows.api.serializers import DefinitionQuery, StartOut, StartPageOut
from apps.workflows.models import Start


def answer(start: Start) -> Response:
    last = selectors.last_runs_of([start]).get(start.pk)
    return Response(presentation.start_data(start, last))


class StartListView(APIView):
    @extend_schema(
        operation_id="workflows_starts",
        parameters=[DefinitionQuery],
        responses=StartPageOut,
        description="What begins runs by itself, as `schedule` of definitions says.",
    )
    def get(self, request: Request) -> Response:
        query = DefinitionQuery.parse_query(request)
        rows = selectors.list_starts(request.actor, project_id=query.get("project"))
        page = Page.of(rows, order=Order("created_at"), cursor=query.get("cursor"), limit=query["limit"])
        last = selectors.last_runs_of(page.results)
        return Response(page.answer(lambda start: presentation.start_data(start, last.get(start.pk))))


class StartView(APIView):
    @extend_schema(operation_id="workflows_start_read", responses=StartOut)
    def get(self, request: Request, workflow_id: UUID) -> Response:
        return answer(selectors.get_start(definition_id=workflow_id, viewer=request.actor))


class StartPauseView(APIView):
    @extend_schema(
        operation_id="workflows_start_pause",
        request=None,
        responses=StartOut,
        description="No run begins by itself until somebody switches it on. Those under way go on.",
    )
    def post(self, request: Request, workflow_id: UUID) -> Response:
        return answer(services.pause_start(actor=request.actor, definition_id=workflow_id))


class StartResumeView(APIView):
    @extend_schema(
        operation_id="workflows_start_resume",
        request=None,
        responses=StartOut,
        description="From now on, for who says so: runs act with their rights. What was missed is not made up for.",
    )
    def post(self, request: Request, workflow_id: UUID) -> Response:
        return answer(services.resume_start(actor=request.actor, definition_id=workflow_id))
