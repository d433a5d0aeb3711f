"""What collections and records add to an export of a project or an organization: all that their history keeps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from apps.accounts.types import Actor
from apps.core.doors.exporters import Exporter, ExportScope, exporters
from apps.extraction import rendering, selectors
from apps.extraction.models import Collection, CollectionSchema, Record, RecordRevision

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
            "schemas": [{"number": each.number, "document": each.document} for each in schemas],
            "created_at": row.created_at.isoformat(),
        }


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


def register() -> None:
    for kind, rows in (
        ("collections", _collections),
        ("records", _records),
        ("record_revisions", _revisions),
        ("record_templates", _templates),
    ):
        exporters.register(kind, Exporter(kind, rows))
