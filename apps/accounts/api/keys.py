"""``api-keys/``."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import selectors
from apps.accounts.api import serializers as shapes
from apps.accounts.services import keys
from apps.core.api import APIView, Order, Page


class KeyListView(APIView):
    @extend_schema(
        operation_id="api_keys_list",
        tags=["api-keys"],
        parameters=[shapes.InOrganizationQuery],
        responses=shapes.KeyPageOut,
    )
    def get(self, request: Request) -> Response:
        """One's own keys, and for admins those of their organizations. The keys themselves are not kept."""
        query = shapes.InOrganizationQuery.parse_query(request)
        rows = selectors.visible_api_keys(request.actor)
        if "organization" in query:
            rows = rows.filter(organization=query["organization"])
        page = Page.of(rows, order=Order("created_at"), cursor=query.get("cursor"), limit=query["limit"])
        return Response(page.answer(lambda row: shapes.KeyOut(row).data))

    @extend_schema(
        operation_id="api_keys_create",
        tags=["api-keys"],
        request=shapes.KeyIn,
        responses={201: shapes.NewKeyOut},
        examples=[
            OpenApiExample(
                "limited key",
                {
                    "organization": "019ad3c0-7a3c-7b7e-9a53-3c1f5e0d8f12",
                    "name": "Night report",
                    "scopes": ["conversations:read"],
                },
                request_only=True,
            ),
            OpenApiExample(
                "key of a service account, from one network",
                {
                    "organization": "019ad3c0-7a3c-7b7e-9a53-3c1f5e0d8f12",
                    "service_account": "019ad3c0-7a3c-7b7e-9a53-3c1f5e0d8f77",
                    "name": "Nightly import",
                    "scopes": ["conversations:write"],
                    "allowed_networks": ["192.0.2.0/24", "2001:db8::/32"],
                },
                request_only=True,
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        """Make a key. ``key`` in the answer is shown this once; it can never do more than the one who makes it."""
        data = shapes.KeyIn.parse(request)
        made = keys.make_api_key(
            actor=request.actor,
            organization_id=data["organization"],
            name=data["name"],
            project_id=data.get("project"),
            scopes=tuple(data.get("scopes", ())),
            expires_at=data.get("expires_at"),
            allowed_networks=tuple(data.get("allowed_networks", ())),
            service_account_id=data.get("service_account"),
        )
        answer = shapes.KeyOut(made.key).data | {"key": made.token}
        return Response(answer, status=201, headers={"Cache-Control": "no-store"})


class KeyView(APIView):
    @extend_schema(operation_id="api_keys_revoke", tags=["api-keys"], request=None, responses={204: None})
    def delete(self, request: Request, key_id: UUID) -> Response:
        """Withdraw it. The row stays, so that the log can say which key did what."""
        keys.revoke_api_key(actor=request.actor, key_id=key_id)
        return Response(status=204)
