"""Whether data fit a schema of a document. Nothing is fetched, and patterns take linear time."""

from __future__ import annotations

from functools import lru_cache
from itertools import islice
from typing import Any

import jsonschema_rs
import orjson
from django.utils.translation import gettext as _

from apps.core.errors import FieldError
from apps.extraction import schema_words

MOST_WRONG = 20
_UNUSABLE = (ValueError, jsonschema_rs.ReferencingError)


def first_wrong(schema: dict[str, Any], value: Any) -> str:
    """The first thing that does not fit, as a sentence with its place; empty when all does."""
    if not schema:
        return ""
    try:
        error = next(iter(validator(schema).iter_errors(value)), None)
    except _UNUSABLE:
        return "The schema of these data cannot be used."
    if error is None:
        return ""
    place = "".join(f"/{part}" for part in error.instance_path)
    return f"{place}: {error.message}"[:400] if place else str(error.message)[:400]


def list_wrong(schema: dict[str, Any], value: Any) -> list[FieldError]:
    """What ``first_wrong`` finds and what comes behind it, at most twenty, in the words of the reader; ``field`` is a JSON pointer into the
    value, empty for the whole and for a schema that cannot be used.
    """
    if not schema:
        return []
    try:
        errors = list(islice(validator(schema).iter_errors(value), MOST_WRONG))
    except _UNUSABLE:
        return [FieldError("", "unusable_schema", _("The schema of these data cannot be used."))]
    return [wrong for error in errors for wrong in schema_words.errors_of(error)][:MOST_WRONG]


def validator(schema: dict[str, Any]) -> Any:
    """Kept by the schema's words; ``ValueError`` or ``ReferencingError`` for one that cannot be used."""
    return _validator(orjson.dumps(schema))


@lru_cache(maxsize=256)
def _validator(schema: bytes) -> Any:
    return jsonschema_rs.validator_for(
        orjson.loads(schema), retriever=_nowhere, pattern_options=jsonschema_rs.RegexOptions()
    )


def _nowhere(uri: str) -> Any:
    message = f"{uri[:100]} is not fetched."
    raise ValueError(message)
