"""Records out of a file and into files: both are begun here as operations, whose own page shows the dry run and the progress."""

from __future__ import annotations

from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from apps.accounts.policies import require
from apps.bulk import services as bulk
from apps.core.errors import DomainError, FieldError, Invalid
from apps.core.ids import uuid7
from apps.extraction import importing, selectors, shape, tables
from apps.extraction.bulk_tables import RECORDS_A_FILE
from apps.extraction.exporting import MAX_XLSX_CELL
from apps.extraction.models import Collection
from apps.extraction.pages import asking
from apps.extraction.pages.beginning import OperationForm
from apps.extraction.pages.tables import CollectionView
from apps.extraction.pages.values import columns_of
from apps.extraction.types import OnDuplicate
from apps.files import selectors as files
from apps.files import services as file_services
from apps.files import storage

SHOWN_ROWS = 3
FORMATS = (
    ("csv", "CSV", gettext_lazy("For spreadsheets and most programs; lists are JSON in their cell.")),
    ("xlsx", "XLSX", gettext_lazy("A workbook; numbers stay numbers.")),
    ("json", "JSON", gettext_lazy("One array, with lists and numbers as they are.")),
    ("jsonl", "JSON Lines", gettext_lazy("One record a line, for programs that read piece by piece.")),
)
_REFUSED = {400, 403, 404, 409, 413, 415, 422, 429}


class ImportPage(CollectionView):
    """The file first; what its columns are is the next page."""

    def found(self, request: HttpRequest, collection_id: UUID) -> Collection:
        collection = super().found(request, collection_id)
        require(self.can_write)
        return collection

    def get(self, request: HttpRequest, collection_id: UUID) -> HttpResponse:
        return self.show(request, self.found(request, collection_id))

    def show(self, request: HttpRequest, collection: Collection, error: DomainError | None = None) -> HttpResponse:
        context = self.base(collection) | {"problems": _problems(error)}
        return render(request, "extraction/import.html", context, status=error.status if error else 200)

    def post(self, request: HttpRequest, collection_id: UUID) -> HttpResponse:
        collection = self.found(request, collection_id)
        upload = request.FILES.get("file")
        try:
            if not isinstance(upload, UploadedFile):
                raise Invalid(fields=[FieldError("file", "required", _("Choose a file."))])
            file = file_services.store_upload(
                actor=request.actor,  # type: ignore[attr-defined]
                project_id=collection.project_id,
                name=upload.name or "records.csv",
                stream=upload,
                declared=upload.content_type or "",
                expected_bytes=upload.size or 0,
            )
            _opened(request, file.pk)
        except DomainError as error:
            if error.status not in _REFUSED:
                raise
            return self.show(request, collection, error)
        return redirect("extraction:import_columns", collection.pk, file.pk)


class ImportColumnsPage(ImportPage):
    """Which column is which field, and what becomes of records that are there."""

    def get(self, request: HttpRequest, collection_id: UUID, file_id: UUID) -> HttpResponse:  # type: ignore[override]
        return self.columns(request, self.found(request, collection_id), file_id)

    def columns(
        self, request: HttpRequest, collection: Collection, file_id: UUID, error: DomainError | None = None
    ) -> HttpResponse:
        name, sheet = _opened(request, file_id)
        found = selectors.schema_of(collection)
        chosen = importing.suggested(sheet.columns, found, collection.aliases)
        if request.method == "POST":
            chosen = _mapping(request, sheet)
        samples = _samples(sheet)
        guessed = importing.language_of(sheet, found, chosen)
        context = {
            "file_name": name,
            "columns": [
                (place, column, [shape.as_text(row.get(column))[:60] for row in samples], chosen.get(column, ""))
                for place, column in enumerate(sheet.columns)
            ],
            "left_out": sum(column not in chosen for column in sheet.columns),
            "fields": columns_of(found),
            "has_required": any(column.required for column in columns_of(found)),
            "id_column": importing.ID_COLUMN,
            "rules": OnDuplicate.choices,
            "rule": request.POST.get("on_duplicate", OnDuplicate.LIST.value),
            "language": request.POST.get("language") or guessed or (get_language() or "en")[:2],
            "is_guessed": bool(guessed) and request.method != "POST",
            "problems": _problems(error),
        }
        status = error.status if error else 200
        return render(request, "extraction/import_columns.html", self.base(collection) | context, status=status)

    def post(self, request: HttpRequest, collection_id: UUID, file_id: UUID) -> HttpResponse:  # type: ignore[override]
        collection = self.found(request, collection_id)
        _name, sheet = _opened(request, file_id)
        params = {
            "collection": str(collection.pk),
            "attachment": str(file_id),
            "columns": _mapping(request, sheet),
            "on_duplicate": request.POST.get("on_duplicate", OnDuplicate.LIST.value),
            "language": request.POST.get("language", "en")[:12],
        }
        try:
            made = bulk.create_operation(
                actor=request.actor,  # type: ignore[attr-defined]
                project_id=collection.project_id,
                kind="records.import",
                params=params,
            )
        except DomainError as error:
            if error.status not in _REFUSED:
                raise
            return self.columns(request, collection, file_id, error)
        return redirect("bulk:page", made.pk)


