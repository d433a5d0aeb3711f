"""Wishes and described collections over JSON: have words read, look at what was understood, change, confirm or dismiss it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils.translation import get_language
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import rules
from apps.core.api import APIView, Order, Page, PageQuery, Serializer, etag, expected_version
from apps.core.rule_fields import Text
from apps.extraction import services, wish_selectors
from apps.extraction.made_types import MAX_BRIEF, MAX_MADE
from apps.extraction.models import Wish
from apps.extraction.wish_types import DESCRIBED_KINDS, MAX_WISH_FIELDS, WishKind, WishStatus


class WishIn(Serializer):
    """``message``: below which it is shown. ``kind`` collection: the words describe one, and no records are made."""

    kind = serializers.ChoiceField(choices=WishKind.choices, required=False, default=WishKind.RECORDS)
    conversation = serializers.UUIDField()
    message = serializers.UUIDField()
    words = Text(rules.TEXT.of(MAX_BRIEF))


class WishFieldIn(Serializer):
    name = Text(rules.NAME.of(80))
    title = Text(rules.NAME.of(80), required=False)
    kind = serializers.ChoiceField(choices=list(DESCRIBED_KINDS))
    choices = serializers.ListField(child=Text(rules.NAME.of(80)), max_length=50, required=False)
    required = serializers.BooleanField(required=False, help_text="Of a described collection, as the two below.")
    is_list = serializers.BooleanField(required=False)
    relation = Text(rules.SLUG.of(60), required=False, help_text="Short name of the collection that it points to.")


class WishChangeIn(Serializer):
    count = serializers.IntegerField(required=False, min_value=1, max_value=MAX_MADE)
    brief = Text(rules.TEXT.of(MAX_BRIEF), required=False)
    collection = serializers.UUIDField(required=False, allow_null=True, help_text="Null: a new one.")
    name = Text(rules.NAME.of(80), required=False)
    new_fields = serializers.ListField(
        child=WishFieldIn(), max_length=MAX_WISH_FIELDS, required=False, help_text="Of the new collection."
    )
    review = serializers.BooleanField(
        required=False, help_text="Each is a suggestion first, and a record once somebody accepts it."
    )


class WishEstimateOut(serializers.Serializer):
    cost = serializers.CharField(allow_null=True)
    currency = serializers.CharField(allow_blank=True)
    seconds = serializers.FloatField(allow_null=True)
    basis = serializers.CharField()


class WishOut(serializers.ModelSerializer[Wish]):
    """``operation`` is there once somebody confirmed it."""

    conversation = serializers.UUIDField(source="conversation_id")
    message = serializers.UUIDField(source="shown_under")
    kind = serializers.ChoiceField(choices=WishKind.choices)
    status = serializers.ChoiceField(choices=WishStatus.choices)
    operation = serializers.UUIDField(source="operation_id", allow_null=True)
    new_fields = serializers.JSONField(source="fields")
    review = serializers.BooleanField(source="is_reviewed")
    asked_count = serializers.IntegerField(
        help_text="How many the words ask for, where that is more than are made at once; 0: no more than count."
    )
    estimate = serializers.SerializerMethodField()

    class Meta:
        model = Wish
        fields = (
            "id",
            "project",
            "conversation",
            "message",
            "kind",
            "status",
            "error_code",
            "answered_by",
            "is_demo",
            "count",
            "asked_count",
            "brief",
            "collection",
            "name",
            "new_fields",
            "review",
            "estimate",
            "operation",
            "requested_by",
            "decided_by",
            "decided_at",
            "version",
            "created_at",
        )

    @extend_schema_field(WishEstimateOut(allow_null=True))
    def get_estimate(self, row: Wish) -> dict[str, Any] | None:
        return row.estimate or None


class WishPageOut(serializers.Serializer):
    results = WishOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class WishQuery(PageQuery):
    conversation = serializers.UUIDField(required=False)
    project = serializers.UUIDField(required=False)


class WishListView(APIView):
    @extend_schema(operation_id="wishes_list", parameters=[WishQuery], responses=WishPageOut)
    def get(self, request: Request) -> Response:
        query = WishQuery.parse_query(request)
        rows = wish_selectors.list_wishes(
            request.actor, conversation_id=query.get("conversation"), project_id=query.get("project")
        )
        page = Page.of(rows, order=Order("created_at"), cursor=query.get("cursor"), limit=query["limit"])
        return Response(page.answer(lambda row: WishOut(row).data))

    @extend_schema(operation_id="wishes_create", request=WishIn, responses={202: WishOut})
    def post(self, request: Request) -> Response:
        """Nothing is made until it is confirmed."""
        data = WishIn.parse(request)
        wish = services.request_wish(
            actor=request.actor,
            conversation_id=data["conversation"],
            message_id=data["message"],
            words=data["words"],
            kind=data["kind"],
            language=get_language() or "en",
        )
        return Response(WishOut(wish).data, status=202)


class WishView(APIView):
    @extend_schema(operation_id="wishes_read", responses=WishOut)
    def get(self, request: Request, wish_id: UUID) -> Response:
        wish = wish_selectors.get_wish(wish_id=wish_id, viewer=request.actor)
        return Response(WishOut(wish).data, headers={"ETag": etag(wish.version)})

    @extend_schema(operation_id="wishes_change", request=WishChangeIn, responses=WishOut)
    def patch(self, request: Request, wish_id: UUID) -> Response:
        changes = WishChangeIn.parse(request)
        if "new_fields" in changes:
            changes["fields"] = changes.pop("new_fields")
        wish = services.change_wish(
            actor=request.actor, wish_id=wish_id, changes=changes, expected_version=expected_version(request)
        )
        return Response(WishOut(wish).data, headers={"ETag": etag(wish.version)})


class WishConfirmView(APIView):
    @extend_schema(operation_id="wishes_confirm", request=None, responses={202: WishOut})
    def post(self, request: Request, wish_id: UUID) -> Response:
        """Makes the collection, where it is new, and starts the operation, with the rights of who confirms. Of a described collection
        the collection alone.
        """
        return Response(WishOut(services.confirm_wish(actor=request.actor, wish_id=wish_id)).data, status=202)


class WishDismissView(APIView):
    @extend_schema(operation_id="wishes_dismiss", request=None, responses=WishOut)
    def post(self, request: Request, wish_id: UUID) -> Response:
        return Response(WishOut(services.dismiss_wish(actor=request.actor, wish_id=wish_id)).data)
