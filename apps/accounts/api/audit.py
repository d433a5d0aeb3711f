"""``audit/``: what happened in an organization, for those who manage it. Read only; there is nothing to delete."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import selectors
from apps.accounts.api import serializers as shapes
from apps.core.api import APIView, Order, Page


class AuditListView(APIView):
    @extend_schema(
        operation_id="audit_list", tags=["audit"], parameters=[shapes.AuditQuery], responses=shapes.AuditPageOut
    )
    def get(self, request: Request) -> Response:
        """Newest first. ``actor`` is a pseudonym; the name is given as long as the person has one."""
        query = shapes.AuditQuery.parse_query(request)
        rows = selectors.list_audit(
            viewer=request.actor,
            organization_id=query["organization"],
            action=query.get("action"),
            outcome=query.get("outcome"),
            since=query.get("since"),
            until=query.get("until"),
        )
        page = Page.of(rows, order=Order("number"), cursor=query.get("cursor"), limit=query["limit"])
        people = selectors.display_pseudonyms(row.actor for row in page.results)
        return Response(page.answer(lambda row: shapes.AuditEntryOut(row, context={"people": people}).data))
