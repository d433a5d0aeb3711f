"""``denials/``."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import rights
from apps.accounts.api import right_shapes as shapes
from apps.accounts.api.serializers import InOrganizationQuery
from apps.accounts.services import denials
from apps.accounts.types import Permission
from apps.core.api import APIView, Order, Page


class DenialListView(APIView):
    @extend_schema(
        operation_id="denials_list",
        tags=["denials"],
        parameters=[InOrganizationQuery],
        responses=shapes.AccessDenialPageOut,
    )
    def get(self, request: Request) -> Response:
        """For those who manage the organization, and for managers of the project. Nobody reads what is denied to themselves here."""
        query = InOrganizationQuery.parse_query(request)
        rows = rights.visible_denials(request.actor)
        if "organization" in query:
            rows = rows.filter(organization=query["organization"])
        page = Page.of(rows, order=Order("created_at"), cursor=query.get("cursor"), limit=query["limit"])
        return Response(page.answer(lambda row: shapes.AccessDenialOut(row).data))

    @extend_schema(
        operation_id="denials_create",
        tags=["denials"],
        request=shapes.AccessDenialIn,
        responses={201: shapes.AccessDenialOut},
        examples=[
            OpenApiExample(
                "until the new year, one project",
                {
                    "organization": "019ad3c0-7a3c-7b7e-9a53-3c1f5e0d8f12",
                    "user": "019ad3c0-7a3c-7b7e-9a53-3c1f5e0d8f11",
                    "project": "019ad3c0-7a3c-7b7e-9a53-3c1f5e0d8f31",
                    "permission": "view",
                    "reason": "On the other side of this matter",
                    "expires_at": "2031-01-01T00:00:00Z",
                },
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        """Take something away from one person or team, whatever gives it to them. One for the same place is replaced."""
        data = shapes.AccessDenialIn.parse(request)
        made = denials.deny(
            actor=request.actor,
            organization_id=data["organization"],
            user_id=data.get("user"),
            team_id=data.get("team"),
            project_id=data.get("project"),
            permission=Permission(data["permission"]),
            reason=data.get("reason", ""),
            expires_at=data.get("expires_at"),
        )
        return Response(shapes.AccessDenialOut(made).data, status=201)


class DenialView(APIView):
    @extend_schema(operation_id="denials_lift", tags=["denials"], request=None, responses={204: None})
    def delete(self, request: Request, denial_id: UUID) -> Response:
        """Roles and grants count again."""
        denials.lift_denial(actor=request.actor, denial_id=denial_id)
        return Response(status=204)
