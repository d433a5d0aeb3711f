from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.core.api import PageQuery, Serializer
from apps.core.errors import FieldError
from apps.core.yaml_text import YamlRefused, read
from apps.workflows.models import Definition, DefinitionVersion
from apps.workflows.types import DefinitionRejected


class DocumentIn(Serializer):
    """``document`` as an object, or ``text`` as YAML or JSON: one of them."""

    document = serializers.DictField(required=False)
    text = serializers.CharField(required=False, max_length=1_000_000, trim_whitespace=False)


class DefinitionIn(DocumentIn):
    project = serializers.UUIDField()


class DefinitionQuery(PageQuery):
    project = serializers.UUIDField(required=False)


class DefinitionRowOut(serializers.Serializer):
    id = serializers.UUIDField()
    project = serializers.UUIDField()
    name = serializers.CharField()
    title = serializers.CharField()
    summary = serializers.CharField(allow_blank=True)
    number = serializers.IntegerField(help_text="Of the version in force.")
    version = serializers.IntegerField(help_text="For If-Match.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class DefinitionOut(DefinitionRowOut):
    document = serializers.DictField()


class DefinitionPageOut(serializers.Serializer):
    results = DefinitionRowOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class DefinitionVersionRowOut(serializers.Serializer):
    number = serializers.IntegerField()
    made_by = serializers.UUIDField(allow_null=True)
    created_at = serializers.DateTimeField()


class DefinitionVersionOut(DefinitionVersionRowOut):
    document = serializers.DictField()


class DefinitionVersionPageOut(serializers.Serializer):
    results = DefinitionVersionRowOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class CheckedOut(serializers.Serializer):
    document = serializers.DictField(help_text="As it would be kept.")


def document_of(data: dict[str, Any]) -> Any:
    """What somebody sent, either way; ``DefinitionRejected`` with the line where the text cannot be read."""
    if ("document" in data) == ("text" in data):
        raise DefinitionRejected(fields=[FieldError("document", "required", "document, text")])
    if "document" in data:
        return data["document"]
    try:
        return read(data["text"])
    except YamlRefused as refused:
        fields = [FieldError("text", "unreadable", f"{refused.line}: {refused.what}")]
        raise DefinitionRejected(fields=fields) from None


def definition_row(row: Definition) -> dict[str, Any]:
    said = row.document["document"]  # type: ignore[attr-defined]
    return {
        "id": str(row.pk),
        "project": str(row.project_id),
        "name": row.name,
        "title": row.title,
        "summary": said.get("summary", ""),
        "number": row.number,
        "version": row.version,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def definition_data(row: Definition) -> dict[str, Any]:
    return {**definition_row(row), "document": row.document}  # type: ignore[attr-defined]


def version_row(row: DefinitionVersion) -> dict[str, Any]:
    return {
        "number": row.number,
        "made_by": str(row.made_by_id) if row.made_by_id else None,
        "created_at": row.created_at,
    }
