"""Conversations over JSON: find, parse, call, render."""

from __future__ import annotations

import functools
from typing import Any, ClassVar
from uuid import UUID

from django.core import signing
from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from apps.conversations import presentation, selectors, services, turn_order
from apps.conversations.api import serializers as shapes
from apps.conversations.api.examples import EXPORT_EXAMPLES, IMPORT_EXAMPLES, MESSAGE_EXAMPLES, SENSITIVE_EXAMPLES
from apps.conversations.downloads import download
from apps.conversations.models import Conversation
from apps.conversations.transfer_archive import opened
from apps.conversations.types import ListFilter
from apps.core.api import APIView, Order, Page, etag, expected_version
from apps.core.parsing import BoundedJSONParser

ORDER = Order("last_activity_at")


def _one(conversation: Conversation, request: Request) -> dict[str, Any]:
    mine = selectors.find_participation(conversation=conversation, user_id=request.actor.user_id)
    return presentation.conversation_data(conversation, mine)


def posted_data(posted: services.Posted) -> dict[str, Any]:
    return {
        "message": presentation.message_data(posted.message),
        "turn": presentation.turn_data(posted.turn) if posted.turn else None,
        "answer": presentation.message_data(posted.answer) if posted.answer else None,
    }


class ConversationListView(APIView):
    @extend_schema(
        operation_id="conversations_list",
        parameters=[shapes.ConversationQuery],
        responses=shapes.ConversationPageOut,
    )
    def get(self, request: Request) -> Response:
        query = shapes.ConversationQuery.parse_query(request)
        only = ListFilter(
            project_id=query.get("project"),
            q=query.get("q", ""),
            tag=query.get("tag", ""),
            archived={"false": False, "true": True, "all": None}[query["archived"]],
            deleted=query["deleted"],
            pinned=query["pinned"],
        )
        read = functools.partial(selectors.read_window, viewer=request.actor, only=only)
        page = Page.read(read, order=ORDER, cursor=query.get("cursor"), limit=query["limit"])
        mine = selectors.list_participations(viewer=request.actor, conversation_ids=[each.pk for each in page.results])
        return Response(page.answer(lambda each: presentation.conversation_data(each, mine.get(each.pk))))

    @extend_schema(
        operation_id="conversations_start", request=shapes.ConversationIn, responses={201: shapes.ConversationOut}
    )
    def post(self, request: Request) -> Response:
        data = shapes.ConversationIn.parse(request)
        conversation = services.start_conversation(actor=request.actor, project_id=data.pop("project"), **data)
        return Response(
            presentation.conversation_data(conversation), status=201, headers={"ETag": etag(conversation.version)}
        )


class ConversationView(APIView):
    @extend_schema(operation_id="conversations_read", responses=shapes.ConversationOut)
    def get(self, request: Request, conversation_id: UUID) -> Response:
        conversation = selectors.get_conversation(conversation_id=conversation_id, viewer=request.actor)
        return Response(_one(conversation, request), headers={"ETag": etag(conversation.version)})

    @extend_schema(
        operation_id="conversations_change", request=shapes.ConversationChangeIn, responses=shapes.ConversationOut
    )
    def patch(self, request: Request, conversation_id: UUID) -> Response:
        changes = shapes.ConversationChangeIn.parse(request)
        conversation = services.change_all(
            actor=request.actor,
            conversation_id=conversation_id,
            changes=changes,
            expected_version=expected_version(request),
        )
        return Response(_one(conversation, request), headers={"ETag": etag(conversation.version)})

    @extend_schema(operation_id="conversations_delete", request=None, responses={204: None})
    def delete(self, request: Request, conversation_id: UUID) -> Response:
        services.delete_conversation(
            actor=request.actor, conversation_id=conversation_id, expected_version=expected_version(request)
        )
        return Response(status=204)


