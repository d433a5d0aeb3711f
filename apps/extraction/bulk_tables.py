"""Records from files and into files, as operations: each item is one row, or one file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Func, IntegerField, QuerySet, TextField
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts.types import Actor
from apps.core.doors.bulk_kinds import BulkKind, BulkScope, Done, PlanFindings, PlannedItem, Preview, Work
from apps.core.errors import NotFound
from apps.extraction import bulk_samples, exporting, importing, policies, selectors, services, shape, tables, targets
from apps.extraction.bulk_results import tell
from apps.extraction.bulk_scopes import chosen, collection_of, only, place_of, selection, set_back, written, wrong
from apps.extraction.models import Collection, Record
from apps.extraction.types import OnDuplicate, RecordInvalid
from apps.files import selectors as files
from apps.files import services as file_services
from apps.files import storage

#: A file of an export holds so many records, and so much of the room that a file has, as JSON; more are more files. What another format
#: makes of it (CSV doubles quotes within quotes), and what is written meanwhile, needs the rest.
RECORDS_A_FILE = 50_000
PART_OF_A_FILE = 0.4
_BESIDE_FIELDS = 64


# Import


def _check_import(scope: BulkScope) -> dict[str, Any]:
    only(scope, "collection", "attachment", "format", "columns", "on_duplicate", "language")
    collection = collection_of(scope)
    kind, path = _table_of(scope)
    sheet = tables.opened(path, kind)
    schema = selectors.schema_of(collection)
    columns = scope.params.get("columns")
    if columns is None:
        columns = importing.suggested(sheet.columns, schema, collection.aliases)
    _check_columns(columns, sheet, {each.name for each in schema.top} | {importing.ID_COLUMN})
    rule = scope.params.get("on_duplicate", OnDuplicate.LIST.value)
    if rule not in OnDuplicate.values:
        raise wrong("on_duplicate", _("Choose one of %(choices)s.") % {"choices": ", ".join(OnDuplicate.values)})
    return {
        "collection": str(collection.pk),
        "attachment": str(scope.params["attachment"]),
        "format": kind,
        "columns": columns,
        "on_duplicate": str(rule),
        "language": str(scope.params.get("language") or scope.actor.language)[:12],
    }


def _table_of(scope: BulkScope) -> tuple[str, Path]:
    try:
        file = files.get_usable_file(UUID(str(scope.params.get("attachment"))), scope.actor)
    except (ValueError, NotFound):
        raise wrong("attachment", _("There is no such file."), "unknown_file") from None
    path = storage.location(files.content_of(file).path)
    return scope.params.get("format") or tables.format_of(file.name, path), path


def _check_columns(columns: Any, sheet: tables.Sheet, known: set[str]) -> None:
    """From names of columns to names of fields; no two columns are one field."""
    if not isinstance(columns, dict) or not columns:
        raise wrong("columns", _("No column of the file is a field of the collection. Say which is which."))
    named = [name for name in columns.values() if isinstance(name, str)]
    if len(set(named)) < len(columns) or not set(named) <= known:
        raise wrong("columns", _("Each column is one field of the collection, and no two are the same."))
    if missing := sorted(columns.keys() - set(sheet.columns)):
        raise wrong("columns", _("There is no column “%(name)s”.") % {"name": missing[0][:80]})


def _plan_import(scope: BulkScope) -> Iterator[PlannedItem | PlanFindings]:
    collection = collection_of(scope)
    _kind, path = _table_of(scope)
    sheet = tables.opened(path, scope.params["format"])
    mapping: Mapping[str, str] = scope.params["columns"]
    reader = importing.Reader(selectors.schema_of(collection), mapping, language=scope.params["language"])
    findings = importing.Findings(sheet, mapping)
    for row in sheet.rows():
        fitted = reader.read(row)
        findings.note(row, fitted)
        if fitted.is_blank:
            continue
        if fitted.misfits:
            said = [[each.column, each.code, each.detail, each.value] for each in fitted.misfits[:20]]
            yield PlannedItem({"row": row.number, "errors": said})
        else:
            yield PlannedItem(
                {"row": row.number, "data": fitted.data} | ({"id": fitted.record_id} if fitted.record_id else {})
            )
    yield PlanFindings(findings.as_json())


def _import(work: Work, _found: Any) -> Done:
    payload, actor = work.payload, work.scope.actor
    if "errors" in payload:
        raise RecordInvalid(
            " ".join(
                [_("Row %(number)d:") % {"number": payload["row"]}, *(_sentence(*each) for each in payload["errors"])]
            )
        )
    collection = collection_of(work.scope)
    data = _with_targets(actor, collection, payload["data"])
    if "id" in payload and (there := _find(collection, payload["id"])):
        changed = services.change_record(actor=actor, record_id=there.pk, changes=data)
        return Done(
            written(changed, was=there.version), skipped="" if changed.version != there.version else "unchanged"
        )
    taken = services.take_record(
        actor=actor, collection_id=collection.pk, data=data, on_duplicate=work.scope.params["on_duplicate"]
    )
    if taken.is_new:
        return Done(written(taken.record, was=0))
    skipped = "" if taken.record.version != taken.version_before else "duplicate"
    return Done(written(taken.record, was=taken.version_before), skipped=skipped)


def _sentence(column: str, _code: str, detail: str, value: str) -> str:
    return f"{column} “{value}”: {detail}" if value else f"{column}: {detail}" if column else detail


def _find(collection: Collection, record_id: str) -> Record | None:
    return selectors.list_records(collection=collection).filter(pk=record_id).first()


def _with_targets(actor: Actor, collection: Collection, data: dict[str, Any]) -> dict[str, Any]:
    """What points to records may name them by their titles; one that is nobody's stays, and is refused as what it is."""
    found = dict(data)
    for field in selectors.schema_of(collection).top:
        if field.relation is None or field.name not in found:
            continue
        slug, value = field.relation.collection_slug, found[field.name]
        named = [_target(actor, collection, slug, each) for each in (value if isinstance(value, list) else [value])]
        found[field.name] = named if isinstance(value, list) else named[0]
    return found


