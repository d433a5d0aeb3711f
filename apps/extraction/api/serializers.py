"""Shapes of the API of collections and records."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from apps.core import rules
from apps.core.api import PageQuery, Serializer
from apps.core.rule_fields import Text
from apps.extraction.models import Collection, CollectionSchema, Record, RecordRevision
from apps.extraction.types import RevisionKind, Trust

PEOPLE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "title": "Name"},
        "age": {"type": "integer", "minimum": 0},
        "occupation": {"type": "string"},
        "sibling": {"type": "array", "items": {"type": "string", "format": "uuid"}, "x-relation": "people"},
    },
    "required": ["name"],
}


class _Object(serializers.JSONField):
    """A JSON object; what is in it is for the schema to say."""

    default_error_messages = {"object": "An object is needed."}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            self.fail("object")
        return super().to_internal_value(data)


@extend_schema_field({"type": "object", "additionalProperties": True})
class AnyObject(_Object):
    pass


class _CollectionShape(Serializer):
    name = Text(rules.NAME.of(80))
    slug = Text(rules.SLUG.of(60), required=False)
    description = serializers.CharField(max_length=500, required=False, allow_blank=True)
    document = AnyObject(help_text="A JSON Schema (2020-12) of an object.")
    title_template = serializers.CharField(
        max_length=300, required=False, allow_blank=True, help_text="Names of fields in braces: {first} {last}."
    )
    unique_keys = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField(max_length=200), max_length=10),
        max_length=5,
        required=False,
        help_text="Each list of fields is one key: no two records have the same values in all of them.",
    )
    needed = serializers.ListField(
        child=serializers.CharField(max_length=200),
        max_length=200,
        required=False,
        help_text="Fields that a complete record has. A record without them is kept, and says what is missing.",
    )
    aliases = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField(max_length=80), max_length=20), required=False
    )
    trust = serializers.ChoiceField(choices=Trust.choices, required=False)
    trust_above = serializers.FloatField(min_value=0, max_value=1, required=False)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "People",
            {
                "project": "0198c0de-0000-7000-8000-000000000001",
                "name": "People",
                "document": PEOPLE,
                "title_template": "{name}",
                "unique_keys": [["name"]],
                "needed": ["age"],
            },
            request_only=True,
        )
    ]
)
class CollectionIn(_CollectionShape):
    project = serializers.UUIDField()


class CollectionChangeIn(_CollectionShape):
    name = Text(rules.NAME.of(80), required=False)
    document = AnyObject(required=False)


class CollectionOut(serializers.ModelSerializer[Collection]):
    document = AnyObject(read_only=True)

    class Meta:
        model = Collection
        fields = (
            "id",
            "project",
            "slug",
            "name",
            "description",
            "document",
            "schema_number",
            "title_template",
            "unique_keys",
            "needed",
            "aliases",
            "trust",
            "trust_above",
            "version",
            "created_at",
            "updated_at",
        )


class CollectionQuery(PageQuery):
    project = serializers.UUIDField(required=False)


class CollectionPageOut(serializers.Serializer):
    results = CollectionOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class SchemaOut(serializers.ModelSerializer[CollectionSchema]):
    class Meta:
        model = CollectionSchema
        fields = ("number", "document", "created_at")


class SchemaListOut(serializers.Serializer):
    results = SchemaOut(many=True)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Sarah",
            {
                "collection": "0198c0de-0000-7000-8000-000000000002",
                "data": {"name": "Sarah", "age": 28, "occupation": "journalist"},
            },
            request_only=True,
        )
    ]
)
class RecordIn(Serializer):
    collection = serializers.UUIDField()
    data = AnyObject()


class RecordChangeIn(Serializer):
    data = AnyObject(help_text="The fields to change. Null takes a field away.")


class SetBackIn(Serializer):
    number = serializers.IntegerField(min_value=1, max_value=2**31 - 1, help_text="Of the version in the history.")


class RecordOut(serializers.ModelSerializer[Record]):
    class Meta:
        model = Record
        fields = (
            "id",
            "collection",
            "project",
            "title",
            "data",
            "is_complete",
            "missing",
            "schema_number",
            "version",
            "created_by",
            "created_at",
            "updated_at",
        )


class RecordQuery(PageQuery):
    collection = serializers.UUIDField()
    q = serializers.CharField(required=False, max_length=200, allow_blank=True)
    complete = serializers.BooleanField(required=False, allow_null=True, default=None)
    sort = serializers.ChoiceField(
        choices=["-created_at", "created_at", "title", "-title", "-updated_at", "updated_at"],
        required=False,
        default="-created_at",
    )
    where = serializers.CharField(
        required=False,
        max_length=500,
        help_text="field:operator:value; operators: is, not, has, over, under, from, to, empty, filled. May come several times: all hold.",
    )


class RecordPageOut(serializers.Serializer):
    results = RecordOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class RevisionOut(serializers.ModelSerializer[RecordRevision]):
    kind = serializers.ChoiceField(choices=RevisionKind.choices)

    class Meta:
        model = RecordRevision
        fields = ("number", "kind", "data", "schema_number", "author", "created_at")


class RevisionPageOut(serializers.Serializer):
    results = RevisionOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
