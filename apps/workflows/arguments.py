"""What calls of a document give their functions, held against the functions' schemas as far as it is written out: what expressions give shows when they run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _

from apps.core.doors.workflow_functions import workflow_functions
from apps.core.errors import FieldError
from apps.extraction import schema_words
from apps.workflows import calling, shapes
from apps.workflows.documents import compensations, escaped, walk
from apps.workflows.expressions import is_expression

#: What is known of a list or an object though expressions are in it.
_OF_THE_OUTSIDE = frozenset({"type", "required", "additionalProperties", "minItems", "maxItems"})


def wrong(document: Mapping[str, Any]) -> Iterator[FieldError]:
    """Of a document that the schema lets pass."""
    for task in walk(document):
        if task.kind == "call":
            yield from _of_call(document, task.body, task.pointer)
        for place, said in enumerate(compensations(task.body)):
            yield from _of_call(document, said, f"{task.pointer}/metadata/parlance/compensate/{place}")


def _of_call(document: Mapping[str, Any], body: Mapping[str, Any], pointer: str) -> Iterator[FieldError]:
    name, given = calling.resolved(document, body)
    function = workflow_functions.get(name)
    if function is None:
        return
    is_loose = document.get("evaluate", {}).get("mode") == "loose"
    said, own = body.get("with", {}), f"/use/functions/{escaped(body['call'])}/with"
    for error in shapes.validator(function.parameters).iter_errors(given):
        if _is_open(error, is_loose=is_loose):
            continue
        for each in _in_words(error, function.parameters):
            first = each.field.split("/")[1].replace("~1", "/").replace("~0", "~") if each.field else ""
            where = own if first in given and first not in said else f"{pointer}/with"
            yield FieldError(where + each.field, each.code, each.detail)


def _is_open(error: Any, *, is_loose: bool) -> bool:
    value = error.instance
    is_known = error.kind.name in _OF_THE_OUTSIDE and not isinstance(value, str)
    return not is_known and _has_expression(value, is_loose=is_loose)


def _has_expression(value: Any, *, is_loose: bool) -> bool:
    """``is_loose``: every text is one."""
    if isinstance(value, Mapping):
        return any(_has_expression(each, is_loose=is_loose) for each in value.values())
    if isinstance(value, list):
        return any(_has_expression(each, is_loose=is_loose) for each in value)
    return isinstance(value, str) and (is_loose or is_expression(value))


def _in_words(error: Any, schema: Any) -> list[FieldError]:
    """Of what should be an object also which names it needs."""
    found = schema_words.errors_of(error)
    for part in error.schema_path[:-1]:
        schema = schema[part]
    if error.kind.name != "type" or not schema.get("required"):
        return found
    detail = _("This should be a group of fields with: %(names)s.") % {"names": ", ".join(schema["required"])}
    return [FieldError(each.field, each.code, detail) for each in found]
