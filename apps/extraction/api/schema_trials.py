"""What another schema would break, before it is there."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import APIView, Serializer
from apps.extraction import services
from apps.extraction.api.serializers import AnyObject
from apps.extraction.schema_changes import ChangeKind


class SchemaTrialIn(Serializer):
    document = AnyObject(help_text="The JSON Schema as it would be; x-was names what a field was called before.")


class SchemaChangeOut(serializers.Serializer):
    kind = serializers.ChoiceField(choices=[each.value for each in ChangeKind])
    before = serializers.CharField(allow_blank=True)
    after = serializers.CharField(allow_blank=True)
    breaks = serializers.BooleanField()


class TrialSampleOut(serializers.Serializer):
    record = serializers.UUIDField()
    title = serializers.CharField(allow_blank=True)
    value = serializers.CharField(allow_blank=True)


class TrialProblemOut(serializers.Serializer):
    field = serializers.CharField(allow_blank=True)
    code = serializers.CharField()
    detail = serializers.CharField()
    count = serializers.IntegerField()
    samples = TrialSampleOut(many=True)


class SchemaTrialOut(serializers.Serializer):
    """``records`` were tried, the newest of ``total``; ``fitting`` of them would follow by themselves."""

    changes = SchemaChangeOut(many=True)
    breaks = serializers.BooleanField()
    total = serializers.IntegerField()
    records = serializers.IntegerField()
    fitting = serializers.IntegerField()
    problems = TrialProblemOut(many=True)


class SchemaChangesView(APIView):
    @extend_schema(operation_id="collections_schema_changes", request=SchemaTrialIn, responses=SchemaTrialOut)
    def post(self, request: Request, collection_id: UUID) -> Response:
        """Writes nothing. Change the collection with the same document afterwards, then run ``records.migrate``."""
        document = SchemaTrialIn.parse(request)["document"]
        tried = services.try_schema(actor=request.actor, collection_id=collection_id, document=document)
        return Response(tried)
