"""Our own words in ``metadata.parlance`` of a document and of its tasks, as JSON Schema."""

from __future__ import annotations

from typing import Any

SLUG = {"type": "string", "minLength": 1, "maxLength": 60}
NAME = {"type": "string", "minLength": 1, "maxLength": 100}
WORDS = {"type": "string", "minLength": 1, "maxLength": 500}
COUNT = {"type": "integer", "minimum": 0, "maximum": 1_000_000}
ROLE = {"enum": ["editor", "manager"]}
CONDITIONS = {"type": "array", "maxItems": 10, "items": {"type": "string", "minLength": 1, "maxLength": 300}}


def _closed(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        **({"required": list(required)} if required else {}),
    }


def _gate(name: str, what: dict[str, Any]) -> dict[str, Any]:
    return _closed({name: what, "says": WORDS}, name)


GATE: dict[str, Any] = {
    "records": _gate(
        "records",
        _closed(
            {
                "collection": SLUG,
                "complete": {"type": "boolean"},
                "where": CONDITIONS,
                "at_least": COUNT,
                "at_most": COUNT,
            },
            "collection",
        ),
    ),
    "every": _gate(
        "every",
        _closed(
            {"collection": SLUG, "has": NAME, "where": CONDITIONS, "or_none": {"type": "boolean"}}, "collection", "has"
        ),
    ),
    "stage": _gate("stage", NAME),
    "approved": _gate(
        "approved",
        _closed({"stage": NAME, "by": ROLE, "people": {"type": "integer", "minimum": 1, "maximum": 100}}, "stage"),
    ),
    "any": _gate("any", {"type": "array", "minItems": 1, "maxItems": 10, "items": {"$ref": "#/$defs/gate"}}),
    "not": _gate("not", {"$ref": "#/$defs/gate"}),
}

STAGE = _closed(
    {
        "title": {"type": "string", "minLength": 1, "maxLength": 80},
        "summary": {"type": "string", "maxLength": 500},
        "manual": {"type": "boolean"},
        "by": ROLE,
        "requires": {"type": "array", "maxItems": 20, "items": {"$ref": "#/$defs/gate"}},
        "tools": {"type": "array", "maxItems": 50, "items": NAME},
    },
    "title",
)

COMPENSATION = _closed({"call": NAME, "with": {"type": "object"}}, "call")

#: ``metadata.parlance`` of a task.
TASK: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    **_closed(
        {
            "stage": STAGE,
            "title": {"type": "string", "minLength": 1, "maxLength": 80},
            "compensate": {"type": "array", "maxItems": 10, "items": COMPENSATION},
        }
    ),
    "$defs": {
        "gate": {
            "type": "object",
            "oneOf": [{"$ref": f"#/$defs/{name}"} for name in GATE],
        },
        **GATE,
    },
}

#: ``metadata.parlance`` of a document.
DOCUMENT: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    **_closed({"icon": NAME, "category": NAME}),
}
