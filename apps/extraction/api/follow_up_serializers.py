"""Shapes of the API of questions about what is missing."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.api import PageQuery, Serializer
from apps.extraction.models import FollowUp
from apps.extraction.types import FollowUpStatus, QuestionState


class QuestionOut(serializers.Serializer):
    field = serializers.CharField()
    cause = serializers.ChoiceField(choices=[("missing", "Missing"), ("ambiguous", "Ambiguous")])
    state = serializers.ChoiceField(choices=QuestionState.choices)
    message = serializers.UUIDField(allow_null=True, help_text="The message that answered it.")


class FollowUpOut(serializers.ModelSerializer[FollowUp]):
    conversation = serializers.UUIDField(source="conversation_id")
    asked_in = serializers.UUIDField(allow_null=True, help_text="The message that asks.")
    questions = QuestionOut(many=True)

    class Meta:
        model = FollowUp
        fields = (
            "id",
            "project",
            "conversation",
            "collection",
            "proposal",
            "title",
            "asked_in",
            "questions",
            "status",
            "version",
            "created_at",
            "updated_at",
        )


class FollowUpQuery(PageQuery):
    project = serializers.UUIDField(required=False)
    conversation = serializers.UUIDField(required=False)
    status = serializers.ChoiceField(choices=FollowUpStatus.choices, required=False)


class FollowUpPageOut(serializers.Serializer):
    results = FollowUpOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


@extend_schema_field({})
class AnyValue(serializers.JSONField):
    """What the field takes; the collection's schema says."""


class AnswerIn(Serializer):
    field = serializers.CharField(max_length=200)
    value: Any = AnyValue()


class SkipIn(Serializer):
    field = serializers.CharField(max_length=200)
