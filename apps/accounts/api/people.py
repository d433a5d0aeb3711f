"""``me/`` and one's own sessions."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import policies, selectors
from apps.accounts.api import serializers as shapes
from apps.accounts.models import User
from apps.accounts.services import people, personal, sessions
from apps.accounts.types import Actor
from apps.core.api import APIView, Order, Page, PageQuery, etag, expected_version

EXAMPLE = OpenApiExample(
    "me",
    {
        "id": "019ad3c0-7a3c-7b7e-9a53-3c1f5e0d8f11",
        "email": "ines@example.org",
        "name": "Inês Duarte",
        "language": "en",
        "time_zone": "Europe/Lisbon",
        "is_operator": False,
        "version": 1,
        "organizations": [{"id": "019ad3c0-7a3c-7b7e-9a53-3c1f5e0d8f12", "name": "Harbour", "role": "owner"}],
    },
    response_only=True,
)


SESSIONS = OpenApiExample(
    "sessions",
    {
        "results": [
            {
                "id": "019ad3c0-7a3c-7b7e-9a53-3c1f5e0d8f15",
                "kind": "cookie",
                "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
                "label": "Firefox · Linux",
                "address": "192.0.2.7",
                "country": "PT",
                "device_id": "019ad3c0-7a3c-7b7e-9a53-3c1f5e0d8f13",
                "method": "passkey",
                "auth_level": 2,
                "created_at": "2026-11-21T08:01:00Z",
                "last_seen_at": "2026-11-21T09:30:00Z",
                "is_current": True,
            }
        ],
        "next": None,
        "previous": None,
    },
    response_only=True,
)


def _answer(user: User, viewer: Actor) -> Response:
    organizations = selectors.visible_organizations(viewer).order_by("name", "pk")[:100]
    user.organizations = list(organizations)  # type: ignore[attr-defined]
    return Response(shapes.MeOut(user).data, headers={"ETag": etag(user.version)})


class MeExportView(APIView):
    @extend_schema(
        operation_id="me_export",
        tags=["me"],
        responses=shapes.MeExportOut,
        examples=[
            OpenApiExample(
                "what accounts keeps",
                {"accounts": {"devices": [{"id": "019ad3c0-7a3c-7b7e-9a53-3c1f5e0d8f13", "user_agent": "Firefox"}]}},
                response_only=True,
            )
        ],
    )
    def get(self, request: Request) -> Response:
        """What is kept of oneself, by app and kind, without secrets. Conversations leave by their own export. In person, not by a key."""
        told = personal.export_person(actor=request.actor)
        return Response(told, headers={"Cache-Control": "no-store"})


class MeView(APIView):
    @extend_schema(operation_id="me_read", tags=["me"], responses=shapes.MeOut, examples=[EXAMPLE])
    def get(self, request: Request) -> Response:
        """Who this key or session acts for. A key sees its own organization only."""
        return _answer(selectors.get_user(request.actor.user_id), request.actor)

    @extend_schema(
        operation_id="me_change", tags=["me"], request=shapes.MeIn, responses=shapes.MeOut, examples=[EXAMPLE]
    )
    def patch(self, request: Request) -> Response:
        """Name, language and time zone. E-mail and password have pages of their own."""
        policies.require(policies.can_change_own_account(request.actor))
        user = people.change_profile(
            actor=request.actor, expected_version=expected_version(request), **shapes.MeIn.parse(request)
        )
        return _answer(user, request.actor)


class SessionListView(APIView):
    @extend_schema(
        operation_id="me_sessions_list",
        tags=["me"],
        parameters=[PageQuery],
        responses=shapes.SessionPageOut,
        examples=[SESSIONS],
    )
    def get(self, request: Request) -> Response:
        """Where one is signed in, newest first, with how it began."""
        policies.require(policies.can_change_own_account(request.actor))
        query = PageQuery.parse_query(request)
        rows = selectors.list_own_sessions(request.actor)
        page = Page.of(rows, order=Order("created_at"), cursor=query.get("cursor"), limit=query["limit"])
        return Response(page.answer(lambda row: shapes.SessionOut(row, context={"viewer": request.actor}).data))

    @extend_schema(operation_id="me_sessions_end_others", tags=["me"], request=None, responses={204: None})
    def delete(self, request: Request) -> Response:
        """End all but this one. 403 `fresh_sign_in_needed` when one's last proof is older than fifteen minutes."""
        sessions.end_other_sessions(actor=request.actor)
        return Response(status=204)


class SessionView(APIView):
    @extend_schema(operation_id="me_sessions_end", tags=["me"], request=None, responses={204: None})
    def delete(self, request: Request, session_id: UUID) -> Response:
        """End it: its cookie, its tokens and its sockets. Another one than this takes a proof of the last fifteen minutes (403 `fresh_sign_in_needed`)."""
        sessions.end_session(actor=request.actor, session_id=session_id)
        return Response(status=204)
