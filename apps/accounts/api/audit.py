"""``audit/``: what happened in an organization, for those who manage it. Read only; there is nothing to delete."""

from __future__ import annotations

from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import access_review, audit_export, rights, selectors
from apps.accounts.api import serializers as shapes
from apps.accounts.services import audit
from apps.accounts.types import AuditFormat
from apps.core.api import APIView, Order, Page


class AuditListView(APIView):
    @extend_schema(
        operation_id="audit_list", tags=["audit"], parameters=[shapes.AuditQuery], responses=shapes.AuditPageOut
    )
    def get(self, request: Request) -> Response:
        """Newest first. ``actor`` is a pseudonym; the name is given as long as the person has one."""
        query = shapes.AuditQuery.parse_query(request)
        rows = selectors.list_audit(viewer=request.actor, **shapes.AuditQuery.filters(query))
        page = Page.of(rows, order=Order("number"), cursor=query.get("cursor"), limit=query["limit"])
        people = selectors.display_pseudonyms(row.actor for row in page.results)
        return Response(page.answer(lambda row: shapes.AuditEntryOut(row, context={"people": people}).data))


class AccessReviewView(APIView):
    @extend_schema(
        operation_id="access_review",
        tags=["audit"],
        parameters=[shapes.AccessReviewQuery],
        responses=shapes.AccessReviewOut,
    )
    def get(self, request: Request) -> Response:
        """Everybody who belongs to the organization: which projects, by which right, which keys, and what deserves a look."""
        query = shapes.AccessReviewQuery.parse_query(request)
        people = access_review.review(viewer=request.actor, organization_id=query["organization"])
        invitations = rights.open_invitations(request.actor, query["organization"])
        return Response(shapes.AccessReviewOut({"people": people, "invitations": invitations}).data)


class AuditExportView(APIView):
    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:  # noqa: FBT001, FBT002  (REST framework's signature)
        return JSONRenderer(), "application/json"  # errors are problems; the file is no matter of renderers

    @extend_schema(
        operation_id="audit_export",
        tags=["audit"],
        parameters=[shapes.AuditExportQuery],
        responses={
            (200, "text/csv"): OpenApiResponse(response=str, description="One line an entry, names in the first line."),
            (200, "application/json"): OpenApiResponse(
                response={"type": "array", "items": {"type": "object"}}, description="A list of entries."
            ),
        },
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """The log as a file, oldest first. ``digest`` is SHA-256 over ``previous`` and the RFC 8785 form of the other names."""
        query = shapes.AuditExportQuery.parse_query(request)
        file_format = AuditFormat(query["format"])
        filters = shapes.AuditExportQuery.filters(query)
        rows = audit.export_audit(actor=request.actor, file_format=file_format, **filters)
        return audit_export.as_file(request._request, rows, file_format)  # noqa: SLF001  (REST framework's own name for it)
