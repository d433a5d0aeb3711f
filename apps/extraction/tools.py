"""What a model may ask about records: which collections there are, what is in one, one record. With the rights of who it works for."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from apps.accounts.types import Actor
from apps.accounts.zones import in_zone_of
from apps.core.doors.tools import Tool, ToolAnswer, ToolCall, tools
from apps.core.errors import NotFound
from apps.extraction import selectors
from apps.extraction.filters import read as read_condition
from apps.extraction.models import Collection, Record

MOST = 20


def _viewer(call: ToolCall) -> Actor:
    assert isinstance(call.actor, Actor)
    return call.actor


def _said(value: Any) -> ToolAnswer:
    return ToolAnswer(json.dumps(value, ensure_ascii=False, default=str))


def list_collections(call: ToolCall) -> ToolAnswer:
    rows = selectors.list_collections(_viewer(call), project_id=call.project_id).order_by("name", "pk")
    return _said([{"collection": row.slug, "name": row.name, "fields": _fields(row)} for row in rows[:MOST]])


def _fields(collection: Collection) -> list[str]:
    return list(collection.document.get("properties", {}))  # type: ignore[attr-defined]


def search_records(call: ToolCall) -> ToolAnswer:
    given, viewer = call.arguments, _viewer(call)
    collection = selectors.find_collection(viewer, project_id=call.project_id, slug=given["collection"])
    if collection is None:
        raise NotFound
    with in_zone_of(viewer):
        rows = selectors.list_records(
            collection=collection,
            conditions=[read_condition(each) for each in given.get("where", ())],
            text=given.get("text", ""),
            is_complete=given.get("complete"),
        )
    found = rows.order_by("created_at", "pk")
    shown = [_plain(row) for row in found[: given.get("limit", MOST)]]
    return _said({"records": shown, "in_all": rows.count()})


def get_record(call: ToolCall) -> ToolAnswer:
    try:
        pk = UUID(call.arguments["record"])
    except ValueError:
        raise NotFound from None
    record = selectors.get_record(record_id=pk, viewer=_viewer(call))
    if record.project_id != call.project_id:
        raise NotFound
    return _said({**_plain(record), "missing": record.missing})


def _plain(record: Record) -> dict[str, Any]:
    return {"id": str(record.pk), "title": record.title, "data": record.data, "is_complete": record.is_complete}


_TEXT = {"type": "string", "minLength": 1, "maxLength": 200}


def _takes(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": list(required), "properties": properties}


def register() -> None:
    for tool in (
        Tool(
            "collections_list",
            _("Which collections of records the project has, with the names of their fields."),
            _takes({}),
            list_collections,
            changes_something=False,
            has_use=selectors.has_collections,
        ),
        Tool(
            "records_search",
            _("Records of a collection: by words, by conditions such as age:over:30, complete or not. At most 20."),
            _takes(
                {
                    "collection": _TEXT,
                    "text": {"type": "string", "maxLength": 200},
                    "where": {"type": "array", "maxItems": 10, "items": {"type": "string", "maxLength": 300}},
                    "complete": {"type": "boolean"},
                    "limit": {"type": "integer", "minimum": 1, "maximum": MOST},
                },
                "collection",
            ),
            search_records,
            changes_something=False,
            has_use=selectors.has_collections,
        ),
        Tool(
            "records_get",
            _("One record by its id, with what it lacks."),
            _takes({"record": _TEXT}, "record"),
            get_record,
            changes_something=False,
            has_use=selectors.has_collections,
        ),
    ):
        tools.register(tool.name, tool)
