"""What can be done with many records at once, as kinds of bulk operations. Each item is one record, row or file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.doors.bulk_kinds import BulkKind, BulkScope, Done, PlanFindings, PlannedItem, Work, bulk_kinds
from apps.core.errors import NotFound
from apps.extraction import bulk_samples, migrating, policies, selectors, services
from apps.extraction.bulk_accepting import ACCEPT
from apps.extraction.bulk_documents import RENDER
from apps.extraction.bulk_making import CREATE
from apps.extraction.bulk_packages import PACKAGE
from apps.extraction.bulk_prompts import PROMPT
from apps.extraction.bulk_readings import FROM_FILES
from apps.extraction.bulk_results import tell
from apps.extraction.bulk_scopes import (
    chosen,
    collection_of,
    is_meant_still,
    only,
    place_of,
    selection,
    set_back,
    written,
    wrong,
)
from apps.extraction.bulk_tables import EXPORT, IMPORT


def _plan_chosen(scope: BulkScope) -> Iterator[PlannedItem]:
    rows = chosen(scope, collection_of(scope))
    for pk, title, version in rows.values_list("pk", "title", "version").iterator(chunk_size=2000):
        yield PlannedItem({"title": title, "version": version}, subject_id=pk)


# Update and delete


def _check_update(scope: BulkScope) -> dict[str, Any]:
    data = scope.params.get("data")
    kept = selection(scope, "data")
    known = {each.name for each in selectors.schema_of(collection_of(scope)).top}
    if not isinstance(data, dict) or not data:
        raise wrong("data", _("Say which fields become what; null takes a field away."))
    if unknown := sorted(data.keys() - known):
        raise wrong("data", _("There is no field “%(name)s”.") % {"name": unknown[0][:80]}, "unknown_field")
    return kept | {"data": data}


def _update(work: Work, _found: Any) -> Done:
    assert work.subject_id is not None
    try:
        before = selectors.lock_record(record_id=work.subject_id, viewer=work.scope.actor)
    except NotFound:
        return Done(skipped="gone")
    if not is_meant_still(work, before, named=True):
        return Done(skipped="changed_since_planned")
    was = before.version
    changed = services.change_record(
        actor=work.scope.actor, record_id=work.subject_id, changes=work.scope.params["data"]
    )
    return Done(written(changed, was=was), skipped="" if changed.version != was else "unchanged")


def _delete(work: Work, _found: Any) -> Done:
    assert work.subject_id is not None
    try:
        found = selectors.lock_record(record_id=work.subject_id, viewer=work.scope.actor, stays=False)
    except NotFound:
        return Done(skipped="gone")
    if not is_meant_still(work, found, named=False):
        return Done(skipped="changed_since_planned")
    services.delete_record(actor=work.scope.actor, record_id=work.subject_id)
    return Done({"record": str(work.subject_id)})


def _undelete(work: Work) -> None:
    if work.result:
        services.restore_record(actor=work.scope.actor, record_id=UUID(work.result["record"]))


# Migration


def _check_migrate(scope: BulkScope) -> dict[str, Any]:
    only(scope, "collection")
    return {"collection": str(collection_of(scope).pk)}


def _plan_migrate(scope: BulkScope) -> Iterator[PlannedItem | PlanFindings]:
    """Also those that cannot follow: their items fail, and say why."""
    collection = collection_of(scope)
    path, tally = services.path_of(collection), migrating.Tally()
    rows = selectors.list_records(collection=collection, is_behind=True).order_by("created_at", "pk")
    for row in rows.iterator(chunk_size=1000):
        found = path.bring(row.data, row.schema_number, language=scope.actor.language)
        tally.note(row.pk, row.title, found.problems)
        yield PlannedItem({"title": row.title, "from": row.schema_number}, subject_id=row.pk)
    yield PlanFindings(tally.without_values())


def _told_migrate(scope: BulkScope, found: dict[str, Any]) -> dict[str, Any]:
    """The plan keeps which records are samples of a problem; what they say is asked when somebody looks, of those that are there."""
    collection = collection_of(scope, to_write=False)
    path, tally = services.path_of(collection), migrating.Tally()
    ids = {each["record"] for problem in found["problems"] for each in problem["samples"]}
    for row in (
        selectors.list_records(collection=collection, is_behind=True).filter(pk__in=ids).order_by("created_at", "pk")
    ):
        brought = path.bring(row.data, row.schema_number, language=scope.actor.language)
        tally.note(row.pk, row.title, brought.problems)
    return found | {"problems": tally.samples_for(found["problems"])}


def _migrate(work: Work, _found: Any) -> Done:
    assert work.subject_id is not None
    try:
        was = selectors.lock_record(record_id=work.subject_id, viewer=work.scope.actor).version
    except NotFound:
        return Done(skipped="gone")
    changed = services.migrate_record(actor=work.scope.actor, record_id=work.subject_id)
    return Done(written(changed, was=was), skipped="" if changed.version != was else "unchanged")


def register() -> None:
    for kind in (
        IMPORT,
        EXPORT,
        FROM_FILES,
        CREATE,
        ACCEPT,
        PROMPT,
        RENDER,
        PACKAGE,
        BulkKind(
            "records.update",
            gettext_lazy("Change records"),
            _plan_chosen,
            _update,
            check=_check_update,
            preview=bulk_samples.of_update,
            may_read=policies.has_read_scope,
            place=place_of,
            tell=tell,
            undo=set_back,
            description=gettext_lazy("The same change to all records that conditions find, or that are named."),
        ),
        BulkKind(
            "records.delete",
            gettext_lazy("Delete records"),
            _plan_chosen,
            _delete,
            check=selection,
            preview=bulk_samples.of_delete,
            may_read=policies.has_read_scope,
            place=place_of,
            tell=tell,
            undo=_undelete,
            description=gettext_lazy("All records that conditions find, or that are named; they can be brought back."),
        ),
        BulkKind(
            "records.migrate",
            gettext_lazy("Bring records to the schema of today"),
            _plan_migrate,
            _migrate,
            check=_check_migrate,
            preview=bulk_samples.of_migrate,
            may_read=policies.has_read_scope,
            told=_told_migrate,
            place=place_of,
            tell=tell,
            is_exclusive=True,
            description=gettext_lazy("Renames, converts and fills in; what cannot follow stays, and says why."),
        ),
    ):
        bulk_kinds.register(kind.name, kind)