def _target(actor: Actor, collection: Collection, slug: str, value: Any) -> Any:
    try:
        return str(UUID(str(value)))
    except ValueError:
        pk = targets.find_by_title(actor, project_id=collection.project_id, slug=slug, title=str(value))
        return str(pk) if pk else value


def _preview_import(scope: BulkScope, item: PlannedItem) -> Preview:
    """A row that names its record shows what that says before and after; whom the others may be is asked when they are written."""
    row, data = {"row": item.payload["row"]}, item.payload.get("data")
    if data is None:
        return Preview(row | {"error": " ".join(_sentence(*each) for each in item.payload["errors"])[:300]})
    collection = collection_of(scope, to_write=False)
    if "id" in item.payload and (there := _find(collection, item.payload["id"])):
        after = shape.merged(there.data, _with_targets(scope.actor, collection, data))
        changes = bulk_samples.changes_of(scope, selectors.schema_of(collection), there.data, after)
        return Preview(row | {"title": there.title}, changes, note="" if changes else _("No field of it changes."))
    if scope.params["on_duplicate"] in {OnDuplicate.MERGE, OnDuplicate.SKIP}:
        return Preview(row | data, note=_("Whether such a record is there already is decided when the row is written."))
    return Preview(row | data)


# Export


def _check_export(scope: BulkScope) -> dict[str, Any]:
    kept = selection(scope, "format", to_write=False)
    kind = scope.params.get("format", "csv")
    if not isinstance(kind, str) or kind not in exporting.CONTENT_TYPES:
        raise wrong("format", _("Choose one of %(choices)s.") % {"choices": ", ".join(exporting.CONTENT_TYPES)})
    return kept | {"format": kind}


def _plan_export(scope: BulkScope) -> Iterator[PlannedItem]:
    """One item a file: from its first record up to the first of the next, so that each record is in one file, whatever is written or
    deleted meanwhile. Those that come later are in none.
    """
    size = Func(Cast("data", TextField()), function="octet_length", output_field=IntegerField())
    rows = chosen(scope, collection_of(scope, to_write=False)).annotate(size=size)
    room = settings.PARLANCE_MAX_FILE_BYTES * PART_OF_A_FILE
    part: dict[str, Any] | None = None
    place: list[str] = []
    held, filled = 0, 0
    for created_at, pk, bytes_of_it in rows.values_list("created_at", "pk", "size").iterator(chunk_size=5000):
        place = [created_at.isoformat(), str(pk)]
        held, filled = held + 1, filled + bytes_of_it + _BESIDE_FIELDS
        if part is None or held > RECORDS_A_FILE or filled > room:
            if part:
                yield PlannedItem(part | {"until": place})
            part = {"part": part["part"] + 1 if part else 1, "from": place}
            held, filled = 1, bytes_of_it + _BESIDE_FIELDS
    if part:
        yield PlannedItem(part | {"to": place})


def _of_part(rows: QuerySet[Record], part: Mapping[str, Any]) -> QuerySet[Record]:
    """Of rows in the order of their making, those from a place (time and id) on, up to another one."""
    moment, pk = _place(part["from"])
    rows = rows.filter(created_at__gte=moment).exclude(created_at=moment, pk__lt=pk)
    if "until" in part:
        moment, pk = _place(part["until"])
        return rows.filter(created_at__lte=moment).exclude(created_at=moment, pk__gte=pk)
    if "to" in part:
        moment, pk = _place(part["to"])
        return rows.filter(created_at__lte=moment).exclude(created_at=moment, pk__gt=pk)
    return rows[:RECORDS_A_FILE]  # planned before parts had an end


def _place(said: Sequence[str]) -> tuple[datetime, str]:
    return datetime.fromisoformat(said[0]), said[1]


def _export(work: Work, _found: Any) -> Done:
    collection = collection_of(work.scope, to_write=False)
    kind, part = work.scope.params["format"], work.payload["part"]
    rows = _of_part(chosen(work.scope, collection), work.payload)
    found = ((str(pk), data) for pk, data in rows.values_list("pk", "data").iterator(chunk_size=2000))
    name = f"{collection.slug}-{timezone.now():%Y-%m-%d}{f'-{part}' if part > 1 else ''}.{kind}"
    with tempfile.TemporaryFile() as content:
        for piece in exporting.pieces(kind, selectors.schema_of(collection), found):
            content.write(piece)
        content.seek(0)
        file = file_services.store_upload(
            actor=work.scope.actor, project_id=work.scope.project_id, name=name, stream=content
        )
    return Done({"attachment": str(file.pk), "name": file.name, "size": file.size})


IMPORT = BulkKind(
    "records.import",
    gettext_lazy("Import records"),
    _plan_import,
    _import,
    check=_check_import,
    may_read=policies.has_read_scope,
    undo=set_back,
    preview=_preview_import,
    place=place_of,
    tell=tell,
    description=gettext_lazy("Rows of a CSV, JSON, JSON Lines or XLSX file, each checked before anything is written."),
)
EXPORT = BulkKind(
    "records.export",
    gettext_lazy("Export records"),
    _plan_export,
    _export,
    check=_check_export,
    may_read=policies.has_read_scope,
    place=place_of,
    description=gettext_lazy("Files to download, of 50,000 records at most each; they are there for a week."),
)
