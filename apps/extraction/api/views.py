"""Collections and records over JSON: find, parse, call, render."""

from __future__ import annotations

from uuid import UUID

from django.utils.translation import get_language
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.zones import in_zone_of
from apps.core.api import APIView, Order, Page, PageQuery, etag, expected_version
from apps.extraction import filters, joinings, orders, selectors, services
from apps.extraction.api import duplicate_shapes, source_shapes
from apps.extraction.api import serializers as shapes
from apps.extraction.api.review_serializers import AcceptAllQuery, AllAcceptedOut, ProposalAcceptIn


class CollectionListView(APIView):
    @extend_schema(
        operation_id="collections_list", parameters=[shapes.CollectionQuery], responses=shapes.CollectionPageOut
    )
    def get(self, request: Request) -> Response:
        query = shapes.CollectionQuery.parse_query(request)
        rows = selectors.list_collections(request.actor, project_id=query.get("project"))
        page = Page.of(rows, order=Order("name", descending=False), cursor=query.get("cursor"), limit=query["limit"])
        return Response(page.answer(lambda row: shapes.CollectionOut(row).data))

    @extend_schema(
        operation_id="collections_create", request=shapes.CollectionIn, responses={201: shapes.CollectionOut}
    )
    def post(self, request: Request) -> Response:
        data = shapes.CollectionIn.parse(request)
        made = services.create_collection(actor=request.actor, project_id=data.pop("project"), **data)
        return Response(shapes.CollectionOut(made).data, status=201, headers={"ETag": etag(made.version)})


class CollectionView(APIView):
    @extend_schema(operation_id="collections_read", responses=shapes.CollectionOut)
    def get(self, request: Request, collection_id: UUID) -> Response:
        found = selectors.get_collection(collection_id=collection_id, viewer=request.actor)
        return Response(shapes.CollectionOut(found).data, headers={"ETag": etag(found.version)})

    @extend_schema(operation_id="collections_change", request=shapes.CollectionChangeIn, responses=shapes.CollectionOut)
    def patch(self, request: Request, collection_id: UUID) -> Response:
        changed = services.change_collection(
            actor=request.actor,
            collection_id=collection_id,
            changes=shapes.CollectionChangeIn.parse(request),
            expected_version=expected_version(request),
        )
        return Response(shapes.CollectionOut(changed).data, headers={"ETag": etag(changed.version)})

    @extend_schema(operation_id="collections_delete", request=None, responses={204: None})
    def delete(self, request: Request, collection_id: UUID) -> Response:
        services.delete_collection(
            actor=request.actor, collection_id=collection_id, expected_version=expected_version(request)
        )
        return Response(status=204)


class CollectionRestoreView(APIView):
    @extend_schema(operation_id="collections_restore", request=None, responses=shapes.CollectionOut)
    def post(self, request: Request, collection_id: UUID) -> Response:
        back = services.restore_collection(actor=request.actor, collection_id=collection_id)
        return Response(shapes.CollectionOut(back).data, headers={"ETag": etag(back.version)})


class CollectionSchemasView(APIView):
    @extend_schema(operation_id="collections_schemas", responses=shapes.SchemaListOut)
    def get(self, request: Request, collection_id: UUID) -> Response:
        """The newest 100, the newest first."""
        found = selectors.get_collection(collection_id=collection_id, viewer=request.actor)
        rows = selectors.list_schemas(found)[:100]
        return Response({"results": shapes.SchemaOut(rows, many=True).data})


class RecordListView(APIView):
    @extend_schema(operation_id="records_list", parameters=[shapes.RecordQuery], responses=shapes.RecordPageOut)
    def get(self, request: Request) -> Response:
        query = shapes.RecordQuery.parse_query(request)
        collection = selectors.get_collection(collection_id=query["collection"], viewer=request.actor)
        with in_zone_of(request.actor):
            rows = selectors.list_records(
                collection=collection,
                conditions=[filters.read(raw) for raw in request.query_params.getlist("where")],
                text=query.get("q", ""),
                is_complete=query["complete"],
                is_behind=query["behind"],
            )
        page = orders.page_of(collection, rows, sort=query["sort"], cursor=query.get("cursor"), limit=query["limit"])
        shown = shapes.RecordOut(
            page.results, many=True
        ).data  # one serializer for all: making one a row takes longer than reading it
        return Response({"results": shown, "next": page.next, "previous": page.previous})

    @extend_schema(
        operation_id="records_create",
        parameters=[duplicate_shapes.OnDuplicateQuery],
        request=shapes.RecordIn,
        responses={201: duplicate_shapes.TakenOut, 200: duplicate_shapes.TakenOut},
    )
    def post(self, request: Request) -> Response:
        """200 with the record that was there when the new one went into it."""
        query, data = duplicate_shapes.OnDuplicateQuery.parse_query(request), shapes.RecordIn.parse(request)
        taken = services.take_record(
            actor=request.actor,
            collection_id=data["collection"],
            data=data["data"],
            on_duplicate=query["on_duplicate"],
        )
        return Response(
            duplicate_shapes.TakenOut(taken).data,
            status=201 if taken.is_new else 200,
            headers={"ETag": etag(taken.record.version)},
        )


