"""``organizations/``, ``members/``, ``invitations/``."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import knocks, policies, rights, selectors
from apps.accounts.api import right_shapes
from apps.accounts.api import serializers as shapes
from apps.accounts.models import Organization
from apps.accounts.services import attempts, belongings, invitations, organizations
from apps.accounts.types import OrganizationRole, ProjectRole
from apps.core.api import APIView, Order, Page, PageQuery, etag, expected_version
from apps.core.errors import NotFound


def _organization(organization: Organization, status: int = 200) -> Response:
    data = shapes.OrganizationOut(organization).data
    return Response(data, status=status, headers={"ETag": etag(organization.version)})


class OrganizationListView(APIView):
    @extend_schema(
        operation_id="organizations_list",
        tags=["organizations"],
        parameters=[PageQuery],
        responses=shapes.OrganizationPageOut,
    )
    def get(self, request: Request) -> Response:
        query = PageQuery.parse_query(request)
        rows = selectors.visible_organizations(request.actor)
        page = Page.of(
            rows, order=Order("created_at", descending=False), cursor=query.get("cursor"), limit=query["limit"]
        )
        return Response(page.answer(lambda row: shapes.OrganizationOut(row).data))

    @extend_schema(
        operation_id="organizations_create",
        tags=["organizations"],
        request=shapes.OrganizationIn,
        responses={201: shapes.OrganizationOut},
        examples=[OpenApiExample("organization", {"name": "Harbour"}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        """A further organization, with a first project; the caller owns it."""
        data = shapes.OrganizationIn.parse(request)
        return _organization(organizations.create_organization(actor=request.actor, **data), 201)


class OrganizationView(APIView):
    @extend_schema(operation_id="organizations_read", tags=["organizations"], responses=shapes.OrganizationOut)
    def get(self, request: Request, organization_id: UUID) -> Response:
        return _organization(selectors.get_organization(organization_id, request.actor))

    @extend_schema(
        operation_id="organizations_change",
        tags=["organizations"],
        request=shapes.OrganizationChangeIn,
        responses=shapes.OrganizationOut,
    )
    def patch(self, request: Request, organization_id: UUID) -> Response:
        changed = organizations.change_organization(
            actor=request.actor,
            organization_id=organization_id,
            expected_version=expected_version(request),
            **shapes.OrganizationChangeIn.parse(request),
        )
        return _organization(changed)


class OrganizationTransferView(APIView):
    @extend_schema(
        operation_id="organizations_transfer",
        tags=["organizations"],
        request=shapes.TransferIn,
        responses=shapes.MemberOut,
        examples=[
            OpenApiExample(
                "hand over",
                {"member": "019ad3c0-7a3c-7b7e-9a53-3c1f5e0d8f21", "password": "my own password, once more"},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, organization_id: UUID) -> Response:
        """Another member owns it, and the caller stays as an admin. Both are told by mail and sign in again."""
        data = shapes.TransferIn.parse(request)
        organization = selectors.get_organization(organization_id, request.actor)
        role = selectors.role_of(request.actor, organization)
        policies.require(policies.can_transfer_ownership(request.actor, role))
        member = selectors.get_member(data["member"], request.actor)
        if member.organization_id != organization.pk:
            raise NotFound
        attempts.require_fresh_proof(
            actor=request.actor,
            password=data.get("password", ""),
            caller=knocks.caller_of(request._request),  # noqa: SLF001  (REST framework's own name for it)
        )
        return Response(
            shapes.MemberOut(organizations.transfer_ownership(actor=request.actor, member_id=member.pk)).data
        )


class MemberListView(APIView):
    @extend_schema(
        operation_id="members_list",
        tags=["organizations"],
        parameters=[shapes.InOrganizationQuery],
        responses=shapes.MemberPageOut,
    )
    def get(self, request: Request) -> Response:
        """People of one's organizations; guests see only themselves."""
        query = shapes.InOrganizationQuery.parse_query(request)
        rows = selectors.visible_members(request.actor)
        if "organization" in query:
            rows = rows.filter(organization=query["organization"])
        page = Page.of(
            rows, order=Order("created_at", descending=False), cursor=query.get("cursor"), limit=query["limit"]
        )
        return Response(page.answer(lambda row: shapes.MemberOut(row).data))