class ConversationRestoreView(APIView):
    @extend_schema(operation_id="conversations_restore", request=None, responses=shapes.ConversationOut)
    def post(self, request: Request, conversation_id: UUID) -> Response:
        conversation = services.restore_conversation(actor=request.actor, conversation_id=conversation_id)
        return Response(_one(conversation, request))


class MessageListView(APIView):
    @extend_schema(operation_id="messages_list", parameters=[shapes.MessagesQuery], responses=shapes.MessagePageOut)
    def get(self, request: Request, conversation_id: UUID) -> Response:
        query = shapes.MessagesQuery.parse_query(request)
        conversation = selectors.get_conversation(conversation_id=conversation_id, viewer=request.actor)
        own = selectors.active_leaf(conversation=conversation, user_id=request.actor.user_id)
        leaf = query.get("leaf") or own
        after, before, limit, seen = _window(query)
        found = query.get("message")
        if (on := found or seen) and "leaf" not in query:
            leaf = selectors.end_of_branch(conversation=conversation, viewer=request.actor, seen_id=on)
            if found and after is None and before is None:
                number = selectors.find_number(conversation=conversation, message_id=found) or 0
                before = number + limit // 2 + 1
        rows = selectors.list_path(conversation=conversation, leaf_id=leaf, after=after, before=before, limit=limit + 1)
        from_end = before is not None
        more = len(rows) > limit
        rows = (rows[-limit:] if from_end else rows[:limit]) if more else rows
        siblings = selectors.sibling_ids(conversation=conversation, rows=rows)
        has_next = bool(rows) and (from_end or more)
        has_previous = bool(rows) and (more if from_end else (after or 0) > 0)
        return Response(
            {
                "results": [presentation.message_data(row, siblings=siblings.get(row.pk, [row.pk])) for row in rows],
                "next": _mark("after", rows[-1].number, leaf) if has_next else None,
                "previous": _mark("before", rows[0].number, leaf) if has_previous else None,
                "leaf": leaf,
                "own_leaf": own,
            }
        )

    @extend_schema(
        operation_id="messages_post",
        request=shapes.MessageIn,
        responses={202: shapes.PostedOut},
        examples=MESSAGE_EXAMPLES,
    )
    def post(self, request: Request, conversation_id: UUID) -> Response:
        data = shapes.MessageIn.parse(request)
        posted = services.post_message(
            actor=request.actor,
            conversation_id=conversation_id,
            content=data["content"],
            client_id=data.get("client_id"),
            parent_id=data.get("parent"),
            seen_id=data.get("seen"),
            attachments=data.get("attachments", []),
            references=data.get("references", []),
            model=data.get("model", ""),
            agent=data.get("agent"),
            unless_to_people=data.get("unless_to_people", False),
            sensitive=data.get("sensitive"),
        )
        return Response(posted_data(posted), status=202)


_SALT = "parlance.messages"


def _mark(direction: str, number: int, leaf: UUID | None) -> str:
    return signing.dumps([direction, number, str(leaf)], salt=_SALT)


def _window(query: dict[str, Any]) -> tuple[int | None, int | None, int, UUID | None]:
    """(after, before, limit, seen): the cursor of an earlier answer and where its branch ended, or positions that the caller names."""
    if cursor := query.get("cursor"):
        try:
            direction, number, *ends = signing.loads(cursor, salt=_SALT)  # one of an earlier version names no end
            seen = UUID(ends[0]) if ends else None
        except (signing.BadSignature, ValueError) as error:
            raise shapes.bad_cursor() from error
        after, before = (number, None) if direction == "after" else (None, number)
        return after, before, query["limit"], seen
    return query.get("after"), query.get("before"), query["limit"], None


class ConversationTurnsView(APIView):
    @extend_schema(operation_id="turns_request", request=shapes.TurnIn, responses={202: shapes.PostedOut})
    def post(self, request: Request, conversation_id: UUID) -> Response:
        data = shapes.TurnIn.parse(request)
        posted = services.request_turn(
            actor=request.actor,
            conversation_id=conversation_id,
            model=data.get("model", ""),
            agent=data.get("agent"),
        )
        return Response(posted_data(posted), status=202)


