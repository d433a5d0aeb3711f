"""What collections and records add to an export of a project or an organization: all that their history keeps, where values come from, what was suggested,
said and decided about them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from apps.accounts import selectors as accounts
from apps.accounts.types import Actor
from apps.core.doors.exporters import Exporter, ExportScope, exporters
from apps.extraction import (
    policies,
    question_selectors,
    reader_selectors,
    rendering,
    selectors,
    use_selectors,
    wish_selectors,
)
from apps.extraction.models import (
    Collection,
    CollectionSchema,
    Duplicate,
    FieldSource,
    Record,
    RecordLink,
    RecordMerge,
    RecordRevision,
)
from apps.extraction.types import Visibility

_AT_ONCE = 500


def _collections(scope: ExportScope) -> Iterator[dict[str, Any]]:
    viewer = scope.viewer
    assert isinstance(viewer, Actor)
    rows: Any = selectors.visible_collections(viewer).filter(organization_id=scope.organization_id)
    if scope.project_id:
        rows = rows.filter(project_id=scope.project_id)
    row: Collection
    for row in rows.order_by("created_at", "pk").iterator(chunk_size=_AT_ONCE):
        schemas = CollectionSchema.objects.filter(collection=row).order_by("number")
        yield {
            "id": str(row.pk),
            "project": str(row.project_id),
            "slug": row.slug,
            "name": row.name,
            "description": row.description,
            "title_template": row.title_template,
            "unique_keys": row.unique_keys,
            "needed": row.needed,
            "aliases": row.aliases,
            "trust": row.trust,
            "trust_above": row.trust_above,
            "visibility": row.visibility,
            "readers": _readers(viewer, row),
            "schemas": [{"number": each.number, "document": each.document} for each in schemas],
            "created_at": row.created_at.isoformat(),
        }


def _readers(viewer: Actor, row: Collection) -> list[dict[str, str]]:
    """For whoever may name them; to others it is not said who else sees it."""
    role = accounts.project_role(viewer, row.project_id)
    if row.visibility != Visibility.NAMED or not policies.can_name_readers(viewer, role):
        return []
    return [
        {"user": str(each.user_id)} if each.user_id else {"team": str(each.team_id)}
        for each in reader_selectors.list_readers(row).order_by("pk")
    ]


def _visible(scope: ExportScope) -> Any:
    viewer = scope.viewer
    assert isinstance(viewer, Actor)
    rows = selectors.visible_to(viewer).filter(organization_id=scope.organization_id)
    return rows.filter(project_id=scope.project_id) if scope.project_id else rows


def _records(scope: ExportScope) -> Iterator[dict[str, Any]]:
    row: Record
    for row in _visible(scope).order_by("created_at", "pk").iterator(chunk_size=_AT_ONCE):
        yield {
            "id": str(row.pk),
            "collection": str(row.collection_id),
            "data": row.data,
            "schema_number": row.schema_number,
            "version": row.version,
            "created_at": row.created_at.isoformat(),
            "updated_at": row.updated_at.isoformat(),
        }


def _revisions(scope: ExportScope) -> Iterator[dict[str, Any]]:
    rows = RecordRevision.objects.filter(record__in=_visible(scope).order_by().values("pk"))
    for row in rows.order_by("record_id", "number").iterator(chunk_size=_AT_ONCE):
        yield {
            "record": str(row.record_id),
            "number": row.number,
            "kind": row.kind,
            "schema_number": row.schema_number,
            "data": row.data,
            "author": str(row.author_id) if row.author_id else None,
            "created_at": row.created_at.isoformat(),
        }


def _templates(scope: ExportScope) -> Iterator[dict[str, Any]]:
    """With every text that they had."""
    viewer = scope.viewer
    assert isinstance(viewer, Actor)
    rows = rendering.visible_templates(viewer).filter(organization_id=scope.organization_id)
    if scope.project_id:
        rows = rows.filter(project_id=scope.project_id)
    for row in rows.order_by("created_at", "pk").iterator(chunk_size=_AT_ONCE):
        texts = rendering.list_template_revisions(row)
        yield {
            "id": str(row.pk),
            "collection": str(row.collection_id),
            "name": row.name,
            "is_of_set": row.is_of_set,
            "revisions": [
                {
                    "number": each.number,
                    "format": each.format,
                    "source": each.source,
                    "author": str(each.author_id) if each.author_id else None,
                    "created_at": each.created_at.isoformat(),
                }
                for each in texts
            ],
        }


#: What people and models added to records: the fields that leave, as the table has them. Where no project is in the row, its record is asked.
_OF_RECORDS = {
    "field_sources": (
        FieldSource,
        "record run operation_id answered_by is_demo field message_id file_id method confidence start end start_utf16 end_utf16 created_at",
    ),
    "record_links": (RecordLink, "source field position target"),
    "record_merges": (RecordMerge, "winner loser before after merged_by undone_at undone_by created_at"),
    "possible_duplicates": (Duplicate, "one other score fields status decided_by decided_at created_at"),
}
_OF_RECORD = {RecordLink: "source", RecordMerge: "winner", Duplicate: "one"}
_OF_RUNS = (
    "requested_by conversation_id message_id file_id cause selection_start selection_end collections status error_code answered_by "
    "is_demo is_text_cut unplaced answered input_tokens output_tokens cost currency operation_id created_at finished_at"
)
_OF_PROJECTS = {
    "record_comments": (
        use_selectors.visible_comments,
        "record author text answered_by edited_at created_at",
    ),
    "record_views": (use_selectors.visible_views, "collection owner name is_shared state created_at"),
    "proposals": (
        selectors.visible_proposals,
        "run collection number data sources links problems duplicates confidence status record made_id decided_by decided_at created_at",
    ),
    "follow_ups": (
        question_selectors.visible_follow_ups,
        "proposal collection conversation_id asked_in title questions status created_at",
    ),
    "wishes": (
        wish_selectors.visible_wishes,
        (
            "requested_by conversation_id shown_under kind is_asked words status error_code answered_by is_demo count asked_count brief collection name fields "
            "is_reviewed operation_id decided_by decided_at created_at"
        ),
    ),
}


def _of_records(scope: ExportScope, model: Any, fields: str) -> Iterator[dict[str, Any]]:
    of = _OF_RECORD.get(model, "record")
    rows = model.objects.filter(**{f"{of}__in": _visible(scope).order_by().values("pk")})
    yield from _as_they_are(rows.order_by(f"{of}_id", "pk"), fields)


def _of_projects(scope: ExportScope, visible: Callable[[Actor], Any], fields: str) -> Iterator[dict[str, Any]]:
    viewer = scope.viewer
    assert isinstance(viewer, Actor)
    rows = visible(viewer).filter(organization_id=scope.organization_id)
    if scope.project_id:
        rows = rows.filter(project_id=scope.project_id)
    yield from _as_they_are(rows.order_by("created_at", "pk"), fields)


def _runs(scope: ExportScope) -> Iterator[dict[str, Any]]:
    """What found no place, and what was answered, for whoever sees all that was read for."""
    for row in _of_projects(scope, selectors.visible_runs, f"{_OF_RUNS} sees_all"):
        sees_all = row.pop("sees_all")
        yield row if sees_all else row | {"unplaced": [], "answered": []}


def _as_they_are(rows: Any, fields: str) -> Iterator[dict[str, Any]]:
    for row in rows.values("id", *fields.split()).iterator(chunk_size=_AT_ONCE):
        yield {name: _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    match value:
        case UUID() | Decimal():
            return str(value)
        case datetime():
            return value.isoformat()
        case list():
            return [_plain(each) for each in value]
        case _:
            return value


def register() -> None:
    for kind, rows in (
        ("collections", _collections),
        ("records", _records),
        ("record_revisions", _revisions),
        ("record_templates", _templates),
        ("extractions", _runs),
    ):
        exporters.register(kind, Exporter(kind, rows))
    for kind, (model, fields) in _OF_RECORDS.items():
        exporters.register(kind, Exporter(kind, partial(_of_records, model=model, fields=fields)))
    for kind, (visible, fields) in _OF_PROJECTS.items():
        exporters.register(kind, Exporter(kind, partial(_of_projects, visible=visible, fields=fields)))
