"""``records.*``, ``render``, ``extract`` and ``bulk``: what steps do with the records of the project."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from apps.accounts.zones import in_zone_of
from apps.bulk import selectors as operations
from apps.bulk import services as operation_services
from apps.bulk.types import FINAL as OPERATION_ENDS
from apps.bulk.types import OperationStatus
from apps.core.doors.workflow_functions import Gave, Waits, WorkflowCall, WorkflowFunction
from apps.core.errors import DomainError, FieldError, Invalid, NotFound
from apps.extraction import rendering
from apps.extraction import selectors as records
from apps.extraction import services as record_services
from apps.extraction.filters import read as read_condition
from apps.extraction.services.records import take_record
from apps.extraction.types import OnDuplicate
from apps.extraction.types import RunStatus as ReadingStatus
from apps.workflows.problems import problem

MOST = 1000


def _collection(call: WorkflowCall, slug: str) -> Any:
    if (found := records.find_collection(call.actor, project_id=call.project_id, slug=slug)) is None:
        raise NotFound
    return found


def _id(value: Any, name: str) -> UUID:
    try:
        return UUID(str(value))
    except ValueError:
        raise Invalid(fields=[FieldError(name, "invalid", str(value)[:100])]) from None


def _record(call: WorkflowCall) -> Any:
    """Of the run's project: a workflow touches no other."""
    found = records.get_record(record_id=_id(call.arguments["record"], "record"), viewer=call.actor)
    if found.project_id != call.project_id:
        raise NotFound
    return found


def _locked(call: WorkflowCall, *, stays: bool) -> Any:
    """The version that rolling back returns to is the one that this step changed, not one that somebody changed meanwhile."""
    return records.lock_record(record_id=_record(call).pk, viewer=call.actor, stays=stays)


def _about(call: WorkflowCall) -> list[UUID]:
    """Which collections the arguments name, by short name or by a record. What is not there says nothing of any."""
    given = call.arguments
    params = given.get("params", {})
    slugs = [given.get("collection"), params.get("collection")]
    for several in (given.get("collections"), params.get("collections")):
        slugs += several if isinstance(several, list) else []
    named = {slug for slug in slugs if isinstance(slug, str)}
    rows = (records.find_collection(call.actor, project_id=call.project_id, slug=slug) for slug in named)
    found = [row.pk for row in rows if row is not None]
    if "record" in given:
        with suppress(DomainError):
            found.append(_record(call).collection_id)
    return found


def _plain(record: Any) -> dict[str, Any]:
    return {
        "id": str(record.pk),
        "title": record.title,
        "data": record.data,
        "version": record.version,
        "is_complete": record.is_complete,
        "missing": record.missing,
    }


def create(call: WorkflowCall) -> Gave:
    collection = _collection(call, call.arguments["collection"])
    taken = take_record(
        actor=call.actor,
        collection_id=collection.pk,
        data=call.arguments["data"],
        on_duplicate=call.arguments.get("on_duplicate", OnDuplicate.LIST),
    )
    row = taken.record
    wrote = ((row.pk, taken.version_before, row.version),) if row.version != taken.version_before else ()
    return Gave(_plain(row), wrote=wrote)


def update(call: WorkflowCall) -> Gave:
    before = _locked(call, stays=True)
    row = record_services.change_record(actor=call.actor, record_id=before.pk, changes=call.arguments["data"])
    return Gave(_plain(row), wrote=((row.pk, before.version, row.version),) if row.version != before.version else ())


def delete(call: WorkflowCall) -> Gave:
    row = _locked(call, stays=False)
    record_services.delete_record(actor=call.actor, record_id=row.pk)
    gone = records.get_record(record_id=row.pk, viewer=call.actor, with_deleted=True)
    return Gave({}, wrote=((row.pk, row.version, gone.version),))


def list_them(call: WorkflowCall) -> Gave:
    given = call.arguments
    with in_zone_of(call.actor):
        rows = records.list_records(
            collection=_collection(call, given["collection"]),
            conditions=[read_condition(each) for each in given.get("where", ())],
            is_complete=given.get("complete"),
        )
    return Gave([_plain(row) for row in rows.order_by("created_at", "pk")[: given.get("limit", 100)]])


def render(call: WorkflowCall) -> Gave:
    row = _record(call)
    wanted = rendering.list_templates(call.actor, collection_id=row.collection_id)
    template = wanted.filter(name=call.arguments["template"]).first()
    if template is None:
        raise NotFound
    return Gave({"text": rendering.shown(template, [row.pk], call.actor)})


def bulk(call: WorkflowCall) -> Waits:
    given = call.arguments
    params = dict(given.get("params", {}))
    if "collection" in params:
        params["collection"] = str(_collection(call, params["collection"]).pk)
    if isinstance(params.get("collections"), list):
        params["collections"] = [str(_collection(call, slug).pk) for slug in params["collections"]]
    budget = given.get("budget")
    operation = operation_services.create_operation(
        actor=call.actor,
        project_id=call.project_id,
        kind=given["kind"],
        params=params,
        budget=Decimal(str(budget)) if budget is not None else None,
        currency=given.get("currency", ""),
        start=given.get("start", True),
    )
    return Waits(operation.pk, state={"operation": str(operation.pk)})


