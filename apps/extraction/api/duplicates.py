"""Records that may be the same thing, over JSON: who they are, joining, separating, saying that they are two."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import APIView, Order, Page, PageQuery, expected_version
from apps.extraction import duplicates, joinings, selectors, services
from apps.extraction.api import duplicate_shapes as shapes


class DuplicateListView(APIView):
    @extend_schema(
        operation_id="duplicates_list", parameters=[shapes.DuplicateQuery], responses=shapes.DuplicatePageOut
    )
    def get(self, request: Request) -> Response:
        """Pairs that wait for somebody to decide, the likeliest first."""
        query = shapes.DuplicateQuery.parse_query(request)
        rows = joinings.list_duplicates(
            request.actor, project_id=query.get("project"), collection_id=query.get("collection")
        )
        page = Page.of(rows, order=Order("score"), cursor=query.get("cursor"), limit=query["limit"])
        return Response(page.answer(lambda row: shapes.DuplicateOut(row).data))


class RecordDuplicatesView(APIView):
    @extend_schema(operation_id="records_duplicates", responses=shapes.CandidateListOut)
    def get(self, request: Request, record_id: UUID) -> Response:
        """Looked up now, the likeliest first; without those that somebody said are another thing."""
        record = selectors.get_record(record_id=record_id, viewer=request.actor)
        collection = selectors.get_collection(collection_id=record.collection_id, viewer=request.actor)
        found = duplicates.find(collection, selectors.schema_of(collection), record.data, record_id=record.pk)
        return Response({"results": [each.as_json() for each in found]})


class RecordMergeView(APIView):
    @extend_schema(operation_id="records_merge", request=shapes.MergeIn, responses={201: shapes.MergeOut})
    def post(self, request: Request, record_id: UUID) -> Response:
        """The record of the address stays, the one in the body goes into it. ``If-Match`` is the version of the first."""
        data = shapes.MergeIn.parse(request)
        merge = services.merge_records(
            actor=request.actor,
            winner_id=record_id,
            loser_id=data["record"],
            changes=data.get("data"),
            expected_version=expected_version(request),
        )
        return Response(shapes.MergeOut(merge).data, status=201)


class RecordMergesView(APIView):
    @extend_schema(operation_id="records_merges", parameters=[PageQuery], responses=shapes.MergePageOut)
    def get(self, request: Request, record_id: UUID) -> Response:
        """What was joined into the record, and it into what, the newest first."""
        query = PageQuery.parse_query(request)
        record = selectors.get_record(record_id=record_id, viewer=request.actor, with_deleted=True)
        rows = joinings.list_merges(record, request.actor)
        page = Page.of(rows, order=Order("created_at"), cursor=query.get("cursor"), limit=query["limit"])
        return Response(page.answer(lambda row: shapes.MergeOut(row).data))


class RecordApartView(APIView):
    @extend_schema(operation_id="records_apart", request=shapes.ApartIn, responses={204: None})
    def post(self, request: Request, record_id: UUID) -> Response:
        """They are two things: nobody is asked about them again."""
        other = shapes.ApartIn.parse(request)["record"]
        services.keep_apart(actor=request.actor, record_id=record_id, other_id=other)
        return Response(status=204)


class MergeUndoView(APIView):
    @extend_schema(operation_id="record_merges_undo", request=None, responses=shapes.MergeOut)
    def post(self, request: Request, merge_id: UUID) -> Response:
        undone = services.undo_merge(actor=request.actor, merge_id=merge_id)
        return Response(shapes.MergeOut(undone).data)
