"""A record as a form: a new one, or all fields of one that is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from apps.accounts.types import Actor
from apps.core.errors import DomainError
from apps.extraction import selectors, services
from apps.extraction.models import Collection, Record
from apps.extraction.pages.filling import defaults_of, filled_in, form_fields
from apps.extraction.pages.tables import CollectionView
from apps.extraction.pages.values import columns_of


class RecordForm(CollectionView):
    """All fields of a record in a form: a new one, or one that is there. What does not fit is told beside its field."""

    record: Record | None = None

    def fields(
        self, viewer: Actor, collection: Collection, post: Any, errors: Mapping[str, str]
    ) -> list[dict[str, Any]]:
        found = selectors.schema_of(collection)
        return form_fields(
            columns_of(found),
            self.record.data if self.record else defaults_of(found),
            viewer=viewer,
            project_id=collection.project_id,
            post=post,
            errors=errors,
            needed=collection.needed,
        )

    def show(self, request: HttpRequest, collection: Collection, error: DomainError | None = None) -> HttpResponse:
        wrong = {each.field.removeprefix("data.").split(".")[0]: each.detail for each in error.fields} if error else {}
        post = request.POST if request.method == "POST" else None
        fields = self.fields(request.actor, collection, post, wrong)  # type: ignore[attr-defined]
        known = {each["column"].name for each in fields}
        context = {
            "record": self.record,
            "fields": fields,
            "version": post.get("version") if post is not None else getattr(self.record, "version", ""),
            "problem": ""
            if error is None or (known & wrong.keys() and error.code != "record_not_unique")
            else error.detail,
            "other": error.extra.get("record") if error else None,
            "is_stale": bool(error and error.code == "version_mismatch"),
        }
        status = error.status if error else 200
        return render(request, "extraction/form.html", self.base(collection) | context, status=status)

    def read(self, request: HttpRequest, collection: Collection) -> dict[str, Any]:
        data = self.record.data if self.record else {}
        return filled_in(columns_of(selectors.schema_of(collection)), data, request.POST)


class AddRecordPage(RecordForm):
    def get(self, request: HttpRequest, collection_id: UUID) -> HttpResponse:
        return self.show(request, self.found(request, collection_id))

    def post(self, request: HttpRequest, collection_id: UUID) -> HttpResponse:
        collection = self.found(request, collection_id)
        actor = request.actor  # type: ignore[attr-defined]
        try:
            data = self.read(request, collection)
            made = services.create_record(actor=actor, collection_id=collection.pk, data=data)
        except DomainError as error:
            return self.show(request, collection, error)
        if "another" in request.POST:
            return redirect("extraction:add", collection.pk)
        return redirect("extraction:record", made.pk)


class EditRecordPage(RecordForm):
    def found_record(self, request: HttpRequest, record_id: UUID) -> Collection:
        self.record = selectors.get_record(record_id=record_id, viewer=request.actor)  # type: ignore[attr-defined]
        return self.found(request, self.record.collection_id)

    def get(self, request: HttpRequest, record_id: UUID) -> HttpResponse:
        return self.show(request, self.found_record(request, record_id))

    def post(self, request: HttpRequest, record_id: UUID) -> HttpResponse:
        collection = self.found_record(request, record_id)
        version = request.POST.get("version", "")
        try:
            changed = services.change_record(
                actor=request.actor,  # type: ignore[attr-defined]
                record_id=record_id,
                changes=self.read(request, collection),
                expected_version=int(version) if version.isdecimal() else None,
            )
        except DomainError as error:
            return self.show(request, collection, error)
        return redirect("extraction:record", changed.pk)
