"""One field of a record changed in its place: what a script asks for, answered with the row as it is now."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.views import View

from apps.accounts import selectors as accounts
from apps.core import rules
from apps.core.api import record_refusal
from apps.core.errors import DomainError, Malformed, NotFound
from apps.core.middleware import problem_json
from apps.extraction import policies, selectors, services
from apps.extraction.models import Record
from apps.extraction.pages.tables import rows_of, title_column
from apps.extraction.pages.values import columns_of, read


class AnswersScripts(View):
    """What a script of ours asks for: whatever is refused is problem JSON, as the API's."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return super().dispatch(request, *args, **kwargs)
        except DomainError as error:
            record_refusal(request, error)
            return problem_json(error)


class CellView(AnswersScripts, LoginRequiredMixin, View):
    """One field of a record. ``GET`` is its row as it is now; ``POST`` writes the field and answers with the row."""

    def get(self, request: HttpRequest, record_id: UUID) -> HttpResponse:
        viewer = request.actor  # type: ignore[attr-defined]
        record = selectors.get_record(record_id=record_id, viewer=viewer)
        return JsonResponse(_fresh(request, record, request.GET.get("look", ""), request.GET.getlist("column")))

    def post(self, request: HttpRequest, record_id: UUID) -> HttpResponse:
        viewer = request.actor  # type: ignore[attr-defined]
        asked = _body(request)
        record = selectors.get_record(record_id=record_id, viewer=viewer)
        collection = selectors.get_collection(collection_id=record.collection_id, viewer=viewer)
        known = {column.name: column for column in columns_of(selectors.schema_of(collection))}
        if (column := known.get(str(asked.get("field")))) is None:
            raise NotFound
        version = asked.get("version")
        texts = asked.get("values")
        if not isinstance(texts, list) or not all(isinstance(each, str) for each in texts):
            raise Malformed
        changed = services.change_record(
            actor=viewer,
            record_id=record_id,
            changes={column.name: read(column, texts)},
            expected_version=version if isinstance(version, int) else None,
        )
        shown = asked.get("columns")
        names = [str(each) for each in shown] if isinstance(shown, list) else []
        return JsonResponse(_fresh(request, changed, str(asked.get("look", "")), names))


def _body(request: HttpRequest) -> Mapping[str, Any]:
    try:
        text = request.body.decode()
        rules.require_json_depth(text)
        found = json.loads(text)
    except ValueError:
        raise Malformed from None
    if not isinstance(found, dict):
        raise Malformed
    return found


def _fresh(request: HttpRequest, record: Record, look: str, names: Sequence[str]) -> dict[str, Any]:
    """The record's row (on the page of one record: its field) drawn anew, with its version."""
    viewer = request.actor  # type: ignore[attr-defined]
    collection = selectors.get_collection(collection_id=record.collection_id, viewer=viewer)
    columns = columns_of(selectors.schema_of(collection))
    is_field = look == "record"
    name = None if is_field else title_column(collection, columns)
    shown = [column for column in columns if column.name in names and column is not name]
    row = rows_of(viewer, collection, [record], name, shown)[0]
    context = {
        "rows": [row],
        "cell": row.cells[0] if row.cells else None,
        "can_write": policies.can_write_records(viewer, accounts.project_role(viewer, collection.project_id)),
    }
    template = "extraction/_fresh_value.html" if is_field else "extraction/_fresh_row.html"
    return {"version": record.version, "title": record.title, "html": render_to_string(template, context, request)}
