"""``api-keys/``."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import selectors
from apps.accounts.api import key_shapes
from apps.accounts.api.serializers import InOrganizationQuery
from apps.accounts.models import ApiKey
from apps.accounts.services import keys
from apps.core.api import APIView, Order, Page, etag, expected_version


class KeyListView(APIView):
    @extend_schema(
        operation_id="api_keys_list",
        tags=["api-keys"],
        parameters=[InOrganizationQuery],
        responses=key_shapes.KeyPageOut,
    )
    def get(self, request: Request) -> Response:
        """One's own keys, and for admins those of their organizations. The keys themselves are not kept."""
        query = InOrganizationQuery.parse_query(request)
        rows = selectors.visible_api_keys(request.actor)
        if "organization" in query:
            rows = rows.filter(organization=query["organization"])
        page = Page.of(rows, order=Order("created_at"), cursor=query.get("cursor"), limit=query["limit"])
        return Response(page.answer(lambda row: key_shapes.KeyOut(row).data))

    @extend_schema(
        operation_id="api_keys_create",
        tags=["api-keys"],
        request=key_shapes.KeyIn,
        responses={201: key_shapes.NewKeyOut},
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
        data = key_shapes.KeyIn.parse(request)
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
        answer = key_shapes.KeyOut(made.key).data | {"key": made.token}
        return Response(answer, status=201, headers={"Cache-Control": "no-store"})


def _key(key: ApiKey) -> Response:
    return Response(key_shapes.KeyOut(key).data, headers={"ETag": etag(key.version)})


class KeyView(APIView):
    @extend_schema(operation_id="api_keys_read", tags=["api-keys"], responses=key_shapes.KeyOut)
    def get(self, request: Request, key_id: UUID) -> Response:
        return _key(selectors.get_api_key(key_id, request.actor))

    @extend_schema(
        operation_id="api_keys_change",
        tags=["api-keys"],
        request=key_shapes.KeyChangeIn,
        responses=key_shapes.KeyOut,
        examples=[
            OpenApiExample(
                "for a year, from one network",
                {"expires_at": "2031-01-01T00:00:00Z", "allowed_networks": ["192.0.2.0/24"]},
                request_only=True,
            )
        ],
    )
    def patch(self, request: Request, key_id: UUID) -> Response:
        """What is sent replaces what was. A key gets no more than the one who changes it could give to a new one."""
        data = key_shapes.KeyChangeIn.parse(request)
        if "project" in data:
            data["project_id"] = data.pop("project")
        key = keys.change_api_key(
            actor=request.actor, key_id=key_id, expected_version=expected_version(request), **data
        )
        return _key(key)

    @extend_schema(operation_id="api_keys_revoke", tags=["api-keys"], request=None, responses={204: None})
    def delete(self, request: Request, key_id: UUID) -> Response:
        """Withdraw it. The row stays, so that the log can say which key did what."""
        keys.revoke_api_key(actor=request.actor, key_id=key_id, expected_version=expected_version(request))
        return Response(status=204)


class KeyRenewView(APIView):
    @extend_schema(
        operation_id="api_keys_renew",
        tags=["api-keys"],
        request=key_shapes.KeyRenewIn,
        responses=key_shapes.NewKeyOut,
        examples=[
            OpenApiExample("both work for a while", {"previous_until": "2031-01-01T00:00:00Z"}, request_only=True)
        ],
    )
    def post(self, request: Request, key_id: UUID) -> Response:
        """A new secret for the same key: ``key`` in the answer is shown this once."""
        data = key_shapes.KeyRenewIn.parse(request)
        made = keys.renew_api_key(actor=request.actor, key_id=key_id, previous_until=data.get("previous_until"))
        headers = {"Cache-Control": "no-store", "ETag": etag(made.key.version)}
        return Response(key_shapes.KeyOut(made.key).data | {"key": made.token}, headers=headers)
