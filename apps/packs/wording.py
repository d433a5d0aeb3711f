"""Which words of a pack people read, and the same in another language. Pure.

A text file says for each of them what it is in its language; values that gates and templates compare, such as the choices of a field,
are the same in every language.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

#: Of a collection, an agent, the manifest; and of every subschema of a collection.
SAID_BY = {
    "manifest": ("title", "summary"),
    "collection": ("name", "description"),
    "agent": ("name", "description", "instructions"),
    "schema": ("title", "description"),
}
#: Of a workflow, wherever they stand: what our vocabulary has for people.
IN_WORKFLOWS = frozenset({"title", "summary", "description", "says", "question", "text", "prompt", "time"})
_PROPERTIES = ("properties", "patternProperties", "dependentSchemas", "$defs")

Say = Callable[[str], str]


def reworded(part: str, value: dict[str, Any], say: Say) -> dict[str, Any]:
    """A copy with every word for people as ``say`` has it. ``part``: manifest, collection, agent or workflow."""
    if part == "workflow":
        found: dict[str, Any] = _in_workflow(value, say)
        return found
    changed = {name: say(text) if name in SAID_BY[part] and text else text for name, text in value.items()}
    if part == "collection":
        changed["document"] = _in_schema(value["document"], say)
    return changed


def words_in(part: str, value: dict[str, Any]) -> Iterator[str]:
    heard: list[str] = []
    reworded(part, value, lambda text: heard.append(text) or text)  # type: ignore[func-returns-value]
    yield from heard


def _in_schema(value: Any, say: Say) -> Any:
    """A property may be called “title”: below ``properties`` names are not keywords."""
    if isinstance(value, list):
        return [_in_schema(each, say) for each in value]
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for name, each in value.items():
        if name in _PROPERTIES and isinstance(each, dict):
            found[name] = {key: _in_schema(inner, say) for key, inner in each.items()}
        elif name in SAID_BY["schema"] and isinstance(each, str) and each:
            found[name] = say(each)
        elif name in {"enum", "const", "default", "examples", "required", "x-aliases", "x-order", "x-relation"}:
            found[name] = each
        else:
            found[name] = _in_schema(each, say)
    return found


def _in_workflow(value: Any, say: Say) -> Any:
    if isinstance(value, list):
        return [_in_workflow(each, say) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: say(each) if name in IN_WORKFLOWS and _is_said(each) else _in_workflow(each, say)
        for name, each in value.items()
    }


def _is_said(value: Any) -> bool:
    """Text, not an expression that is worked out."""
    return isinstance(value, str) and bool(value.strip()) and not value.strip().startswith("${")
