from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import APIView, Order, Page, PageQuery, etag, expected_version
from apps.workflows import selectors, services
from apps.workflows.api.serializers import (
    CheckedOut,
    DefinitionIn,
    DefinitionOut,
    DefinitionPageOut,
    DefinitionQuery,
    DefinitionVersionOut,
    DefinitionVersionPageOut,
    DocumentIn,
    definition_data,
    definition_row,
    document_of,
    lines_told,
    task_lines,
    version_row,
)
from apps.workflows.models import Definition


def answer(definition: Definition, *, status: int = 200) -> Response:
    return Response(definition_data(definition), status=status, headers={"ETag": etag(definition.version)})


class DefinitionListView(APIView):
    @extend_schema(operation_id="workflows_list", parameters=[DefinitionQuery], responses=DefinitionPageOut)
    def get(self, request: Request) -> Response:
        query = DefinitionQuery.parse_query(request)
        rows = selectors.list_definitions(request.actor, project_id=query.get("project"))
        page = Page.of(rows, order=Order("created_at"), cursor=query.get("cursor"), limit=query["limit"])
        return Response(page.answer(definition_row))

    @extend_schema(operation_id="workflows_create", request=DefinitionIn, responses={201: DefinitionOut})
    def post(self, request: Request) -> Response:
        data = DefinitionIn.parse(request)
        with lines_told(data):
            made = services.create_definition(
                actor=request.actor,
                project_id=data["project"],
                document=document_of(data),
                text=data.get("text", ""),
            )
        return answer(made, status=201)


class DefinitionCheckView(APIView):
    @extend_schema(
        operation_id="workflows_validate",
        request=DocumentIn,
        responses=CheckedOut,
        description="Writes nothing. `definition_rejected` names every place that is wrong, and of a text its line in `lines`.",
    )
    def post(self, request: Request) -> Response:
        data = DocumentIn.parse(request)
        with lines_told(data):
            document = services.check_definition(document_of(data))
        return Response({"document": document, "lines": task_lines(data, document)})


class DefinitionView(APIView):
    @extend_schema(operation_id="workflows_read", responses=DefinitionOut)
    def get(self, request: Request, workflow_id: UUID) -> Response:
        return answer(selectors.get_definition(definition_id=workflow_id, viewer=request.actor))

    @extend_schema(operation_id="workflows_delete", request=None, responses={204: None})
    def delete(self, request: Request, workflow_id: UUID) -> Response:
        services.delete_definition(
            actor=request.actor, definition_id=workflow_id, expected_version=expected_version(request)
        )
        return Response(status=204)


class DefinitionVersionsView(APIView):
    @extend_schema(operation_id="workflows_versions", parameters=[PageQuery], responses=DefinitionVersionPageOut)
    def get(self, request: Request, workflow_id: UUID) -> Response:
        query = PageQuery.parse_query(request)
        definition = selectors.get_definition(definition_id=workflow_id, viewer=request.actor)
        rows = selectors.list_versions(definition)
        page = Page.of(rows, order=Order("number"), cursor=query.get("cursor"), limit=query["limit"])
        return Response(page.answer(version_row))

    @extend_schema(
        operation_id="workflows_change",
        request=DocumentIn,
        responses={201: DefinitionOut},
        description="Another version, in force for runs that begin from now on.",
    )
    def post(self, request: Request, workflow_id: UUID) -> Response:
        data = DocumentIn.parse(request)
        with lines_told(data):
            changed = services.change_definition(
                actor=request.actor,
                definition_id=workflow_id,
                document=document_of(data),
                text=data.get("text", ""),
                expected_version=expected_version(request),
            )
        return answer(changed, status=201)


class DefinitionVersionView(APIView):
    @extend_schema(operation_id="workflows_version", responses=DefinitionVersionOut)
    def get(self, request: Request, workflow_id: UUID, number: int) -> Response:
        definition = selectors.get_definition(definition_id=workflow_id, viewer=request.actor)
        found = selectors.get_version(definition, number)
        return Response({**version_row(found), "document": found.document})
