"""Whether a JSON Schema lies in the subset that OpenAI enforces word by word (``strict: true``).

Outside of it a request with ``strict`` is refused, inside of it one without is only advice to the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KEYWORDS = {
    *("type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "$ref", "$defs"),
    *(
        "title",
        "description",
        "pattern",
        "format",
        "multipleOf",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
    ),
    *("minItems", "maxItems"),
}
_FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
_MOST_LEVELS = 12
_MOST_PARTS = 5_000


def is_enforceable(schema: Mapping[str, Any]) -> bool:
    """An object at the root, every property required, no others allowed, no keyword that is not taken."""
    if schema.get("type") != "object" or "anyOf" in schema:
        return False
    waiting: list[tuple[Any, int]] = [(schema, 0)]
    seen = 0
    while waiting:
        each, level = waiting.pop()
        seen += 1
        if seen > _MOST_PARTS or level > _MOST_LEVELS or not isinstance(each, Mapping) or each.keys() - _KEYWORDS:
            return False
        if (
            not each.keys() & {"type", "anyOf", "enum", "const", "$ref"}
            or str(each.get("format", "date")) not in _FORMATS
        ):
            return False
        properties, definitions = each.get("properties", {}), each.get("$defs", {})
        branches, required = each.get("anyOf", []), each.get("required", [])
        if not (isinstance(properties, Mapping) and isinstance(definitions, Mapping)):
            return False
        if not (isinstance(branches, list) and isinstance(required, list)):
            return False
        kinds = each["type"] if isinstance(each.get("type"), list) else [each.get("type")]
        if "object" in kinds:
            is_closed = each.get("additionalProperties") is False and all(name in required for name in properties)
            if not is_closed or not properties or len(required) != len(properties):
                return False
        if "array" in kinds and "items" not in each:
            return False
        waiting += [(inner, level + 1) for part in (properties, definitions) for inner in part.values()]
        waiting += [(inner, level) for inner in branches]
        waiting += [(each["items"], level)] if "items" in each else []
    return True