class RecordView(APIView):
    @extend_schema(operation_id="records_read", responses=shapes.RecordOut)
    def get(self, request: Request, record_id: UUID) -> Response:
        """Also one that was joined into another: ``merged_into`` names that."""
        found = joinings.get_record_or_merged(record_id=record_id, viewer=request.actor)
        return Response(shapes.RecordOut(found).data, headers={"ETag": etag(found.version)})

    @extend_schema(operation_id="records_change", request=shapes.RecordChangeIn, responses=shapes.RecordOut)
    def patch(self, request: Request, record_id: UUID) -> Response:
        changed = services.change_record(
            actor=request.actor,
            record_id=record_id,
            changes=shapes.RecordChangeIn.parse(request)["data"],
            expected_version=expected_version(request),
        )
        return Response(shapes.RecordOut(changed).data, headers={"ETag": etag(changed.version)})

    @extend_schema(operation_id="records_delete", request=None, responses={204: None})
    def delete(self, request: Request, record_id: UUID) -> Response:
        services.delete_record(actor=request.actor, record_id=record_id, expected_version=expected_version(request))
        return Response(status=204)


class RecordRestoreView(APIView):
    @extend_schema(operation_id="records_restore", request=None, responses=shapes.RecordOut)
    def post(self, request: Request, record_id: UUID) -> Response:
        back = services.restore_record(actor=request.actor, record_id=record_id)
        return Response(shapes.RecordOut(back).data, headers={"ETag": etag(back.version)})


class RecordHistoryView(APIView):
    @extend_schema(operation_id="records_history", parameters=[PageQuery], responses=shapes.RevisionPageOut)
    def get(self, request: Request, record_id: UUID) -> Response:
        """Also of a record that was deleted: what it was until then."""
        query = PageQuery.parse_query(request)
        record = selectors.get_record(record_id=record_id, viewer=request.actor, with_deleted=True)
        rows = selectors.list_revisions(record)
        page = Page.of(rows, order=Order("number"), cursor=query.get("cursor"), limit=query["limit"])
        return Response(page.answer(lambda row: shapes.RevisionOut(row).data))


class RecordSetBackView(APIView):
    @extend_schema(operation_id="records_set_back", request=shapes.SetBackIn, responses=shapes.RecordOut)
    def post(self, request: Request, record_id: UUID) -> Response:
        changed = services.set_back_record(
            actor=request.actor,
            record_id=record_id,
            number=shapes.SetBackIn.parse(request)["number"],
            expected_version=expected_version(request),
        )
        return Response(shapes.RecordOut(changed).data, headers={"ETag": etag(changed.version)})


class RecordSourcesView(APIView):
    @extend_schema(operation_id="records_sources", responses=source_shapes.SourceListOut)
    def get(self, request: Request, record_id: UUID) -> Response:
        """Of the fields that still say what the words said."""
        record = selectors.get_record(record_id=record_id, viewer=request.actor)
        return Response({"results": source_shapes.SourceOut(selectors.sources_of(record), many=True).data})


class ExtractionListView(APIView):
    @extend_schema(
        operation_id="extractions_list", parameters=[shapes.ExtractionQuery], responses=shapes.ExtractionPageOut
    )
    def get(self, request: Request) -> Response:
        query = shapes.ExtractionQuery.parse_query(request)
        rows = selectors.list_runs(request.actor, project_id=query.get("project"))
        page = Page.of(rows, order=Order("created_at"), cursor=query.get("cursor"), limit=query["limit"])
        return Response(page.answer(lambda row: shapes.ExtractionOut(row).data))

    @extend_schema(
        operation_id="extractions_create", request=shapes.ExtractionIn, responses={202: shapes.ExtractionOut}
    )
    def post(self, request: Request) -> Response:
        data = shapes.ExtractionIn.parse(request)
        chosen = data.get("selection")
        run = services.request_extraction(
            actor=request.actor,
            project_id=data["project"],
            collections=data.get("collections", ()),
            conversation_id=data.get("conversation"),
            message_id=data.get("message"),
            file_id=data.get("attachment"),
            selection=(chosen["start"], chosen["end"]) if chosen else None,
            model=data.get("model", ""),
            language=get_language() or "en",
        )
        return Response(shapes.ExtractionOut(run).data, status=202)


