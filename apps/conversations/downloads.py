"""A conversation as a file to keep, named as the conversation is. For programs and for pages alike."""

from __future__ import annotations

import json
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.text import slugify

from apps.accounts.types import Actor
from apps.conversations import services
from apps.core import rules
from apps.core.piecewise import streamed
from apps.files.names import content_disposition

MAX_NAME = 80
EXTENSIONS = {"json": "json", "markdown": "md", "zip": "zip"}


def download(request: HttpRequest, *, actor: Actor, conversation_id: UUID, export_format: str) -> HttpResponseBase:
    """Raises ``ExportTooLarge`` for files that one JSON document does not hold."""
    conversation = services.record_export(actor=actor, conversation_id=conversation_id, export_format=export_format)
    name = file_name(conversation.title, EXTENSIONS[export_format])
    headers = {"Content-Disposition": content_disposition(name, is_inline=False)}
    if export_format == "markdown":
        text = services.export_markdown(conversation=conversation, viewer=actor)
        return HttpResponse(text, content_type="text/markdown; charset=utf-8", headers=headers)
    if export_format == "zip":
        pieces = services.export_archive(conversation=conversation, viewer=actor)
        return streamed(request, pieces, content_type="application/zip", headers=headers)
    document = services.export_json(conversation=conversation, viewer=actor)
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return HttpResponse(text, content_type="application/json", headers=headers)


def file_name(title: str, extension: str) -> str:
    words = slugify(title, allow_unicode=True)[:MAX_NAME].strip("-_") or "conversation"
    return rules.file_name(f"{words}.{extension}")
