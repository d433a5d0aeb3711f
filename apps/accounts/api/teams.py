"""``teams/``, the people in one, and teams in projects."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import rights, selectors
from apps.accounts.api import right_shapes as shapes
from apps.accounts.api.serializers import InOrganizationQuery, ProjectMemberIn
from apps.accounts.models import Team
from apps.accounts.services import teams
from apps.accounts.types import ProjectRole
from apps.core.api import APIView, Order, Page, etag, expected_version


def _answer(team: Team, status: int = 200) -> Response:
    return Response(shapes.TeamOut(team).data, status=status, headers={"ETag": etag(team.version)})


class TeamListView(APIView):
    @extend_schema(
        operation_id="teams_list",
        tags=["teams"],
        parameters=[InOrganizationQuery],
        responses=shapes.TeamPageOut,
    )
    def get(self, request: Request) -> Response:
        """Teams of one's organizations; guests see those they are in."""
        query = InOrganizationQuery.parse_query(request)
        rows = rights.visible_teams(request.actor)
        if "organization" in query:
            rows = rows.filter(organization=query["organization"])
        page = Page.of(
            rows, order=Order("created_at", descending=False), cursor=query.get("cursor"), limit=query["limit"]
        )
        return Response(page.answer(lambda row: shapes.TeamOut(row).data))

    @extend_schema(
        operation_id="teams_create",
        tags=["teams"],
        request=shapes.TeamIn,
        responses={201: shapes.TeamOut},
        examples=[
            OpenApiExample(
                "team",
                {
                    "organization": "019ad3c0-7a3c-7b7e-9a53-3c1f5e0d8f12",
                    "name": "Support",
                    "description": "First line",
                },
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        data = shapes.TeamIn.parse(request)
        made = teams.create_team(
            actor=request.actor,
            organization_id=data["organization"],
            name=data["name"],
            description=data.get("description", ""),
        )
        return _answer(made, 201)


class TeamView(APIView):
    @extend_schema(operation_id="teams_read", tags=["teams"], responses=shapes.TeamOut)
    def get(self, request: Request, team_id: UUID) -> Response:
        return _answer(rights.get_team(team_id, request.actor))

    @extend_schema(operation_id="teams_change", tags=["teams"], request=shapes.TeamChangeIn, responses=shapes.TeamOut)
    def patch(self, request: Request, team_id: UUID) -> Response:
        changed = teams.change_team(
            actor=request.actor,
            team_id=team_id,
            expected_version=expected_version(request),
            **shapes.TeamChangeIn.parse(request),
        )
        return _answer(changed)

    @extend_schema(operation_id="teams_delete", tags=["teams"], request=None, responses={204: None})
    def delete(self, request: Request, team_id: UUID) -> Response:
        """What it gave its members, and what was denied to it, ends with it."""
        teams.delete_team(actor=request.actor, team_id=team_id, expected_version=expected_version(request))
        return Response(status=204)


class TeamPeopleView(APIView):
    @extend_schema(operation_id="teams_people_list", tags=["teams"], responses=shapes.TeamMembersOut)
    def get(self, request: Request, team_id: UUID) -> Response:
        """Who is in it, and who says who is."""
        team = rights.get_team(team_id, request.actor)
        return Response({"results": shapes.TeamMemberOut(rights.list_team_members(team), many=True).data})


class TeamPersonView(APIView):
    @extend_schema(
        operation_id="teams_people_set",
        tags=["teams"],
        request=shapes.TeamMemberIn,
        responses=shapes.TeamMemberOut,
        examples=[OpenApiExample("manager", {"is_manager": True}, request_only=True)],
    )
    def put(self, request: Request, team_id: UUID, user_id: UUID) -> Response:
        """Add somebody of the organization, or say whether they manage the team."""
        member = teams.set_team_member(
            actor=request.actor, team_id=team_id, user_id=user_id, **shapes.TeamMemberIn.parse(request)
        )
        return Response(shapes.TeamMemberOut(member).data)

    @extend_schema(operation_id="teams_people_remove", tags=["teams"], request=None, responses={204: None})
    def delete(self, request: Request, team_id: UUID, user_id: UUID) -> Response:
        """Take somebody out, or leave."""
        teams.remove_team_member(actor=request.actor, team_id=team_id, user_id=user_id)
        return Response(status=204)


class ProjectTeamListView(APIView):
    @extend_schema(operation_id="projects_teams_list", tags=["projects"], responses=shapes.ProjectTeamsOut)
    def get(self, request: Request, project_id: UUID) -> Response:
        """Teams with a role here."""
        project = selectors.get_project(project_id, request.actor)
        rows = rights.visible_project_teams(project).order_by("team__name", "pk")
        return Response({"results": shapes.ProjectTeamOut(rows, many=True).data})


class ProjectTeamView(APIView):
    @extend_schema(
        operation_id="projects_teams_set",
        tags=["projects"],
        request=ProjectMemberIn,
        responses=shapes.ProjectTeamOut,
    )
    def put(self, request: Request, project_id: UUID, team_id: UUID) -> Response:
        """Give all members of a team a role here. It adds to what they have, and takes nothing away."""
        row = teams.set_project_team(
            actor=request.actor,
            project_id=project_id,
            team_id=team_id,
            role=ProjectRole(ProjectMemberIn.parse(request)["role"]),
        )
        return Response(shapes.ProjectTeamOut(row).data)

    @extend_schema(operation_id="projects_teams_remove", tags=["projects"], request=None, responses={204: None})
    def delete(self, request: Request, project_id: UUID, team_id: UUID) -> Response:
        teams.remove_project_team(actor=request.actor, project_id=project_id, team_id=team_id)
        return Response(status=204)
