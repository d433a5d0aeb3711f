"""``projects/`` and the people added to one."""

from __future__ import annotations

import functools
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import explanations, selectors
from apps.accounts.api import right_shapes
from apps.accounts.api import serializers as shapes
from apps.accounts.models import Project
from apps.accounts.services import projects
from apps.accounts.types import Actor, ProjectAccess, ProjectRole
from apps.core.api import APIView, Order, Page, etag, expected_version


def _data(viewer: Actor, project: Project) -> dict[str, object]:
    role_in = functools.partial(selectors.role_in, viewer)
    return shapes.ProjectOut(project, context={"role_in": role_in}).data


def _answer(viewer: Actor, project: Project, status: int = 200) -> Response:
    return Response(_data(viewer, project), status=status, headers={"ETag": etag(project.version)})


class ProjectListView(APIView):
    @extend_schema(
        operation_id="projects_list",
        tags=["projects"],
        parameters=[shapes.ProjectQuery],
        responses=shapes.ProjectPageOut,
    )
    def get(self, request: Request) -> Response:
        """Projects one can see, oldest first; archived ones only when asked for."""
        query = shapes.ProjectQuery.parse_query(request)
        rows = selectors.visible_projects(request.actor).filter(archived_at__isnull=not query["archived"])
        if "organization" in query:
            rows = rows.filter(organization=query["organization"])
        page = Page.of(
            rows, order=Order("created_at", descending=False), cursor=query.get("cursor"), limit=query["limit"]
        )
        return Response(page.answer(functools.partial(_data, request.actor)))

    @extend_schema(
        operation_id="projects_create",
        tags=["projects"],
        request=shapes.ProjectIn,
        responses={201: shapes.ProjectOut},
        examples=[
            OpenApiExample(
                "project",
                {"organization": "019ad3c0-7a3c-7b7e-9a53-3c1f5e0d8f12", "name": "Spring catalogue"},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        data = shapes.ProjectIn.parse(request)
        project = projects.create_project(
            actor=request.actor,
            organization_id=data["organization"],
            name=data["name"],
            description=data.get("description", ""),
            access=ProjectAccess(data.get("access", ProjectAccess.ORGANIZATION)),
            beginning=data.get("beginning", ""),
        )
        return _answer(request.actor, project, 201)


class ProjectView(APIView):
    @extend_schema(operation_id="projects_read", tags=["projects"], responses=shapes.ProjectOut)
    def get(self, request: Request, project_id: UUID) -> Response:
        return _answer(request.actor, selectors.get_project(project_id, request.actor))

    @extend_schema(
        operation_id="projects_change", tags=["projects"], request=shapes.ProjectChangeIn, responses=shapes.ProjectOut
    )
    def patch(self, request: Request, project_id: UUID) -> Response:
        project = projects.change_project(
            actor=request.actor,
            project_id=project_id,
            expected_version=expected_version(request),
            **shapes.ProjectChangeIn.parse(request),
        )
        return _answer(request.actor, project)


class ProjectArchiveView(APIView):
    @extend_schema(operation_id="projects_archive", tags=["projects"], request=None, responses=shapes.ProjectOut)
    def post(self, request: Request, project_id: UUID) -> Response:
        """Hide it from lists; everything in it can still be read."""
        project = projects.archive_project(
            actor=request.actor, project_id=project_id, expected_version=expected_version(request)
        )
        return _answer(request.actor, project)


class ProjectRestoreView(APIView):
    @extend_schema(operation_id="projects_restore", tags=["projects"], request=None, responses=shapes.ProjectOut)
    def post(self, request: Request, project_id: UUID) -> Response:
        return _answer(request.actor, projects.restore_project(actor=request.actor, project_id=project_id))


class ProjectPeopleView(APIView):
    @extend_schema(operation_id="projects_people_list", tags=["projects"], responses=shapes.ProjectPeopleOut)
    def get(self, request: Request, project_id: UUID) -> Response:
        """Everybody who can see the project, with the role they have in it."""
        project = selectors.get_project(project_id, request.actor)
        people = selectors.list_people_of_project(project, request.actor)
        return Response({"results": shapes.ProjectPersonOut(people, many=True).data})


class ProjectPersonView(APIView):
    @extend_schema(
        operation_id="projects_people_set",
        tags=["projects"],
        request=shapes.ProjectMemberIn,
        responses=shapes.ProjectPersonOut,
    )
    def put(self, request: Request, project_id: UUID, user_id: UUID) -> Response:
        """Give somebody of the organization a role of their own here."""
        member = projects.set_project_member(
            actor=request.actor,
            project_id=project_id,
            user_id=user_id,
            role=ProjectRole(shapes.ProjectMemberIn.parse(request)["role"]),
        )
        person = selectors.ProjectPerson(user_id, member.user.display_name, ProjectRole(member.role))
        return Response(shapes.ProjectPersonOut(person).data)

    @extend_schema(operation_id="projects_people_remove", tags=["projects"], request=None, responses={204: None})
    def delete(self, request: Request, project_id: UUID, user_id: UUID) -> Response:
        projects.remove_project_member(actor=request.actor, project_id=project_id, user_id=user_id)
        return Response(status=204)


class ProjectAccessView(APIView):
    @extend_schema(
        operation_id="projects_access",
        tags=["projects"],
        parameters=[right_shapes.AccessQuery],
        responses=right_shapes.AccessOut,
        examples=[
            OpenApiExample(
                "a denial wins over a team",
                {
                    "user": "019ad3c0-7a3c-7b7e-9a53-3c1f5e0d8f11",
                    "name": "Inês Duarte",
                    "role": None,
                    "layers": [
                        {"kind": "organization", "name": "Guest", "gives": None, "takes": None, "until": None},
                        {"kind": "team", "name": "Support", "gives": "editor", "takes": None, "until": None},
                        {"kind": "denial", "name": "Harbour", "gives": None, "takes": "view", "until": None},
                    ],
                },
                response_only=True,
            )
        ],
    )
    def get(self, request: Request, project_id: UUID) -> Response:
        """Why somebody can, or cannot, get at the project: every layer, and what is left. For those who manage it."""
        user_id = right_shapes.AccessQuery.parse_query(request)["user"]
        found = explanations.explain(viewer=request.actor, project_id=project_id, user_id=user_id)
        return Response(right_shapes.AccessOut(found).data)
