"""Shapes of the API of where values come from."""

from __future__ import annotations

from rest_framework import serializers

from apps.extraction.models import FieldSource


class SourceOut(serializers.ModelSerializer[FieldSource]):
    """Where a field was said. Without ``method`` no words say it: the value is inferred. ``generated``: a model made it up, in ``operation``."""

    is_inferred = serializers.SerializerMethodField()
    message = serializers.UUIDField(source="message_id", allow_null=True)
    attachment = serializers.UUIDField(source="file_id", allow_null=True)
    model = serializers.CharField(source="read_by")
    operation = serializers.UUIDField(source="operation_id", allow_null=True)
    is_demo = serializers.BooleanField(source="is_by_demo")

    class Meta:
        model = FieldSource
        fields = (
            "field",
            "is_inferred",
            "method",
            "confidence",
            "message",
            "attachment",
            "start",
            "end",
            "start_utf16",
            "end_utf16",
            "run",
            "operation",
            "model",
            "is_demo",
        )

    def get_is_inferred(self, row: FieldSource) -> bool:
        return not row.method


class SourceListOut(serializers.Serializer):
    results = SourceOut(many=True)
