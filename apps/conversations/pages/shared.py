"""What whoever has a share link sees: one page to read, with the files of the messages on it and nothing else."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views import View

from apps.conversations import selectors
from apps.conversations.models import ShareLink
from apps.conversations.pages.presentation import shared_view
from apps.conversations.presentation import known_name
from apps.conversations.types import PUBLIC_HEADERS, LinkNotFound
from apps.conversations.visitors import limit_readers, shared_file_url
from apps.files import selectors as files
from apps.files import serving


class TokenView(View):
    http_method_names = ("get", "head")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        limit_readers(request)
        response = super().dispatch(request, *args, **kwargs)
        for name, value in PUBLIC_HEADERS.items():
            response[name] = value
        return response

    def link_of(self, token: str) -> ShareLink:
        return selectors.get_link(token=token)


class SharedPage(TokenView):
    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        link = self.link_of(token)
        raw = request.GET.get("after", "")
        after = int(raw) if raw.isdecimal() and len(raw) < 10 else 0  # noqa: PLR2004
        rows, has_more = selectors.list_shown(link, after=after)
        preview = partial(_preview_url, token)
        context = {
            "link": link,
            "token": token,
            "shared_by": known_name(link.created_by),
            "conversation": link.conversation,
            "shared_messages": [
                shared_view(row, file_url=partial(shared_file_url, token), preview_url=preview) for row in rows
            ],
            "after": after,
            "next_after": rows[-1].number if has_more else None,
        }
        return render(request, "conversations/shared.html", context)


def _preview_url(token: str, file_id: str) -> str:
    return reverse("conversations:shared_preview", kwargs={"token": token, "file_id": file_id})


class SharedFile(TokenView):
    def get(self, request: HttpRequest, token: str, file_id: UUID) -> HttpResponseBase:
        file = selectors.get_shown_file(self.link_of(token), file_id=file_id)
        content = files.content_of(file)
        return serving.serve_file(request, file, content, as_download="download" in request.GET)


class SharedPreview(TokenView):
    def get(self, request: HttpRequest, token: str, file_id: UUID) -> HttpResponseBase:
        file = selectors.get_shown_file(self.link_of(token), file_id=file_id)
        content = files.content_of_preview(file)
        if content is None:
            raise LinkNotFound(headers=PUBLIC_HEADERS)
        return serving.serve_preview(request, file, content)
