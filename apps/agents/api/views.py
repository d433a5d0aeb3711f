from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.agents import selectors, services
from apps.agents.api.serializers import AgentChangeIn, AgentIn, AgentOut, AgentPageOut, AgentQuery
from apps.core.api import APIView, Order, Page, etag, expected_version


class AgentListView(APIView):
    @extend_schema(operation_id="agents_list", parameters=[AgentQuery], responses=AgentPageOut)
    def get(self, request: Request) -> Response:
        query = AgentQuery.parse_query(request)
        rows = selectors.list_agents(request.actor, project_id=query.get("project"))
        page = Page.of(rows, order=Order("name", descending=False), cursor=query.get("cursor"), limit=query["limit"])
        return Response(page.answer(lambda agent: AgentOut(agent).data))

    @extend_schema(operation_id="agents_create", request=AgentIn, responses={201: AgentOut})
    def post(self, request: Request) -> Response:
        data = AgentIn.parse(request)
        agent = services.create_agent(actor=request.actor, project_id=data.pop("project"), **data)
        return Response(AgentOut(agent).data, status=201, headers={"ETag": etag(agent.version)})


class AgentView(APIView):
    @extend_schema(operation_id="agents_read", responses=AgentOut)
    def get(self, request: Request, agent_id: UUID) -> Response:
        agent = selectors.get_agent(agent_id=agent_id, viewer=request.actor)
        return Response(AgentOut(agent).data, headers={"ETag": etag(agent.version)})

    @extend_schema(operation_id="agents_change", request=AgentChangeIn, responses=AgentOut)
    def patch(self, request: Request, agent_id: UUID) -> Response:
        agent = services.change_agent(
            actor=request.actor,
            agent_id=agent_id,
            changes=AgentChangeIn.parse(request),
            expected_version=expected_version(request),
        )
        return Response(AgentOut(agent).data, headers={"ETag": etag(agent.version)})

    @extend_schema(operation_id="agents_archive", request=None, responses={204: None})
    def delete(self, request: Request, agent_id: UUID) -> Response:
        services.archive_agent(actor=request.actor, agent_id=agent_id, expected_version=expected_version(request))
        return Response(status=204)
