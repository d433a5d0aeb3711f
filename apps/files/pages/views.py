from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.http import require_safe

from apps.core.errors import NotFound
from apps.files import selectors, serving


@require_safe
def file(request: HttpRequest, file_id: UUID) -> HttpResponseBase:
    """Shown when harmless, else a download; ``?download`` always downloads."""
    found = selectors.get_usable_file(file_id, request.actor)
    return serving.serve_file(request, found, selectors.content_of(found), as_download="download" in request.GET)


@require_safe
def preview(request: HttpRequest, file_id: UUID) -> HttpResponseBase:
    found = selectors.get_usable_file(file_id, request.actor)
    content = selectors.content_of_preview(found)
    if content is None:
        raise NotFound
    return serving.serve_preview(request, found, content)
