"""One ZIP of several collections, to hand on: their records as JSON and CSV, and what each of their templates makes of them as PDF."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core import markup
from apps.core.doors.bulk_kinds import BulkKind, BulkScope, Done, PlannedItem, Work
from apps.core.errors import DomainError
from apps.extraction import exporting, paper, policies, rendering, selectors
from apps.extraction.bulk_documents import RENDER
from apps.extraction.bulk_scopes import only, wrong
from apps.extraction.models import Collection, Record, RecordTemplate
from apps.extraction.template_types import MAX_RENDERED, TemplateFormat
from apps.files import services as file_services

MAX_COLLECTIONS = 20
_MAX_NAME = 80


def _check(scope: BulkScope) -> dict[str, Any]:
    only(scope, "collections", "name")
    named = scope.params.get("collections", [])
    if not isinstance(named, list) or not all(isinstance(each, str) for each in named) or len(named) > MAX_COLLECTIONS:
        raise wrong("collections", _("Short names of at most %(number)d collections.") % {"number": MAX_COLLECTIONS})
    there = selectors.list_collections(scope.actor, project_id=scope.project_id).order_by("name", "pk")
    slugs = [row.slug for row in there]
    by_id = {str(row.pk): row.slug for row in there}  # short names or ids, as whoever asks has them
    named = [by_id.get(each, each) for each in named]
    for each in named:
        if each not in slugs:
            raise wrong("collections", _("There is no such collection in this project."), "unknown_collection")
    name = scope.params.get("name", "package")
    if not isinstance(name, str) or not name.strip() or len(name) > _MAX_NAME:
        raise wrong("name")
    kept = named or slugs[:MAX_COLLECTIONS]
    if not kept:
        raise wrong("collections", _("This project has no collections."), "unknown_collection")
    return {"collections": kept, "name": name.strip()}


def _plan(scope: BulkScope) -> Iterator[PlannedItem]:
    yield PlannedItem({"title": scope.params["name"]})


def _apply(work: Work, _found: Any) -> Done:
    scope = work.scope
    rows = selectors.list_collections(scope.actor, project_id=scope.project_id)
    by_slug = {row.slug: row for row in rows.filter(slug__in=scope.params["collections"])}
    made = _Package(scope.params["name"], scope.actor)
    for slug in scope.params["collections"]:
        if slug in by_slug:
            made.add(by_slug[slug])
        else:
            made.leave_out(slug, "gone")
    file = file_services.store_upload(
        actor=scope.actor,
        project_id=scope.project_id,
        name=f"{slugify(scope.params['name'], allow_unicode=True)[:_MAX_NAME] or 'package'}.zip",
        stream=io.BytesIO(made.content()),
        declared="application/zip",
    )
    result = {"attachment": str(file.pk), "name": file.name, "size": file.size, "left_out": made.left_out}
    return Done({**result, "documents": made.documents, "records": made.records})


class _Package:
    """What could not be made is named in ``index.json``, and in what the operation gives: never silently missing."""

    def __init__(self, name: str, viewer: Any) -> None:
        self._name, self._viewer = name, viewer
        self._files: dict[str, bytes] = {}
        self.documents: list[str] = []
        self.left_out: list[dict[str, str]] = []
        self.records: dict[str, int] = {}

    def leave_out(self, what: str, reason: str) -> None:
        self.left_out.append({"what": what, "reason": reason[:300]})

    def add(self, collection: Collection) -> None:
        found = selectors.list_records(collection=collection).order_by("title", "pk")
        rows: list[Record] = list(found[: MAX_RENDERED + 1])
        if len(rows) > MAX_RENDERED:
            self.leave_out(
                collection.slug, _("Only the first %(number)d records are in it.") % {"number": MAX_RENDERED}
            )
            rows = rows[:MAX_RENDERED]
        self.records[collection.slug] = len(rows)
        schema = selectors.schema_of(collection)
        plain = [(str(row.pk), row.data) for row in rows]
        self._files[f"records/{collection.slug}.json"] = b"".join(exporting.pieces("json", schema, plain))
        spoken = self._spoken(collection, plain)
        self._files[f"records/{collection.slug}.csv"] = b"".join(exporting.pieces("csv", schema, spoken))
        for template in rendering.list_templates(self._viewer, collection_id=collection.pk).order_by("name", "pk"):
            if rows:
                self._document(collection, template, rows)

    def _spoken(self, collection: Collection, rows: list[exporting.Row]) -> list[exporting.Row]:
        """A table is read by people: what fields point to stands there by its title."""
        names = {each.name for each in selectors.schema_of(collection).top if each.relation}
        ids = {each for _pk, data in rows for name in names for each in _as_list(data.get(name))}
        titles = selectors.titles_of(self._viewer, ids)  # type: ignore[arg-type]
        return [
            (pk, {name: _titled(value, titles) if name in names else value for name, value in data.items()})
            for pk, data in rows
        ]

    def _document(self, collection: Collection, template: RecordTemplate, rows: list[Record]) -> None:
        is_html = template.format == TemplateFormat.HTML
        between = "<hr>" if is_html else "\n\n---\n\n"
        parts = [rows] if template.is_of_set else [[row] for row in rows]
        place = f"documents/{collection.slug}-{slugify(template.name, allow_unicode=True) or template.pk}.pdf"
        try:
            words = between.join(
                rendering.words_of(template.source, collection, part, self._viewer, is_html=is_html) for part in parts
            )
            body = markup.clean(words if is_html else markup.render(words))
            self._files[place] = paper.pdf_of(markup.for_paper(body), title=template.name)
        except DomainError as error:
            self.leave_out(place, error.detail)
            return
        self.documents.append(place)

    def content(self) -> bytes:
        index = {
            "name": self._name,
            "made_at": timezone.now().isoformat(),
            "records": self.records,
            "documents": self.documents,
            "left_out": self.left_out,
        }
        whole = {"index.json": json.dumps(index, ensure_ascii=False, indent=1).encode(), **self._files}
        sink = io.BytesIO()
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in whole.items():
                archive.writestr(name, content)
        return sink.getvalue()


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _titled(value: Any, titles: dict[str, str]) -> Any:
    if isinstance(value, list):
        return [titles.get(each, each) for each in value]
    return titles.get(value, value)


PACKAGE = BulkKind(
    "records.package",
    gettext_lazy("Make a package of collections"),
    _plan,
    _apply,
    check=_check,
    may_read=policies.has_read_scope,
    undo=RENDER.undo,
    description=gettext_lazy("One ZIP: records as JSON and CSV, and what each template makes of them as PDF."),
)
