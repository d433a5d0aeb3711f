from __future__ import annotations

from functools import partial
from uuid import UUID

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.types import Actor
from apps.bulk import selectors, services
from apps.bulk.api.serializers import (
    ItemPageOut,
    ItemQuery,
    JobStatsOut,
    KindListOut,
    OperationDetailOut,
    OperationIn,
    OperationOut,
    OperationPageOut,
    OperationQuery,
    PaceIn,
    ResultsQuery,
    StatsOut,
    StatsQuery,
    stats_out,
)
from apps.bulk.downloads import as_file
from apps.bulk.models import Operation
from apps.bulk.presentation import causes_data, item_data, operation_data, reads_items
from apps.core.api import APIView, Order, Page
from apps.core.doors.bulk_kinds import bulk_kinds


def detail(operation: Operation, viewer: Actor) -> dict[str, object]:
    return {
        **operation_data(operation, viewer, with_samples=True),
        "causes": causes_data(operation, viewer),
        "skips": selectors.list_skips(operation),
    }


class OperationListView(APIView):
    @extend_schema(operation_id="bulk_operations_list", parameters=[OperationQuery], responses=OperationPageOut)
    def get(self, request: Request) -> Response:
        query = OperationQuery.parse_query(request)
        rows = selectors.list_operations(
            request.actor,
            project_id=query.get("project"),
            kind=query.get("kind", ""),
            status=query.get("status", ""),
        )
        page = Page.of(rows, order=Order("created_at"), cursor=query.get("cursor"), limit=query["limit"])
        return Response(page.answer(partial(operation_data, viewer=request.actor)))

    @extend_schema(operation_id="bulk_operations_create", request=OperationIn, responses={202: OperationOut})
    def post(self, request: Request) -> Response:
        data = OperationIn.parse(request)
        operation = services.create_operation(actor=request.actor, project_id=data.pop("project"), **data)
        return Response(operation_data(operation, request.actor), status=202)


class OperationView(APIView):
    @extend_schema(operation_id="bulk_operations_read", responses=OperationDetailOut)
    def get(self, request: Request, operation_id: UUID) -> Response:
        operation = selectors.get_operation(operation_id=operation_id, viewer=request.actor)
        return Response(detail(operation, request.actor))

    @extend_schema(operation_id="bulk_operations_change", request=PaceIn, responses=OperationOut)
    def patch(self, request: Request, operation_id: UUID) -> Response:
        operation = services.change_pace(actor=request.actor, operation_id=operation_id, changes=PaceIn.parse(request))
        return Response(operation_data(operation, request.actor))


class OperationItemsView(APIView):
    @extend_schema(operation_id="bulk_operations_items", parameters=[ItemQuery], responses=ItemPageOut)
    def get(self, request: Request, operation_id: UUID) -> Response:
        query = ItemQuery.parse_query(request)
        operation = selectors.get_operation(operation_id=operation_id, viewer=request.actor)
        rows = selectors.list_items(
            operation,
            status=query.get("status", ""),
            error_code=query.get("code", ""),
            reason=query.get("reason", ""),
        )
        order = Order("number", descending=False)
        page = Page.of(rows, order=order, cursor=query.get("cursor"), limit=query["limit"])
        return Response(page.answer(partial(item_data, sees=reads_items(request.actor, operation))))


class OperationResultsView(APIView):
    @extend_schema(
        operation_id="bulk_operations_results",
        parameters=[ResultsQuery],
        responses={
            (200, "application/x-ndjson"): OpenApiResponse(OpenApiTypes.STR, description="One JSON object a line"),
            (200, "text/csv"): OpenApiResponse(OpenApiTypes.STR, description="A table; nothing in it is a formula"),
        },
    )
    def get(self, request: Request, operation_id: UUID) -> HttpResponseBase:
        query = ResultsQuery.parse_query(request)
        operation = selectors.get_operation(operation_id=operation_id, viewer=request.actor)
        sees = reads_items(request.actor, operation)
        return as_file(request._request, operation, file_format=query["format"], of=query["of"], sees=sees)  # noqa: SLF001


class OperationStartView(APIView):
    @extend_schema(operation_id="bulk_operations_start", request=None, responses={202: OperationOut})
    def post(self, request: Request, operation_id: UUID) -> Response:
        operation = services.start_operation(actor=request.actor, operation_id=operation_id)
        return Response(operation_data(operation, request.actor), status=202)


class OperationPauseView(APIView):
    @extend_schema(operation_id="bulk_operations_pause", request=None, responses={202: OperationOut})
    def post(self, request: Request, operation_id: UUID) -> Response:
        operation = services.pause_operation(actor=request.actor, operation_id=operation_id)
        return Response(operation_data(operation, request.actor), status=202)


class OperationResumeView(APIView):
    @extend_schema(operation_id="bulk_operations_resume", request=None, responses={202: OperationOut})
    def post(self, request: Request, operation_id: UUID) -> Response:
        operation = services.resume_operation(actor=request.actor, operation_id=operation_id)
        return Response(operation_data(operation, request.actor), status=202)


class OperationCancelView(APIView):
    @extend_schema(operation_id="bulk_operations_cancel", request=None, responses={202: OperationOut})
    def post(self, request: Request, operation_id: UUID) -> Response:
        operation = services.cancel_operation(actor=request.actor, operation_id=operation_id)
        return Response(operation_data(operation, request.actor), status=202)


class OperationRetryView(APIView):
    @extend_schema(operation_id="bulk_operations_retry", request=None, responses={202: OperationOut})
    def post(self, request: Request, operation_id: UUID) -> Response:
        operation = services.retry_failed(actor=request.actor, operation_id=operation_id)
        return Response(operation_data(operation, request.actor), status=202)


class OperationUndoView(APIView):
    @extend_schema(
        operation_id="bulk_operations_undo",
        request=None,
        responses={202: OperationOut},
        description="Answers with the new operation that takes the other back; its `undoes` names it.",
    )
    def post(self, request: Request, operation_id: UUID) -> Response:
        operation = services.undo_operation(actor=request.actor, operation_id=operation_id)
        return Response(operation_data(operation, request.actor), status=202)


class JobListView(APIView):
    @extend_schema(operation_id="jobs_list", responses=KindListOut, description="The kinds of operations there are.")
    def get(self, request: Request) -> Response:
        kinds = [
            {
                "kind": kind.name,
                "label": str(kind.label),
                "description": str(kind.description),
                "can_undo": kind.undo is not None,
                "is_outside": kind.is_outside,
                "is_exclusive": kind.is_exclusive,
            }
            for kind in sorted(bulk_kinds, key=lambda kind: kind.name)
        ]
        return Response({"results": kinds})


class JobStatsView(APIView):
    @extend_schema(
        operation_id="jobs_stats",
        parameters=[StatsQuery],
        responses=StatsOut,
        description="Of the operations of the last 30 days that one may see, by kind; beside them the platform's own jobs.",
    )
    def get(self, request: Request) -> Response:
        query = StatsQuery.parse_query(request)
        rows = selectors.stats_kinds(request.actor, project_id=query.get("project"))
        jobs = selectors.stats_jobs(request.actor)
        return Response({"results": [stats_out(row) for row in rows], "jobs": JobStatsOut(jobs, many=True).data})
