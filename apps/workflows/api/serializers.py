from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rest_framework import serializers

from apps.core.api import PageQuery, Serializer
from apps.core.errors import FieldError
from apps.core.yaml_text import YamlRefused, lines_of, read
from apps.workflows import presentation
from apps.workflows.api.run_serializers import TaskProblemOut
from apps.workflows.documents import walk
from apps.workflows.models import Definition, DefinitionVersion
from apps.workflows.types import DefinitionRejected, RunStatus, StartKind, StartReason, StartStatus


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
    text = serializers.CharField(help_text="As it was written, with its comments; of an object its YAML.")


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
    lines = serializers.DictField(
        child=serializers.IntegerField(), help_text="JSON pointer of each task → its line, where a text was sent."
    )


class LastRunOut(serializers.Serializer):
    id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=RunStatus.choices)
    error = TaskProblemOut(allow_null=True)


class StartOut(serializers.Serializer):
    workflow = serializers.UUIDField()
    workflow_title = serializers.CharField()
    project = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=StartKind.choices)
    schedule = serializers.DictField(help_text="As the document in force says it.")
    status = serializers.ChoiceField(choices=[StartStatus.ACTIVE.value, StartStatus.PAUSED.value])
    reason = serializers.ChoiceField(choices=StartReason.choices, allow_blank=True, help_text="Why it is paused.")
    armed_by = serializers.UUIDField(allow_null=True, help_text="Whom its runs act for.")
    armed_at = serializers.DateTimeField()
    next_at = serializers.DateTimeField(allow_null=True)
    last_at = serializers.DateTimeField(allow_null=True)
    last_run = LastRunOut(allow_null=True)
    last_error = serializers.ChoiceField(
        choices=StartReason.choices, allow_blank=True, help_text="Why nothing was begun though its time had come."
    )
    last_error_at = serializers.DateTimeField(allow_null=True)
    skipped = serializers.IntegerField(help_text="How often its time had come and nothing was begun.")


class StartPageOut(serializers.Serializer):
    results = StartOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


def document_of(data: dict[str, Any]) -> Any:
    """What somebody sent, either way; ``DefinitionRejected`` with the line where the text cannot be read."""
    if ("document" in data) == ("text" in data):
        raise DefinitionRejected(fields=[FieldError("document", "required", "document, text")])
    if "document" in data:
        return data["document"]
    try:
        return read(data["text"])
    except YamlRefused as refused:
        fields = [FieldError("text", "unreadable", refused.what)]
        raise DefinitionRejected(fields=fields, lines={"text": refused.line}) from None


@contextmanager
def lines_told(data: dict[str, Any]) -> Iterator[None]:
    """Whoever sent a text is told the line of every place that is wrong (``lines``)."""
    try:
        yield
    except DefinitionRejected as rejected:
        # With a document beside it nobody has read the text: it may be no YAML at all.
        if "text" in data and "document" not in data and "lines" not in rejected.extra:
            known = lines_of(data["text"])
            rejected.extra["lines"] = {each.field: _nearest(known, each.field) for each in rejected.fields}
        raise


def _nearest(known: dict[str, int], pointer: str) -> int:
    """What is missing has no line: that of what it is missing in."""
    while pointer and pointer not in known:
        pointer = pointer.rpartition("/")[0]
    return known.get(pointer, 1)


def task_lines(data: dict[str, Any], document: dict[str, Any]) -> dict[str, int]:
    """Of a checked document that was sent as a text."""
    if "text" not in data:
        return {}
    known = lines_of(data["text"])
    return {task.pointer: known[task.pointer] for task in walk(document) if task.pointer in known}


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
    document = row.document  # type: ignore[attr-defined]
    return {**definition_row(row), "document": document, "text": presentation.text_of(row)}


def version_row(row: DefinitionVersion) -> dict[str, Any]:
    return {
        "number": row.number,
        "made_by": str(row.made_by_id) if row.made_by_id else None,
        "created_at": row.created_at,
    }
