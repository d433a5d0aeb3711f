"""Shapes of the API of collections and records."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from apps.core import rules
from apps.core.api import PageQuery, Serializer
from apps.core.rule_fields import Text
from apps.extraction import orders
from apps.extraction.models import (
    Collection,
    CollectionSchema,
    ExtractionRun,
    Proposal,
    Record,
    RecordRevision,
)
from apps.extraction.types import MAX_COLLECTIONS_A_RUN, ProposalStatus, RevisionKind, Trust, Visibility

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
    description = Text(rules.TEXT.of(500), required=False)
    document = AnyObject(help_text="A JSON Schema (2020-12) of an object.")
    title_template = Text(rules.TITLE.of(300), required=False, help_text="Names of fields in braces: {first} {last}.")
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
    visibility = serializers.ChoiceField(
        choices=Visibility.choices,
        required=False,
        help_text="project: everyone who sees the project. named: only people and teams in `readers/`, and managers of the project.",
    )


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
    is_reshaping = serializers.BooleanField(
        read_only=True,
        help_text="Records that are there still get title, keys and what is missing as it was changed; a new key does not hold for them yet.",
    )

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
            "is_reshaping",
            "title_template",
            "unique_keys",
            "needed",
            "aliases",
            "trust",
            "trust_above",
            "visibility",
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
            "merged_into",
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
    behind = serializers.BooleanField(
        required=False, allow_null=True, default=None, help_text="Written by an older schema."
    )
    sort = serializers.RegexField(
        orders.PATTERN,
        required=False,
        default=orders.DEFAULT,
        help_text="created_at, updated_at, title, or data.<field> of a field with one plain value; - before it: descending. Records "
        "without a value come last both ways.",
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


class SelectionIn(Serializer):
    start = serializers.IntegerField(min_value=0, max_value=10_000_000)
    end = serializers.IntegerField(min_value=1, max_value=10_000_000)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A message",
            {
                "project": "0198c0de-0000-7000-8000-000000000001",
                "message": "0198c0de-0000-7000-8000-000000000003",
                "collections": ["0198c0de-0000-7000-8000-000000000002"],
            },
            request_only=True,
        )
    ]
)
class ExtractionIn(Serializer):
    project = serializers.UUIDField()
    collections = serializers.ListField(
        child=serializers.UUIDField(),
        max_length=MAX_COLLECTIONS_A_RUN,
        required=False,
        help_text="None named: all of the project.",
    )
    conversation = serializers.UUIDField(required=False)
    message = serializers.UUIDField(required=False)
    attachment = serializers.UUIDField(required=False)
    selection = SelectionIn(required=False, help_text="Code points of the message or file.")
    model = serializers.CharField(max_length=200, required=False, allow_blank=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        named = [name for name in ("conversation", "message", "attachment") if name in attrs]
        if len(named) != 1:
            raise serializers.ValidationError(_("Name one of conversation, message and attachment."), code="one_source")
        chosen = attrs.get("selection")
        if chosen and (named == ["conversation"] or chosen["end"] <= chosen["start"]):
            raise serializers.ValidationError(
                {"selection": _("A selection is a part of one message or file, and ends after it begins.")}
            )
        return attrs


class ProposalOut(serializers.ModelSerializer[Proposal]):
    data = AnyObject()
    sources = serializers.ListField(child=AnyObject())
    links = serializers.ListField(child=AnyObject())
    problems = serializers.ListField(child=AnyObject())
    duplicates = serializers.ListField(child=AnyObject())

    class Meta:
        model = Proposal
        fields = (
            "id",
            "run",
            "project",
            "collection",
            "number",
            "entity_id",
            "data",
            "sources",
            "links",
            "problems",
            "duplicates",
            "confidence",
            "status",
            "record",
            "decided_by",
            "decided_at",
            "created_at",
        )


class UnreadOut(serializers.Serializer):
    """Words that no model read. Places count code points of the text that was to be read; none: it is not known, or not part of it."""

    reason = serializers.CharField()
    start = serializers.IntegerField(allow_null=True)
    end = serializers.IntegerField(allow_null=True)
    characters = serializers.IntegerField(allow_null=True)


class ExtractionOut(serializers.ModelSerializer[ExtractionRun]):
    conversation = serializers.UUIDField(source="conversation_id", allow_null=True)
    message = serializers.UUIDField(source="message_id", allow_null=True)
    attachment = serializers.UUIDField(source="file_id", allow_null=True)
    operation = serializers.UUIDField(
        source="operation_id",
        allow_null=True,
        help_text="Its items make the suggestions up: nothing is read, and there may be more as long as it goes on.",
    )
    unplaced = serializers.SerializerMethodField(
        help_text="Empty for who does not see all of the collections that were read for."
    )
    unread = UnreadOut(many=True)

    @extend_schema_field(serializers.ListField(child=AnyObject()))
    def get_unplaced(self, row: Any) -> list[dict[str, Any]]:
        return list(row.unplaced) if row.sees_all else []

    class Meta:
        model = ExtractionRun
        fields = (
            "id",
            "project",
            "conversation",
            "message",
            "attachment",
            "operation",
            "cause",
            "collections",
            "status",
            "error_code",
            "answered_by",
            "is_demo",
            "is_text_cut",
            "characters",
            "characters_read",
            "parts",
            "parts_done",
            "unread",
            "stopped_by",
            "expected_cost",
            "steps",
            "unplaced",
            "input_tokens",
            "output_tokens",
            "cost",
            "currency",
            "created_at",
            "finished_at",
        )


class ExtractionQuery(PageQuery):
    project = serializers.UUIDField(required=False)


class ExtractionPageOut(serializers.Serializer):
    results = ExtractionOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class ProposalQuery(PageQuery):
    project = serializers.UUIDField(required=False)
    run = serializers.UUIDField(required=False)
    status = serializers.ChoiceField(choices=ProposalStatus.choices, required=False)


class ProposalPageOut(serializers.Serializer):
    results = ProposalOut(many=True)
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
