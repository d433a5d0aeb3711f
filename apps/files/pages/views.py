"""The files of a project, and the content of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.http import require_safe

from apps.accounts import places
from apps.core.api import Order, Page, page_url
from apps.core.doors.file_access import FileUse, FileUses
from apps.core.errors import NotFound
from apps.files import policies, selectors, services, serving
from apps.files.models import File
from apps.files.types import FileKind, FileState

WINDOW = 50
#: Of the places that show a file: so many are named.
MOST_NAMED = 2
#: What a view of the list shows; ``mine`` asks for whose they are, not for what they are.
KINDS: dict[str, tuple[FileKind, ...]] = {
    "all": (),
    "mine": (),
    "pictures": (FileKind.IMAGE,),
    "documents": (FileKind.DOCUMENT, FileKind.TEXT),
    "media": (FileKind.AUDIO, FileKind.VIDEO),
    "other": (FileKind.OTHER,),
}
ORDERS = {"newest": Order("created_at"), "largest": Order("size")}


@dataclass(frozen=True, slots=True)
class Row:
    """``more``: how many places show it besides those that are named. ``is_used``: something refers to it, seen by the viewer or not."""

    file: File
    icon: str
    is_open: bool
    can_delete: bool
    uses: list[FileUse]
    more: int
    is_used: bool


class FileListPage(LoginRequiredMixin, View):
    def get(self, request: HttpRequest) -> HttpResponse:
        viewer = request.actor  # type: ignore[attr-defined]
        project = places.find_project(request)
        current, sort, q = (request.GET.get(name, "") for name in ("view", "sort", "q"))
        current, sort = current if current in KINDS else "all", sort if sort in ORDERS else "newest"
        rows = selectors.list_files(
            viewer,
            project_id=project.pk if project else None,
            name=q[:200],
            kinds=KINDS[current],
            is_own=current == "mine",
        )
        page = Page.of(rows, order=ORDERS[sort], cursor=request.GET.get("cursor"), limit=WINDOW, or_nearest=True)
        labels = {
            "all": _("All"),
            "mine": _("Mine"),
            "pictures": _("Pictures"),
            "documents": _("Documents"),
            "media": _("Sound and video"),
            "other": _("Other"),
        }
        context = {
            "project": project,
            "rows": _rows(page.results, viewer),
            "views": [{"name": name, "label": labels[name]} for name in KINDS],
            "current_view": current,
            "sort": sort,
            "q": q[:200],
            "next_url": page_url(request, page.next),
            "previous_url": page_url(request, page.previous),
        }
        return render(request, "files/list.html", context)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Delete one; the list comes back as it was."""
        try:
            file_id = UUID(request.POST.get("file", ""))
        except ValueError:
            raise NotFound from None
        services.delete_file(actor=request.actor, file_id=file_id)  # type: ignore[attr-defined]
        return redirect(request.get_full_path())


def _rows(files: list[File], viewer: Any) -> list[Row]:
    found = selectors.uses_of(viewer, [file.pk for file in files], most=MOST_NAMED)
    rows = []
    for file in files:
        uses = found.get(file.pk, FileUses([], 0))
        rows.append(
            Row(
                file,
                "file-x" if file.state != FileState.READY else "image" if file.kind == FileKind.IMAGE else "file-text",
                file.state in {FileState.READY, FileState.FAILED},
                policies.can_delete(viewer, file),
                uses.named,
                uses.count - len(uses.named),
                file.pk in found,
            )
        )
    return rows


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
