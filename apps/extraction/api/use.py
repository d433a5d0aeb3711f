"""Views of collections and comments on records over JSON."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import APIView, Order, Page, PageQuery, etag, expected_version
from apps.core.errors import NotFound
from apps.extraction import selectors, services, use_selectors
from apps.extraction.api import use_shapes as shapes
from apps.extraction.models import RecordComment, RecordView


class ViewListView(APIView):
    @extend_schema(operation_id="collection_views_list", parameters=[PageQuery], responses=shapes.ViewPageOut)
    def get(self, request: Request, collection_id: UUID) -> Response:
        """One's own and the shared ones."""
        query = PageQuery.parse_query(request)
        collection = selectors.get_collection(collection_id=collection_id, viewer=request.actor)
        rows = use_selectors.list_views(request.actor, collection=collection)
        order = Order("name", descending=False)
        page = Page.of(rows, order=order, cursor=query.get("cursor"), limit=query["limit"])
        return Response(page.answer(lambda row: shapes.ViewOut(row).data))

    @extend_schema(operation_id="collection_views_create", request=shapes.ViewIn, responses={201: shapes.ViewOut})
    def post(self, request: Request, collection_id: UUID) -> Response:
        data = shapes.ViewIn.parse(request)
        made = services.keep_view(actor=request.actor, collection_id=collection_id, **data)
        return Response(shapes.ViewOut(made).data, status=201, headers={"ETag": etag(made.version)})


class ViewView(APIView):
    def found(self, request: Request, collection_id: UUID, view_id: UUID) -> RecordView:
        view = use_selectors.get_view(view_id=view_id, viewer=request.actor)
        if view.collection_id != collection_id:
            raise NotFound
        return view

    @extend_schema(operation_id="collection_views_read", responses=shapes.ViewOut)
    def get(self, request: Request, collection_id: UUID, view_id: UUID) -> Response:
        view = self.found(request, collection_id, view_id)
        return Response(shapes.ViewOut(view).data, headers={"ETag": etag(view.version)})

    @extend_schema(operation_id="collection_views_change", request=shapes.ViewChangeIn, responses=shapes.ViewOut)
    def patch(self, request: Request, collection_id: UUID, view_id: UUID) -> Response:
        view = self.found(request, collection_id, view_id)
        changed = services.change_view(
            actor=request.actor,
            view_id=view.pk,
            changes=shapes.ViewChangeIn.parse(request),
            expected_version=expected_version(request),
        )
        return Response(shapes.ViewOut(changed).data, headers={"ETag": etag(changed.version)})

    @extend_schema(operation_id="collection_views_delete", request=None, responses={204: None})
    def delete(self, request: Request, collection_id: UUID, view_id: UUID) -> Response:
        view = self.found(request, collection_id, view_id)
        services.delete_view(actor=request.actor, view_id=view.pk, expected_version=expected_version(request))
        return Response(status=204)


class CommentListView(APIView):
    @extend_schema(operation_id="record_comments_list", parameters=[PageQuery], responses=shapes.CommentPageOut)
    def get(self, request: Request, record_id: UUID) -> Response:
        """The newest first."""
        query = PageQuery.parse_query(request)
        record = selectors.get_record(record_id=record_id, viewer=request.actor)
        rows = use_selectors.list_comments(record)
        page = Page.of(rows, order=Order("created_at"), cursor=query.get("cursor"), limit=query["limit"])
        return Response(page.answer(lambda row: shapes.CommentOut(row).data))

    @extend_schema(operation_id="record_comments_add", request=shapes.CommentIn, responses={201: shapes.CommentOut})
    def post(self, request: Request, record_id: UUID) -> Response:
        text = shapes.CommentIn.parse(request)["text"]
        made = services.add_comment(actor=request.actor, record_id=record_id, text=text)
        return Response(shapes.CommentOut(made).data, status=201, headers={"ETag": etag(made.version)})


class CommentView(APIView):
    def found(self, request: Request, record_id: UUID, comment_id: UUID) -> RecordComment:
        comment = use_selectors.get_comment(comment_id=comment_id, viewer=request.actor)
        if comment.record_id != record_id:
            raise NotFound
        return comment

    @extend_schema(operation_id="record_comments_change", request=shapes.CommentIn, responses=shapes.CommentOut)
    def patch(self, request: Request, record_id: UUID, comment_id: UUID) -> Response:
        comment = self.found(request, record_id, comment_id)
        changed = services.change_comment(
            actor=request.actor,
            comment_id=comment.pk,
            text=shapes.CommentIn.parse(request)["text"],
            expected_version=expected_version(request),
        )
        return Response(shapes.CommentOut(changed).data, headers={"ETag": etag(changed.version)})

    @extend_schema(operation_id="record_comments_delete", request=None, responses={204: None})
    def delete(self, request: Request, record_id: UUID, comment_id: UUID) -> Response:
        comment = self.found(request, record_id, comment_id)
        services.delete_comment(actor=request.actor, comment_id=comment.pk, expected_version=expected_version(request))
        return Response(status=204)
