"""Shapes of the API of who is named to see a collection."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from apps.core.api import Serializer

_USER, _TEAM = "0198c0de-0000-7000-8000-000000000021", "0198c0de-0000-7000-8000-000000000022"


@extend_schema_serializer(
    examples=[
        OpenApiExample("a person", {"user": _USER}, request_only=True),
        OpenApiExample("a team", {"team": _TEAM}, request_only=True),
    ]
)
class ReaderIn(Serializer):
    """A person who sees the project, or a team of the organization: one of the two."""

    user = serializers.UUIDField(required=False)
    team = serializers.UUIDField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("user" in attrs) == ("team" in attrs):
            raise serializers.ValidationError(_("Name a person or a team."), code="one_of")
        return attrs


class ReaderNameOut(serializers.Serializer):
    id = serializers.UUIDField(source="pk")
    name = serializers.SerializerMethodField()

    def get_name(self, row: Any) -> str:
        return str(getattr(row, "display_name", "") or row.name)


class ReaderOut(serializers.Serializer):
    id = serializers.UUIDField(source="pk")
    user = ReaderNameOut(allow_null=True)
    team = ReaderNameOut(allow_null=True)
    created_at = serializers.DateTimeField()


class ReaderPageOut(serializers.Serializer):
    results = ReaderOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
