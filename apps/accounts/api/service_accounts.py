"""``service-accounts/``."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import rights
from apps.accounts.api import right_shapes as shapes
from apps.accounts.api.serializers import InOrganizationQuery
from apps.accounts.models import ServiceAccount
from apps.accounts.services import service_accounts
from apps.accounts.types import OrganizationRole
from apps.core.api import APIView, Order, Page, etag, expected_version


def _answer(account: ServiceAccount, status: int = 200) -> Response:
    return Response(shapes.ServiceAccountOut(account).data, status=status, headers={"ETag": etag(account.version)})


class ServiceAccountListView(APIView):
    @extend_schema(
        operation_id="service_accounts_list",
        tags=["service-accounts"],
        parameters=[InOrganizationQuery],
        responses=shapes.ServiceAccountPageOut,
    )
    def get(self, request: Request) -> Response:
        query = InOrganizationQuery.parse_query(request)
        rows = rights.visible_service_accounts(request.actor)
        if "organization" in query:
            rows = rows.filter(organization=query["organization"])
        page = Page.of(rows, order=Order("created_at"), cursor=query.get("cursor"), limit=query["limit"])
        return Response(page.answer(lambda row: shapes.ServiceAccountOut(row).data))

    @extend_schema(
        operation_id="service_accounts_create",
        tags=["service-accounts"],
        request=shapes.ServiceAccountIn,
        responses={201: shapes.ServiceAccountOut},
        examples=[
            OpenApiExample(
                "service account",
                {
                    "organization": "019ad3c0-7a3c-7b7e-9a53-3c1f5e0d8f12",
                    "name": "Nightly import",
                    "description": "Brings the tickets of the day",
                    "role": "member",
                },
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        """A program with memberships and keys of its own. Its keys are made at ``api-keys/``."""
        data = shapes.ServiceAccountIn.parse(request)
        made = service_accounts.create_service_account(
            actor=request.actor,
            organization_id=data["organization"],
            name=data["name"],
            description=data.get("description", ""),
            role=OrganizationRole(data["role"]),
        )
        return _answer(made, 201)


class ServiceAccountView(APIView):
    @extend_schema(operation_id="service_accounts_read", tags=["service-accounts"], responses=shapes.ServiceAccountOut)
    def get(self, request: Request, service_account_id: UUID) -> Response:
        return _answer(rights.get_service_account(service_account_id, request.actor))

    @extend_schema(
        operation_id="service_accounts_change",
        tags=["service-accounts"],
        request=shapes.ServiceAccountChangeIn,
        responses=shapes.ServiceAccountOut,
    )
    def patch(self, request: Request, service_account_id: UUID) -> Response:
        changed = service_accounts.change_service_account(
            actor=request.actor,
            service_account_id=service_account_id,
            expected_version=expected_version(request),
            **shapes.ServiceAccountChangeIn.parse(request),
        )
        return _answer(changed)


class ServiceAccountDisableView(APIView):
    @extend_schema(
        operation_id="service_accounts_disable",
        tags=["service-accounts"],
        request=None,
        responses=shapes.ServiceAccountOut,
    )
    def post(self, request: Request, service_account_id: UUID) -> Response:
        """None of its keys opens anything from the next request on. They are kept for when it is enabled."""
        return _answer(
            service_accounts.disable_service_account(actor=request.actor, service_account_id=service_account_id)
        )


class ServiceAccountEnableView(APIView):
    @extend_schema(
        operation_id="service_accounts_enable",
        tags=["service-accounts"],
        request=None,
        responses=shapes.ServiceAccountOut,
    )
    def post(self, request: Request, service_account_id: UUID) -> Response:
        return _answer(
            service_accounts.enable_service_account(actor=request.actor, service_account_id=service_account_id)
        )
