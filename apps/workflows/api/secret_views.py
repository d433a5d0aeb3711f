from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import rules
from apps.core.api import APIView, Order, Page, Serializer
from apps.core.rule_fields import Text
from apps.workflows import selectors, services
from apps.workflows.api.serializers import DefinitionQuery
from apps.workflows.models import Secret


class WorkflowSecretIn(Serializer):
    """``value``: what the authentication needs: ``username`` and ``password``, ``token``, or a configuration of OAuth 2."""

    project = serializers.UUIDField()
    name = Text(rules.NAME)
    value = serializers.DictField(write_only=True)


class WorkflowSecretOut(serializers.Serializer):
    id = serializers.UUIDField()
    project = serializers.UUIDField()
    name = serializers.CharField()
    kept_by = serializers.UUIDField(allow_null=True)
    kept_at = serializers.DateTimeField()


class WorkflowSecretPageOut(serializers.Serializer):
    results = WorkflowSecretOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


def secret_row(secret: Secret) -> dict[str, Any]:
    return {
        "id": str(secret.pk),
        "project": str(secret.project_id),
        "name": secret.name,
        "kept_by": str(secret.kept_by_id) if secret.kept_by_id else None,
        "kept_at": secret.kept_at,
    }


class WorkflowSecretListView(APIView):
    @extend_schema(
        operation_id="workflow_secrets_list",
        parameters=[DefinitionQuery],
        responses=WorkflowSecretPageOut,
        description="By their names. What is in a secret is given to nobody.",
    )
    def get(self, request: Request) -> Response:
        query = DefinitionQuery.parse_query(request)
        rows = selectors.list_secrets(request.actor, project_id=query.get("project"))
        page = Page.of(rows, order=Order("created_at"), cursor=query.get("cursor"), limit=query["limit"])
        return Response(page.answer(secret_row))

    @extend_schema(
        operation_id="workflow_secrets_keep",
        request=WorkflowSecretIn,
        responses={201: WorkflowSecretOut},
        description="Under a name that is there it takes the place of what was.",
    )
    def post(self, request: Request) -> Response:
        data = WorkflowSecretIn.parse(request)
        kept = services.keep_secret(
            actor=request.actor, project_id=data["project"], name=data["name"], value=data["value"]
        )
        return Response(secret_row(kept), status=201)


class WorkflowSecretView(APIView):
    @extend_schema(operation_id="workflow_secrets_delete", request=None, responses={204: None})
    def delete(self, request: Request, workflow_secret_id: UUID) -> Response:
        services.delete_secret(actor=request.actor, secret_id=workflow_secret_id)
        return Response(status=204)
