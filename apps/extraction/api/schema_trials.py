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
    document = AnyObject(
        required=False, help_text="The JSON Schema as it would be; x-was names what a field was called before."
    )
    unique_keys = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField(max_length=200), allow_empty=False),
        required=False,
        max_length=5,
    )
    needed = serializers.ListField(child=serializers.CharField(max_length=200), required=False)


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


class DuplicateKeyOut(serializers.Serializer):
    fields = serializers.ListField(child=serializers.CharField())  # type: ignore[assignment]
    count = serializers.IntegerField()
    samples = TrialSampleOut(many=True)


class SchemaTrialOut(serializers.Serializer):
    """``records`` were tried, the newest of ``total``, as many as two seconds allow; ``fitting`` of them would follow by themselves. Of those that share the values of a
    key ``duplicate_keys`` counts the ones after the first; ``incomplete`` lack something that is needed.
    """

    changes = SchemaChangeOut(many=True)
    breaks = serializers.BooleanField()
    total = serializers.IntegerField()
    records = serializers.IntegerField()
    fitting = serializers.IntegerField()
    problems = TrialProblemOut(many=True)
    duplicate_keys = DuplicateKeyOut(many=True)
    incomplete = serializers.IntegerField()


class SchemaChangesView(APIView):
    @extend_schema(operation_id="collections_schema_changes", request=SchemaTrialIn, responses=SchemaTrialOut)
    def post(self, request: Request, collection_id: UUID) -> Response:
        """Writes nothing. Change the collection with the same document afterwards, then run ``records.migrate``."""
        tried = services.try_schema(actor=request.actor, collection_id=collection_id, **SchemaTrialIn.parse(request))
        return Response(tried.as_json())