class MemberView(APIView):
    @extend_schema(operation_id="members_read", tags=["organizations"], responses=shapes.MemberOut)
    def get(self, request: Request, member_id: UUID) -> Response:
        member = selectors.get_member(member_id, request.actor)
        return Response(shapes.MemberOut(member).data, headers={"ETag": etag(member.version)})

    @extend_schema(
        operation_id="members_change",
        tags=["organizations"],
        request=shapes.MemberChangeIn,
        responses=shapes.MemberOut,
    )
    def patch(self, request: Request, member_id: UUID) -> Response:
        """Another role. The person's sessions end: they sign in again with the new rights."""
        member = organizations.change_member_role(
            actor=request.actor,
            member_id=member_id,
            role=OrganizationRole(shapes.MemberChangeIn.parse(request)["role"]),
            expected_version=expected_version(request),
        )
        return Response(shapes.MemberOut(member).data, headers={"ETag": etag(member.version)})

    @extend_schema(
        operation_id="members_remove",
        tags=["organizations"],
        request=None,
        parameters=[right_shapes.HeirQuery],
        responses={204: None},
    )
    def delete(self, request: Request, member_id: UUID) -> Response:
        """Remove a person, or leave. What they wrote stays; what would be without an owner goes to ``heir``."""
        heir_id = right_shapes.HeirQuery.parse_query(request).get("heir")
        organizations.remove_member(
            actor=request.actor, member_id=member_id, heir_id=heir_id, expected_version=expected_version(request)
        )
        return Response(status=204)


class BelongingsView(APIView):
    @extend_schema(operation_id="members_belongings", tags=["organizations"], responses=right_shapes.BelongingsOut)
    def get(self, request: Request, member_id: UUID) -> Response:
        """What would be without an owner if the person left now."""
        left = rights.get_belongings(member_id, request.actor)
        things = {name: count for name, (_title, count) in left.things.items()}
        return Response(right_shapes.BelongingsOut({"projects": left.projects, "things": things}).data)


class HandOverView(APIView):
    @extend_schema(
        operation_id="members_hand_over",
        tags=["organizations"],
        request=right_shapes.HeirIn,
        responses=right_shapes.HandedOut,
        examples=[OpenApiExample("to one person", {"heir": "019ad3c0-7a3c-7b7e-9a53-3c1f5e0d8f11"}, request_only=True)],
    )
    def post(self, request: Request, member_id: UUID) -> Response:
        """Of somebody whose account is switched off and who stays a member. Private conversations wait for them."""
        heir_id = right_shapes.HeirIn.parse(request).get("heir")
        handed = belongings.hand_over(actor=request.actor, member_id=member_id, heir_id=heir_id)
        return Response(right_shapes.HandedOut({"handed": handed}).data)


class InvitationListView(APIView):
    @extend_schema(
        operation_id="invitations_list",
        tags=["organizations"],
        parameters=[shapes.InOrganizationQuery],
        responses=shapes.InvitationPageOut,
    )
    def get(self, request: Request) -> Response:
        query = shapes.InOrganizationQuery.parse_query(request)
        rows = selectors.visible_invitations(request.actor)
        if "organization" in query:
            rows = rows.filter(organization=query["organization"])
        page = Page.of(rows, order=Order("created_at"), cursor=query.get("cursor"), limit=query["limit"])
        return Response(page.answer(lambda row: shapes.InvitationOut(row).data))

    @extend_schema(
        operation_id="invitations_create",
        tags=["organizations"],
        request=shapes.InvitationIn,
        responses={201: shapes.InvitedOut},
    )
    def post(self, request: Request) -> Response:
        """Mail a link that is good once, for a week."""
        data = shapes.InvitationIn.parse(request)
        invited = invitations.invite(
            actor=request.actor,
            organization_id=data["organization"],
            email=data["email"],
            role=OrganizationRole(data["role"]),
            project_id=data.get("project"),
            project_role=ProjectRole(data["project_role"]),
        )
        answer = shapes.InvitationOut(invited.invitation).data | {"link": invited.link}
        return Response(answer, status=201, headers={"Cache-Control": "no-store"})


class InvitationView(APIView):
    @extend_schema(operation_id="invitations_revoke", tags=["organizations"], request=None, responses={204: None})
    def delete(self, request: Request, invitation_id: UUID) -> Response:
        invitations.revoke_invitation(actor=request.actor, invitation_id=invitation_id)
        return Response(status=204)


class InvitationAcceptView(APIView):
    @extend_schema(
        operation_id="invitations_accept",
        tags=["organizations"],
        request=shapes.AcceptIn,
        responses={201: shapes.MemberOut},
    )
    def post(self, request: Request) -> Response:
        """Join with the account one is signed in with; its address must be the invited one."""
        member = invitations.accept_invitation(actor=request.actor, token=shapes.AcceptIn.parse(request)["token"])
        return Response(shapes.MemberOut(member).data, status=201)