class ExtractionView(APIView):
    @extend_schema(operation_id="extractions_read", responses=shapes.ExtractionOut)
    def get(self, request: Request, run_id: UUID) -> Response:
        return Response(shapes.ExtractionOut(selectors.get_run(run_id=run_id, viewer=request.actor)).data)


class ExtractionRetryView(APIView):
    @extend_schema(operation_id="extractions_retry", request=None, responses={202: shapes.ExtractionOut})
    def post(self, request: Request, run_id: UUID) -> Response:
        """The same words again, after a failure."""
        run = services.retry_extraction(actor=request.actor, run_id=run_id)
        return Response(shapes.ExtractionOut(run).data, status=202)


class ExtractionStopView(APIView):
    @extend_schema(operation_id="extractions_stop", request=None, responses={202: shapes.ExtractionOut})
    def post(self, request: Request, run_id: UUID) -> Response:
        """No piece of a long text is begun any more; when the one that is being read has ended, what was read is suggested."""
        run = services.stop_extraction(actor=request.actor, run_id=run_id)
        return Response(shapes.ExtractionOut(run).data, status=202)


class ExtractionResumeView(APIView):
    @extend_schema(operation_id="extractions_resume", request=None, responses={202: shapes.ExtractionOut})
    def post(self, request: Request, run_id: UUID) -> Response:
        """Read on where a long text was left: it was stopped, or a quota, a budget, an hour or a provider ended it."""
        run = services.resume_extraction(actor=request.actor, run_id=run_id)
        return Response(shapes.ExtractionOut(run).data, status=202)


class ExtractionAcceptView(APIView):
    @extend_schema(
        operation_id="extractions_accept", request=None, parameters=[AcceptAllQuery], responses=AllAcceptedOut
    )
    def post(self, request: Request, run_id: UUID) -> Response:
        """All suggestions that are pending, as they are, for some seconds at a time. What cannot be taken waits on."""
        after = AcceptAllQuery.parse_query(request)["after"]
        done = services.accept_all(actor=request.actor, run_id=run_id, after=after)
        left = [{"proposal": pk, "code": code, "detail": detail} for pk, code, detail in done.left]
        return Response(AllAcceptedOut({"records": done.records, "left": left, "next": done.rest}).data)


class ProposalListView(APIView):
    @extend_schema(operation_id="proposals_list", parameters=[shapes.ProposalQuery], responses=shapes.ProposalPageOut)
    def get(self, request: Request) -> Response:
        query = shapes.ProposalQuery.parse_query(request)
        rows = selectors.list_proposals(
            request.actor, project_id=query.get("project"), run_id=query.get("run"), status=query.get("status", "")
        )
        page = Page.of(rows, order=Order("created_at"), cursor=query.get("cursor"), limit=query["limit"])
        return Response(page.answer(lambda row: shapes.ProposalOut(row).data))


class ProposalView(APIView):
    @extend_schema(operation_id="proposals_read", responses=shapes.ProposalOut)
    def get(self, request: Request, proposal_id: UUID) -> Response:
        found = selectors.get_proposal(proposal_id=proposal_id, viewer=request.actor)
        return Response(shapes.ProposalOut(found).data)


class ProposalAcceptView(APIView):
    @extend_schema(
        operation_id="proposals_accept",
        parameters=[duplicate_shapes.OnDuplicateQuery],
        request=ProposalAcceptIn,
        responses={201: shapes.RecordOut},
    )
    def post(self, request: Request, proposal_id: UUID) -> Response:
        query, data = duplicate_shapes.OnDuplicateQuery.parse_query(request), ProposalAcceptIn.parse(request)
        record = services.accept_proposal(
            actor=request.actor,
            proposal_id=proposal_id,
            changes=data.get("data"),
            into=data.get("into"),
            on_duplicate=query["on_duplicate"],
        )
        return Response(shapes.RecordOut(record).data, status=201, headers={"ETag": etag(record.version)})


class ProposalRejectView(APIView):
    @extend_schema(operation_id="proposals_reject", request=None, responses=shapes.ProposalOut)
    def post(self, request: Request, proposal_id: UUID) -> Response:
        rejected = services.reject_proposal(actor=request.actor, proposal_id=proposal_id)
        return Response(shapes.ProposalOut(rejected).data)
