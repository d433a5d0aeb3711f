"""Records out of many files: which files, and into which collections."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from django.utils.translation import gettext as _

from apps.extraction import selectors
from apps.extraction.models import Collection
from apps.extraction.pages.beginning import OperationForm
from apps.extraction.pages.values import as_uuid
from apps.extraction.types import MAX_COLLECTIONS_A_RUN
from apps.files import selectors as files
from apps.files import services as file_services

MOST_SHOWN = 100


class ManyFilesPage(OperationForm):
    """The viewer's own files of the project, and those that are brought along with the form."""

    kind = "extraction.from_files"
    template = "extraction/many_files.html"
    beside = ("attachments", "collections")

    def read(self, request: HttpRequest, collection: Collection) -> dict[str, Any]:
        brought = [each for each in request.FILES.getlist("files") if isinstance(each, UploadedFile)]
        # Those that are in stay in, and ticked, when a later one is refused.
        self.brought: list[str] = []
        for upload in brought:
            file = file_services.store_upload(
                actor=request.actor,  # type: ignore[attr-defined]
                project_id=collection.project_id,
                name=upload.name or "file",
                stream=upload,
                declared=upload.content_type or "",
                expected_bytes=upload.size or 0,
            )
            self.brought.append(str(file.pk))
        wanted = request.POST.getlist("collection") or [str(collection.pk)]
        return {"attachments": [*request.POST.getlist("file"), *self.brought], "collections": wanted}

    def shown(self, request: HttpRequest, collection: Collection) -> dict[str, Any]:
        viewer = request.actor  # type: ignore[attr-defined]
        ticked = {*request.POST.getlist("file"), *getattr(self, "brought", [])}
        there = list(files.list_readable_of(viewer, project_id=collection.project_id)[: MOST_SHOWN + 1])
        # Those just brought stand first, also one without words: it can be left out, and is not brought again.
        hidden = {as_uuid(each) for each in ticked} - {None, *(file.pk for file in there[:MOST_SHOWN])}
        new = files.own_files(viewer).filter(project_id=collection.project_id, pk__in=hidden).order_by("-created_at")
        wanted = request.POST.getlist("collection") or [str(collection.pk)]
        return {
            "files": [(file, str(file.pk) in ticked) for file in [*new[:MOST_SHOWN], *there[:MOST_SHOWN]]],
            "is_more": len(there) > MOST_SHOWN,
            "collections": [
                (row, str(row.pk) in wanted) for row in selectors.list_names(viewer, project_id=collection.project_id)
            ],
            "most_collections": MAX_COLLECTIONS_A_RUN,
            "help": _("Text, PDF, Word, spreadsheets and the like: whatever has words."),
        }
