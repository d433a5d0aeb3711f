"""Who is let into a conversation, who is kept out, and its share links."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import policies as account_policies
from apps.accounts.api.right_shapes import AccessQuery
from apps.accounts.api.tokens import PublicAPIView
from apps.accounts.types import Permission
from apps.conversations import explanations, policies, presentation, selectors, services
from apps.conversations.api import sharing_serializers as shapes
from apps.conversations.models import Conversation, ConversationDenial, ShareLink
from apps.conversations.types import PUBLIC_HEADERS
from apps.conversations.visitors import limit_readers, shared_file_url
from apps.core.api import APIView


class ConversationAccessView(APIView):
    @extend_schema(
        operation_id="conversations_access", parameters=[AccessQuery], responses=shapes.ConversationAccessOut
    )
    def get(self, request: Request, conversation_id: UUID) -> Response:
        """Why somebody can, or cannot, read or write in it: the layers of the project and of the conversation, and what is left."""
        user_id = AccessQuery.parse_query(request)["user"]
        found, may, layers = explanations.explain(
            viewer=request.actor, conversation_id=conversation_id, user_id=user_id
        )
        told = {
            "user": user_id,
            "name": found.name,
            "may": may,
            "role": found.role,
            "project_layers": found.layers,
            "layers": layers,
        }
        return Response(shapes.ConversationAccessOut(told).data)


class ParticipantListView(APIView):
    @extend_schema(
        operation_id="participants_list", responses=shapes.ParticipantsOut, examples=shapes.PARTICIPANTS_EXAMPLES
    )
    def get(self, request: Request, conversation_id: UUID) -> Response:
        """Who was let in beside those who see it by their role in the project: people in `results`, and teams."""
        conversation = selectors.get_conversation(conversation_id=conversation_id, viewer=request.actor)
        found = selectors.list_participants(conversation=conversation, viewer=request.actor)
        rows: dict[bool, list[dict[str, Any]]] = {False: [], True: []}
        for each in found:
            rows[each.is_team].append({"id": str(each.id), "name": each.name, "can_post": each.can_post})
        owner = presentation.person_data(conversation.owner)
        return Response({"owner": owner, "results": rows[False], "teams": rows[True]})

    @extend_schema(
        operation_id="participants_invite",
        request=shapes.ParticipantIn,
        responses={204: None},
        examples=shapes.PARTICIPANT_EXAMPLES,
    )
    def post(self, request: Request, conversation_id: UUID) -> Response:
        """One person or one team of the organization, to read (`view`) or also to write (`post`). It takes no role in the project."""
        data = shapes.ParticipantIn.parse(request)
        services.invite_participant(
            actor=request.actor,
            conversation_id=conversation_id,
            user_id=data.get("user"),
            team_id=data.get("team"),
            permission=Permission(data.get("permission", Permission.POST)),
        )
        return Response(status=204)


class ParticipantView(APIView):
    @extend_schema(operation_id="participants_remove", request=None, responses={204: None})
    def delete(self, request: Request, conversation_id: UUID, user_id: UUID) -> Response:
        """The owner takes access away; who was let in leaves with their own id."""
        services.remove_participant(actor=request.actor, conversation_id=conversation_id, user_id=user_id)
        return Response(status=204)


class TeamParticipantView(APIView):
    @extend_schema(operation_id="participants_remove_team", request=None, responses={204: None})
    def delete(self, request: Request, conversation_id: UUID, team_id: UUID) -> Response:
        services.remove_participant(actor=request.actor, conversation_id=conversation_id, team_id=team_id)
        return Response(status=204)


def denial_data(denial: ConversationDenial) -> dict[str, Any]:
    team = denial.team
    return {
        "id": str(denial.pk),
        "user": presentation.person_data(denial.user),
        "team": {"id": str(team.pk), "name": team.name} if team is not None else None,
        "permission": denial.permission,
    }


def _managed(request: Request, conversation_id: UUID) -> Conversation:
    """For those who may keep others out and see its links."""
    conversation = selectors.get_conversation(conversation_id=conversation_id, viewer=request.actor)
    access = selectors.access_to(conversation, request.actor)
    account_policies.require(policies.can_deny(request.actor, conversation, access=access))
    return conversation


class DenialListView(APIView):
    @extend_schema(operation_id="conversation_denials_list", responses=shapes.DenialsOut)
    def get(self, request: Request, conversation_id: UUID) -> Response:
        conversation = _managed(request, conversation_id)
        rows = selectors.list_denials(conversation=conversation, viewer=request.actor)
        return Response({"results": [denial_data(row) for row in rows]})

    @extend_schema(
        operation_id="conversation_denials_add",
        request=shapes.DenialIn,
        responses={201: shapes.DenialOut},
        examples=shapes.DENIAL_EXAMPLES,
    )
    def post(self, request: Request, conversation_id: UUID) -> Response:
        """Wins over every role and grant: `view` takes all of the conversation, `post` leaves it readable."""
        data = shapes.DenialIn.parse(request)
        denial = services.deny_participant(
            actor=request.actor,
            conversation_id=conversation_id,
            user_id=data.get("user"),
            team_id=data.get("team"),
            permission=Permission(data.get("permission", Permission.VIEW)),
        )
        return Response(denial_data(denial), status=201)


class DenialView(APIView):
    @extend_schema(operation_id="conversation_denials_lift", request=None, responses={204: None})
    def delete(self, request: Request, conversation_id: UUID, denial_id: UUID) -> Response:
        services.lift_denial(actor=request.actor, conversation_id=conversation_id, denial_id=denial_id)
        return Response(status=204)


def link_data(link: ShareLink, *, token: str = "") -> dict[str, Any]:
    """``url`` only with the token, once."""
    return {
        "id": str(link.pk),
        "hint": link.hint,
        "created_by": presentation.person_data(link.created_by),
        "created_at": presentation.moment(link.created_at),
        "shared_at": presentation.moment(link.shared_at),
        "up_to_position": link.up_to_number,
        "expires_at": presentation.moment(link.expires_at),
        "is_in_force": policies.is_link_in_force(link, link.conversation),
        "url": settings.PARLANCE_URL + reverse("conversations:shared", args=[token]) if token else None,
    }


class LinkListView(APIView):
    @extend_schema(operation_id="share_links_list", responses=shapes.LinksOut)
    def get(self, request: Request, conversation_id: UUID) -> Response:
        """For its owner and for managers of the project: which links there are, and who made them."""
        conversation = _managed(request, conversation_id)
        rows = list(selectors.list_links(conversation=conversation, viewer=request.actor))
        for row in rows:
            row.conversation = conversation
        return Response({"results": [link_data(row) for row in rows]})

    @extend_schema(
        operation_id="share_links_make",
        request=shapes.LinkIn,
        responses={201: shapes.LinkOut},
        examples=shapes.LINK_EXAMPLES,
    )
    def post(self, request: Request, conversation_id: UUID) -> Response:
        """`url` is told once. The link shows the conversation as it is now; messages that come later are absent until `renew/`."""
        data = shapes.LinkIn.parse(request)
        made = services.make_link(
            actor=request.actor, conversation_id=conversation_id, expires_at=data.get("expires_at")
        )
        return Response(link_data(made.link, token=made.token), status=201)


class LinkView(APIView):
    @extend_schema(operation_id="share_links_withdraw", request=None, responses={204: None})
    def delete(self, request: Request, conversation_id: UUID, link_id: UUID) -> Response:
        services.withdraw_link(actor=request.actor, conversation_id=conversation_id, link_id=link_id)
        return Response(status=204)


class LinkRenewView(APIView):
    @extend_schema(operation_id="share_links_renew", request=None, responses={200: shapes.LinkOut})
    def post(self, request: Request, conversation_id: UUID, link_id: UUID) -> Response:
        """Share again: the same address shows the conversation as it is now."""
        link = services.renew_link(actor=request.actor, conversation_id=conversation_id, link_id=link_id)
        return Response(link_data(link))


class SharedView(PublicAPIView):
    """Takes no credentials: the token is the right."""

    @extend_schema(
        operation_id="shared_read",
        auth=[],
        parameters=[shapes.SharedQuery],
        responses=shapes.SharedOut,
        examples=shapes.SHARED_EXAMPLES,
    )
    def get(self, request: Request, token: str) -> Response:
        """What a share link shows, oldest first. Withdrawn, expired and unknown links are the same `link_not_found`."""
        query = shapes.SharedQuery.parse_query(request)
        limit_readers(request._request)  # noqa: SLF001
        link = selectors.get_link(token=token)
        rows, has_more = selectors.list_shown(link, after=query.get("after", 0))
        data = {
            "title": link.conversation.title,
            "shared_at": presentation.moment(link.shared_at),
            "messages": [
                presentation.shared_message_data(row, file_url=partial(shared_file_url, token)) for row in rows
            ],
            "next": rows[-1].number if has_more else None,
        }
        return Response(data, headers=PUBLIC_HEADERS)