def bulk_ended(call: WorkflowCall, state: dict[str, Any]) -> Gave | None:
    """``operation_failed`` when it made nothing though there was something to do; with ``require: all`` when it is not all done."""
    row = operations.get_operation(operation_id=UUID(state["operation"]), viewer=call.actor)
    if row.status not in OPERATION_ENDS:
        return None
    names = ("total", "succeeded", "failed", "skipped", "cancelled", "expired")
    counts = {name: getattr(row, name) for name in names}
    if _falls_short(row, call.arguments.get("require", "some")):
        said = f"The operation ended as {row.status}: {row.succeeded} of {row.total} done, {row.failed} failed."
        raise problem("runtime", 500, said, code="operation_failed", cost=row.cost)
    return Gave({"operation": str(row.pk), "status": row.status, "counts": counts}, cost=row.cost)


def _falls_short(row: Any, require: str) -> bool:
    if require == "all":
        return bool(row.status != OperationStatus.COMPLETED)
    is_broken = row.failed or row.status not in {OperationStatus.COMPLETED, OperationStatus.COMPLETED_WITH_FAILURES}
    return bool(require == "some" and not row.succeeded and is_broken)


def extract(call: WorkflowCall) -> Waits:
    given = call.arguments
    message = given.get("message")
    run = record_services.request_extraction(
        actor=call.actor,
        project_id=call.project_id,
        collections=[_collection(call, slug).pk for slug in given.get("collections", ())],
        message_id=_id(message, "message") if message else None,
        file_id=_id(given["file"], "file") if given.get("file") else None,
        conversation_id=None if message or given.get("file") else call.conversation_id,
        model=given.get("model", ""),
        language=getattr(call.actor, "language", "en"),
    )
    return Waits(run.pk, state={"extraction": str(run.pk)})


def extract_ended(call: WorkflowCall, state: dict[str, Any]) -> Gave | None:
    run = records.get_run(run_id=UUID(state["extraction"]), viewer=call.actor)
    if run.status not in {ReadingStatus.COMPLETED, ReadingStatus.FAILED}:
        return None
    every, waiting = records.count_proposals(call.actor, [run.pk]).get(run.pk, (0, 0))
    if run.status == ReadingStatus.FAILED and not every:
        said = "The words could not be read."
        raise problem("runtime", 500, said, code="reading_failed", cost=run.cost or Decimal(0))
    found = {"extraction": str(run.pk), "status": run.status, "proposals": every, "waiting": waiting}
    wrote = tuple((UUID(pk), before, after) for pk, before, after in run.wrote)
    return Gave(found, cost=run.cost or Decimal(0), wrote=wrote)


def _takes(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": list(required), "properties": properties}


_TEXT = {"type": "string", "minLength": 1, "maxLength": 200}
_WHERE = {"type": "array", "maxItems": 10, "items": {"type": "string", "maxLength": 300}}
_SLUGS = {"type": "array", "maxItems": 20, "items": _TEXT}
_CASES = [name for name in OnDuplicate.values if name != OnDuplicate.ASK]

FUNCTIONS = (
    WorkflowFunction(
        "records.create",
        _("Makes a record."),
        _takes(
            {"collection": _TEXT, "data": {"type": "object"}, "on_duplicate": {"enum": _CASES}}, "collection", "data"
        ),
        inside=create,
        about=_about,
    ),
    WorkflowFunction(
        "records.update",
        _("Changes fields of a record."),
        _takes({"record": _TEXT, "data": {"type": "object"}}, "record", "data"),
        inside=update,
        about=_about,
    ),
    WorkflowFunction(
        "records.delete", _("Deletes a record."), _takes({"record": _TEXT}, "record"), inside=delete, about=_about
    ),
    WorkflowFunction(
        "records.list",
        _("Reads records of a collection."),
        _takes(
            {
                "collection": _TEXT,
                "where": _WHERE,
                "complete": {"type": "boolean"},
                "limit": {"type": "integer", "minimum": 1, "maximum": MOST},
            },
            "collection",
        ),
        inside=list_them,
        about=_about,
    ),
    WorkflowFunction(
        "render",
        _("Puts a record into a template."),
        _takes({"template": _TEXT, "record": _TEXT}, "template", "record"),
        inside=render,
        about=_about,
    ),
    WorkflowFunction(
        "bulk",
        _("Runs an operation over many items and waits for its end."),
        _takes(
            {
                "kind": _TEXT,
                "params": {"type": "object"},
                "start": {"type": "boolean"},
                "budget": {"type": ["number", "string"]},
                "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
                "require": {"enum": ["all", "some", "none"]},
            },
            "kind",
        ),
        inside=bulk,
        look=bulk_ended,
        about=_about,
    ),
    WorkflowFunction(
        "extract",
        _("Reads records out of a message, a file or the run's conversation, and waits until it is read."),
        _takes({"message": _TEXT, "file": _TEXT, "collections": _SLUGS, "model": _TEXT}),
        inside=extract,
        look=extract_ended,
        about=_about,
    ),
)