class ConversationForkView(APIView):
    @extend_schema(operation_id="conversations_fork", request=shapes.ForkIn, responses={201: shapes.ConversationOut})
    def post(self, request: Request, conversation_id: UUID) -> Response:
        data = shapes.ForkIn.parse(request)
        conversation = services.fork_conversation(
            actor=request.actor, conversation_id=conversation_id, message_id=data.get("message")
        )
        return Response(presentation.conversation_data(conversation), status=201)


class ConversationBranchesView(APIView):
    @extend_schema(operation_id="branches_list", responses=shapes.BranchesOut)
    def get(self, request: Request, conversation_id: UUID) -> Response:
        conversation = selectors.get_conversation(conversation_id=conversation_id, viewer=request.actor)
        return Response(selectors.describe_branches(conversation=conversation, viewer=request.actor))

    @extend_schema(operation_id="branches_choose", request=shapes.BranchIn, responses=shapes.BranchesOut)
    def post(self, request: Request, conversation_id: UUID) -> Response:
        data = shapes.BranchIn.parse(request)
        services.choose_branch(actor=request.actor, conversation_id=conversation_id, message_id=data["message"])
        return self.get(request, conversation_id)


class ConversationReadView(APIView):
    @extend_schema(operation_id="conversations_mark_read", request=shapes.ReadIn, responses={204: None})
    def post(self, request: Request, conversation_id: UUID) -> Response:
        data = shapes.ReadIn.parse(request)
        services.mark_read(actor=request.actor, conversation_id=conversation_id, number=data["position"])
        return Response(status=204)


class ConversationCommandsView(APIView):
    @extend_schema(operation_id="commands_list", responses=shapes.CommandsOut)
    def get(self, request: Request, conversation_id: UUID) -> Response:
        selectors.get_conversation(conversation_id=conversation_id, viewer=request.actor)
        return Response({"results": services.describe_commands()})

    @extend_schema(operation_id="commands_run", request=shapes.CommandIn, responses=shapes.CommandResultOut)
    def post(self, request: Request, conversation_id: UUID) -> Response:
        data = shapes.CommandIn.parse(request)
        result = services.run_command(actor=request.actor, conversation_id=conversation_id, **data)
        return Response({"notice": str(result.notice), "data": result.data})


class ConversationExportView(APIView):
    @extend_schema(
        operation_id="conversations_export",
        parameters=[shapes.ExportQuery],
        responses={
            (200, "application/json"): shapes.ExportOut,
            (200, "application/zip"): OpenApiResponse(
                OpenApiTypes.BINARY, description="`conversation.json` and `files/<SHA-256>`"
            ),
            (200, "text/markdown"): OpenApiResponse(OpenApiTypes.STR, description="Markdown"),
        },
        examples=EXPORT_EXAMPLES,
    )
    def get(self, request: Request, conversation_id: UUID) -> HttpResponseBase:
        """The whole tree with times, models, usage and files (`json`, `zip`), or the caller's path to read (`markdown`).

        A conversation whose files are too much for one JSON document answers `export_too_large` (413): take the ZIP.
        """
        query = shapes.ExportQuery.parse_query(request)
        return download(
            request._request,  # noqa: SLF001
            actor=request.actor,
            conversation_id=conversation_id,
            export_format=query["format"],
        )


class ConversationImportView(APIView):
    parser_classes: ClassVar = [BoundedJSONParser, MultiPartParser]

    @extend_schema(
        operation_id="conversations_import",
        request={"application/json": shapes.ImportIn, "multipart/form-data": shapes.ImportFileIn},
        responses={201: shapes.ConversationOut},
        examples=IMPORT_EXAMPLES,
    )
    def post(self, request: Request) -> Response:
        """A document that was exported, as JSON in the body (12 MB), or a file of either form (ZIP or JSON) in a form."""
        if (request.content_type or "").startswith("multipart/"):
            form = shapes.ImportFileIn.parse(request)
            with opened(form["file"].file) as package:
                conversation = services.import_conversation(
                    actor=request.actor,
                    project_id=form["project"],
                    document=package.document,
                    contents=package.contents,
                )
            return Response(presentation.conversation_data(conversation), status=201)
        data = shapes.ImportIn.parse(request)
        conversation = services.import_conversation(
            actor=request.actor, project_id=data["project"], document=data["conversation"]
        )
        return Response(presentation.conversation_data(conversation), status=201)