class ExportPage(OperationForm):
    """All records, or those that the table shows. It writes nothing, so it begins at once; two presses of the button make one file."""

    kind = "records.export"
    template = "extraction/export.html"

    def read(self, request: HttpRequest, collection: Collection) -> dict[str, Any]:
        params = {"collection": str(collection.pk), "format": request.POST.get("format", "csv")}
        return params | (asking.asked_in(request.GET).as_selection() if request.POST.get("which") == "shown" else {})

    def how(self, request: HttpRequest) -> dict[str, Any]:
        return {"key": request.POST.get("key", "")[:64], "start": True}

    def shown(self, request: HttpRequest, collection: Collection) -> dict[str, Any]:
        asked = asking.asked_in(request.GET)
        return {
            "asked": asked,
            "chips": asking.chips_of(asked, columns_of(selectors.schema_of(collection))),
            "is_narrowed": asked.is_narrowed,
            "which": request.POST.get("which", "shown" if asked.is_narrowed else "all"),
            "format": request.POST.get("format", "csv"),
            "total": selectors.count_records([collection]).get(collection.pk, 0),
            "state": asked.url(),
            "formats": FORMATS,
            "most_records": RECORDS_A_FILE,
            "most_in_a_cell": MAX_XLSX_CELL,
            "room": max(files.room_left(collection.organization_id), 0),
            "key": uuid7(),
        }


class BringAlongPage(CollectionView):
    """Records that were written by an older schema: what would become of them is a dry run, and a person starts it."""

    def get(self, request: HttpRequest, collection_id: UUID) -> HttpResponse:
        collection = self.found(request, collection_id)
        require(self.can_write)
        behind = selectors.list_records(collection=collection, is_behind=True).count()
        context = {"behind": behind, "number": collection.schema_number}
        return render(request, "extraction/bring_along.html", self.base(collection) | context)

    def post(self, request: HttpRequest, collection_id: UUID) -> HttpResponse:
        collection = self.found(request, collection_id)
        require(self.can_write)
        made = bulk.create_operation(
            actor=request.actor,  # type: ignore[attr-defined]
            project_id=collection.project_id,
            kind="records.migrate",
            params={"collection": str(collection.pk)},
        )
        return redirect("bulk:page", made.pk)


def _problems(error: DomainError | None) -> list[str]:
    return ([each.detail for each in error.fields] or [error.detail]) if error else []


def _opened(request: HttpRequest, file_id: UUID) -> tuple[str, tables.Sheet]:
    """``FileUnreadable`` for what is no table."""
    file = files.get_usable_file(file_id, request.actor)  # type: ignore[attr-defined]
    path = Path(storage.location(files.content_of(file).path))
    return file.name, tables.opened(path, tables.format_of(file.name, path))


def _samples(sheet: tables.Sheet) -> list[dict[str, Any]]:
    """What its first rows say; one that cannot be read says nothing."""
    rows = sheet.rows()
    with closing(rows):  # type: ignore[type-var]
        return [row.values for row in islice(rows, SHOWN_ROWS)]


def _mapping(request: HttpRequest, sheet: tables.Sheet) -> dict[str, str]:
    said = {column: request.POST.get(f"c-{place}", "") for place, column in enumerate(sheet.columns)}
    return {column: name for column, name in said.items() if name}
