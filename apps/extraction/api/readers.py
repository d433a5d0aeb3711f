"""Who is named to see a collection, over JSON. For managers of the project."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import selectors as accounts
from apps.accounts.policies import require
from apps.core.api import APIView, Order, Page, PageQuery
from apps.extraction import policies, reader_selectors, selectors, services
from apps.extraction.api import reader_shapes as shapes


class ReaderListView(APIView):
    @extend_schema(operation_id="collection_readers_list", parameters=[PageQuery], responses=shapes.ReaderPageOut)
    def get(self, request: Request, collection_id: UUID) -> Response:
        """They count while `visibility` is `named`. Managers of the project see it beside them."""
        query = PageQuery.parse_query(request)
        collection = selectors.get_collection(collection_id=collection_id, viewer=request.actor)
        role = accounts.project_role(request.actor, collection.project_id)
        require(policies.can_name_readers(request.actor, role))
        rows = reader_selectors.list_readers(collection)
        page = Page.of(rows, order=Order("created_at"), cursor=query.get("cursor"), limit=query["limit"])
        return Response(page.answer(lambda row: shapes.ReaderOut(row).data))

    @extend_schema(operation_id="collection_readers_name", request=shapes.ReaderIn, responses={201: shapes.ReaderOut})
    def post(self, request: Request, collection_id: UUID) -> Response:
        """Somebody who is named already is no error."""
        data = shapes.ReaderIn.parse(request)
        named = services.name_reader(
            actor=request.actor, collection_id=collection_id, user_id=data.get("user"), team_id=data.get("team")
        )
        return Response(shapes.ReaderOut(named).data, status=201)


class ReaderView(APIView):
    @extend_schema(operation_id="collection_readers_remove", request=None, responses={204: None})
    def delete(self, request: Request, collection_id: UUID, reader_id: UUID) -> Response:
        """They see nothing of it from the next request on, unless a team of theirs is named or they manage the project."""
        services.remove_reader(actor=request.actor, collection_id=collection_id, reader_id=reader_id)
        return Response(status=204)