class MessageView(APIView):
    @extend_schema(operation_id="messages_read", responses=shapes.MessageOut)
    def get(self, request: Request, message_id: UUID) -> Response:
        return Response(presentation.message_data(selectors.get_message(message_id=message_id, viewer=request.actor)))

    @extend_schema(operation_id="messages_delete", request=None, responses={200: shapes.MessageOut})
    def delete(self, request: Request, message_id: UUID) -> Response:
        message = services.delete_message(actor=request.actor, message_id=message_id)
        return Response(presentation.message_data(message))


class MessageRestoreView(APIView):
    @extend_schema(operation_id="messages_restore", request=None, responses={200: shapes.MessageOut})
    def post(self, request: Request, message_id: UUID) -> Response:
        message = services.restore_message(actor=request.actor, message_id=message_id)
        return Response(presentation.message_data(message))


class MessageEditView(APIView):
    @extend_schema(operation_id="messages_edit", request=shapes.EditIn, responses={202: shapes.PostedOut})
    def post(self, request: Request, message_id: UUID) -> Response:
        data = shapes.EditIn.parse(request)
        posted = services.edit_message(actor=request.actor, message_id=message_id, **data)
        return Response(posted_data(posted), status=202)


class MessageSensitiveView(APIView):
    @extend_schema(operation_id="messages_mark", request=None, responses=shapes.MessageOut, examples=SENSITIVE_EXAMPLES)
    def put(self, request: Request, message_id: UUID) -> Response:
        """Seal it and its answers: in clear nowhere in the database, in no search and behind no share link."""
        return Response(presentation.message_data(services.mark_message(actor=request.actor, message_id=message_id)))

    @extend_schema(operation_id="messages_unmark", request=None, responses={200: shapes.MessageOut})
    def delete(self, request: Request, message_id: UUID) -> Response:
        """Open this one again. For its author, who asked for the answer, and the owner of the conversation; recorded."""
        return Response(presentation.message_data(services.unmark_message(actor=request.actor, message_id=message_id)))


class MessageRegenerateView(APIView):
    @extend_schema(operation_id="messages_regenerate", request=shapes.RegenerateIn, responses={202: shapes.PostedOut})
    def post(self, request: Request, message_id: UUID) -> Response:
        data = shapes.RegenerateIn.parse(request)
        posted = services.regenerate_answer(actor=request.actor, message_id=message_id, **data)
        return Response(posted_data(posted), status=202)


class MessageContinueView(APIView):
    @extend_schema(operation_id="messages_continue", request=None, responses={202: shapes.PostedOut})
    def post(self, request: Request, message_id: UUID) -> Response:
        return Response(posted_data(services.continue_answer(actor=request.actor, message_id=message_id)), status=202)


class TurnView(APIView):
    @extend_schema(operation_id="turns_read", responses=shapes.TurnOut)
    def get(self, request: Request, turn_id: UUID) -> Response:
        turn = selectors.get_turn(turn_id=turn_id, viewer=request.actor)
        return Response(presentation.turn_data(turn, place=turn_order.places_of([turn]).get(turn.pk, 0)))


class TurnStopView(APIView):
    @extend_schema(operation_id="turns_stop", request=None, responses={202: shapes.TurnOut})
    def post(self, request: Request, turn_id: UUID) -> Response:
        turn = services.stop_turn(actor=request.actor, turn_id=turn_id)
        return Response(presentation.turn_data(turn), status=202)
