"""Shapes of the API of views and comments."""

from __future__ import annotations

from rest_framework import serializers

from apps.core import rules
from apps.core.api import Serializer
from apps.core.rule_fields import Text
from apps.extraction import orders
from apps.extraction.filters import MAX_CONDITIONS
from apps.extraction.models import RecordComment, RecordView
from apps.extraction.types import MAX_COMMENT


class ViewState(Serializer):
    """What the table is asked for."""

    where = serializers.ListField(
        child=serializers.CharField(max_length=500),
        max_length=MAX_CONDITIONS,
        required=False,
        help_text="field:operator:value, as in the list of records.",
    )
    q = serializers.CharField(required=False, max_length=200, allow_blank=True)
    sort = serializers.RegexField(orders.PATTERN, required=False, help_text="As in the list of records.")
    complete = serializers.BooleanField(required=False, allow_null=True)
    columns = serializers.ListField(
        child=serializers.CharField(max_length=200), max_length=200, required=False, help_text="None: the first ones."
    )
    look = serializers.ChoiceField(choices=["table", "cards", "graph"], required=False)


class ViewIn(Serializer):
    name = Text(rules.NAME.of(60))
    state = ViewState()
    is_shared = serializers.BooleanField(required=False, help_text="Everybody who sees the project has it.")


class ViewChangeIn(Serializer):
    name = Text(rules.NAME.of(60), required=False)
    state = ViewState(required=False)
    is_shared = serializers.BooleanField(required=False)


class ViewOut(serializers.ModelSerializer[RecordView]):
    state = ViewState()

    class Meta:
        model = RecordView
        fields = (
            "id",
            "collection",
            "project",
            "owner",
            "name",
            "is_shared",
            "state",
            "version",
            "created_at",
            "updated_at",
        )


class ViewPageOut(serializers.Serializer):
    results = ViewOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class CommentIn(Serializer):
    text = Text(rules.TEXT.of(MAX_COMMENT), allow_blank=False)


class CommentOut(serializers.ModelSerializer[RecordComment]):
    class Meta:
        model = RecordComment
        fields = ("id", "record", "author", "answered_by", "text", "version", "created_at", "edited_at")


class CommentPageOut(serializers.Serializer):
    results = CommentOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
