from __future__ import annotations

from typing import Any

from django.urls import reverse
from rest_framework import serializers

from apps.core.api import PageQuery, Serializer
from apps.files.models import File
from apps.files.types import FileKind, FileState, Reason, TextState


class UploadIn(Serializer):
    project = serializers.UUIDField()
    file = serializers.FileField(allow_empty_file=True, max_length=1000)


class AttachmentQuery(PageQuery):
    project = serializers.UUIDField(required=False)
    q = serializers.CharField(required=False, default="", max_length=200, allow_blank=True, help_text="In the name.")
    kind = serializers.ChoiceField(choices=FileKind.choices, required=False)
    mine = serializers.BooleanField(required=False, default=False, help_text="Only what the caller brought.")


class AttachmentTextOut(serializers.Serializer):
    state = serializers.ChoiceField(choices=TextState.choices)
    reason = serializers.ChoiceField(choices=Reason.choices, allow_blank=True)
    detail = serializers.CharField(allow_blank=True, help_text="The reason as a sentence in the caller's language.")
    length = serializers.IntegerField()


class AttachmentOut(serializers.Serializer):
    id = serializers.UUIDField()
    project = serializers.UUIDField()
    owner = serializers.UUIDField()
    name = serializers.CharField()
    media_type = serializers.CharField(help_text="What the content is, whatever the name or the sender said.")
    kind = serializers.ChoiceField(choices=FileKind.choices)
    size = serializers.IntegerField()
    state = serializers.ChoiceField(choices=FileState.choices)
    reason = serializers.ChoiceField(choices=Reason.choices, allow_blank=True)
    detail = serializers.CharField(allow_blank=True)
    is_inline_safe = serializers.BooleanField()
    is_misnamed = serializers.BooleanField(help_text="The name claims another type than the content has.")
    width = serializers.IntegerField(allow_null=True)
    height = serializers.IntegerField(allow_null=True)
    text = AttachmentTextOut()
    url = serializers.CharField()
    preview_url = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()


class AttachmentPageOut(serializers.Serializer):
    results = AttachmentOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


def attachment_out(file: File) -> dict[str, Any]:
    """The shape of ``AttachmentOut``; also what other apps put beside a file part."""
    has_preview = file.preview_id is not None or (file.kind == FileKind.IMAGE and file.is_inline_safe)
    return {
        "id": str(file.pk),
        "project": str(file.project_id),
        "owner": str(file.owner_id),
        "name": file.name,
        "media_type": file.media_type,
        "kind": file.kind,
        "size": file.size,
        "state": file.state,
        "reason": file.reason,
        "detail": _sentence(file.reason),
        "is_inline_safe": file.is_inline_safe,
        "is_misnamed": file.is_misnamed,
        "width": file.width,
        "height": file.height,
        "text": {
            "state": file.text_state,
            "reason": file.text_reason,
            "detail": _sentence(file.text_reason),
            "length": file.text_length,
        },
        "url": reverse("files:file", args=[file.pk]),
        "preview_url": reverse("files:preview", args=[file.pk]) if has_preview else None,
        "created_at": file.created_at.isoformat(),
    }


def _sentence(reason: str) -> str:
    return str(Reason(reason).label) if reason else ""
