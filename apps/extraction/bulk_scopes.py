"""What the kinds of operations over records ask of their parameters, and the way back that they share."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _

from apps.accounts import selectors as accounts
from apps.accounts.policies import require
from apps.accounts.zones import in_zone_of
from apps.core.doors.bulk_kinds import BulkScope, Work
from apps.core.errors import FieldError, Invalid, NotFound
from apps.extraction import filters, policies, selectors, services
from apps.extraction.models import Collection, Record
from apps.extraction.types import RecordChangedSince

MAX_IDS = 10_000
_SELECTION = {"collection", "where", "q", "complete", "ids"}


def wrong(field: str, detail: str = "", code: str = "invalid") -> Invalid:
    return Invalid(fields=[FieldError(f"params.{field}", code, detail or str(Invalid.default_detail))])


def only(scope: BulkScope, *known: str) -> None:
    if unknown := sorted(scope.params.keys() - set(known)):
        raise Invalid(
            fields=[
                FieldError(f"params.{name}", "unknown_field", _("This field is not known here.")) for name in unknown
            ]
        )


def collection_of(scope: BulkScope, *, to_write: bool = True) -> Collection:
    """Of the project of the operation, with the rights of now."""
    try:
        found = selectors.get_collection(collection_id=UUID(str(scope.params.get("collection"))), viewer=scope.actor)
    except (ValueError, NotFound):
        raise wrong("collection", _("There is no such collection in this project."), "unknown_collection") from None
    if found.project_id != scope.project_id:
        raise wrong("collection", _("There is no such collection in this project."), "unknown_collection")
    if to_write:
        require(policies.can_write_records(scope.actor, accounts.project_role(scope.actor, scope.project_id)))
    return found


# Which records


def selection(scope: BulkScope, *more: str, to_write: bool = True) -> dict[str, Any]:
    """``collection`` with ``ids``, or with what a list of records takes: ``where``, ``q`` and ``complete``."""
    only(scope, *_SELECTION, *more)
    collection = collection_of(scope, to_write=to_write)
    kept: dict[str, Any] = {"collection": str(collection.pk)}
    where, ids, text, complete = (scope.params.get(name) for name in ("where", "ids", "q", "complete"))
    if ids is not None:
        if not isinstance(ids, list) or len(ids) > MAX_IDS or where or text or complete is not None:
            raise wrong("ids", _("Name at most %(number)d records, and no conditions.") % {"number": MAX_IDS})
        kept["ids"] = [str(_id(each)) for each in ids]
        return kept
    if where is not None and not (isinstance(where, list) and all(isinstance(each, str) for each in where)):
        raise wrong("where", _("A list of conditions is needed: field:operator:value."))
    if text is not None and not isinstance(text, str):
        raise wrong("q")
    if complete is not None and type(complete) is not bool:
        raise wrong("complete", _("true, false or nothing is needed."))
    kept |= {"where": where or [], "q": (text or "")[:200], "complete": complete}
    filters.as_q(selectors.schema_of(collection), [filters.read(each) for each in kept["where"]])
    return kept


def _id(value: Any) -> UUID:
    try:
        return UUID(str(value))
    except ValueError:
        raise wrong("ids", _("This is no id of a record.")) from None


def chosen(scope: BulkScope, collection: Collection) -> Any:
    conditions = [filters.read(each) for each in scope.params.get("where", [])]
    with in_zone_of(scope.actor):
        rows = selectors.list_records(
            collection=collection,
            conditions=conditions,
            text=scope.params.get("q", ""),
            is_complete=scope.params.get("complete"),
        )
    if "ids" in scope.params:
        rows = rows.filter(pk__in=scope.params["ids"])
    return rows.order_by("created_at", "pk")


def is_meant_still(work: Work, record: Record, *, named: bool) -> bool:
    """It is as it was planned, or still meets the conditions; of records that were chosen one by one: ``named``."""
    if work.payload.get("version") in (None, record.version):
        return True
    if "ids" in work.scope.params:
        return named
    collection = collection_of(work.scope)
    return bool(chosen(work.scope, collection).filter(pk=record.pk).exists())


def place_of(params: dict[str, Any]) -> str:
    """Its collection's page."""
    return reverse("extraction:table", kwargs={"collection_id": params["collection"]})


def written(record: Record, *, was: int) -> dict[str, Any]:
    return {"record": str(record.pk), "was": was, "is": record.version}


def set_back(work: Work) -> None:
    """As it was before this item; what somebody changed since stays, and the item of the undoing says so."""
    found = work.result
    if not found or found["was"] == found["is"]:
        return
    record_id = UUID(found["record"])
    record = selectors.lock_record(record_id=record_id, viewer=work.scope.actor)
    # Another row of the same file may have gone into it later, and be taken back by now: then it is again as this one left it.
    if record.version != found["is"] and selectors.get_revision(record, found["is"]).data != record.data:
        raise RecordChangedSince
    if found["was"]:
        services.set_back_record(actor=work.scope.actor, record_id=record_id, number=found["was"])
    else:
        services.delete_record(actor=work.scope.actor, record_id=record_id)
