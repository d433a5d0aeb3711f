"""What ``listen`` hears: events of the log as CloudEvents, filters over them, and what is done for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from apps.workflows.expressions import is_expression
from apps.workflows.problems import TaskError

if TYPE_CHECKING:
    from apps.workflows.walker import At, Walker

MOST_HEARD = 200


def taken(walker: Walker, at: At, to: dict[str, Any], heard: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    """The events that end the listening, in the order in which they came. None: not yet."""
    is_true = _asking(walker, at)
    if "one" in to:
        return next(([event] for event in heard if meets(to["one"], event, is_true)), None)
    if "any" in to:
        return _any(walker, at, to, heard)
    found: list[dict[str, Any]] = []
    for wanted in to["all"]:
        event = next((each for each in heard if each not in found and meets(wanted, each, is_true)), None)
        if event is None:
            return None
        found.append(event)
    return [event for event in heard if event in found]


def _any(walker: Walker, at: At, to: dict[str, Any], heard: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    """With ``until`` all that came by then. No filter: any event."""
    found: list[dict[str, Any]] = []
    until, is_true = to.get("until"), _asking(walker, at)
    for event in heard:
        if isinstance(until, dict) and taken(walker, at, until, [event]) is not None:
            return found
        if not to["any"] or any(meets(wanted, event, is_true) for wanted in to["any"]):
            found.append(event)
            if until is None:
                return found
            if isinstance(until, str) and walker.is_true(at, until, event.get("data")):
                return found
    return None


def _asking(walker: Walker, at: At) -> Callable[[str, Any], bool]:
    """Where an expression fails, the event is another one."""

    def is_true(program: str, value: Any) -> bool:
        try:
            return walker.is_true(at, program, value)
        except TaskError:
            return False

    return is_true


def meets(wanted: dict[str, Any], event: dict[str, Any], is_true: Callable[[str, Any], bool]) -> bool:
    """Each attribute is the same, or its expression is true of the event's."""
    return all(_same(value, event.get(name), is_true) for name, value in wanted.get("with", {}).items())


def _same(wanted: Any, found: Any, is_true: Callable[[str, Any], bool]) -> bool:
    if is_expression(wanted):
        return is_true(wanted, found)
    if isinstance(wanted, dict) and isinstance(found, dict):
        return all(_same(value, found.get(name), is_true) for name, value in wanted.items())
    return bool(wanted == found)


def may_meet(to: dict[str, Any], event: dict[str, Any]) -> bool:
    """False: whatever its expressions say, nothing that is listened for is this event."""
    if isinstance(until := to.get("until"), dict) and may_meet(until, event):
        return True
    return _met(to, event, lambda _program, _value: True)


def idle(walker: Walker, at: At, to: dict[str, Any], heard: list[dict[str, Any]]) -> set[str]:
    """The ids of those that none of the filters is true of: they need not be kept."""
    is_true, until = _asking(walker, at), to.get("until")
    ends = until if isinstance(until, dict) else None
    return {
        event["id"]
        for event in heard
        if not _met(to, event, is_true) and not (ends is not None and _met(ends, event, is_true))
    }


def _met(to: dict[str, Any], event: dict[str, Any], is_true: Callable[[str, Any], bool]) -> bool:
    filters = [to["one"]] if "one" in to else to.get("any", to.get("all", []))
    return not filters or any(meets(wanted, event, is_true) for wanted in filters)


def each(walker: Walker, at: At, events: list[Any]) -> list[Any]:
    """``foreach``: its tasks for each event; what they give is the output."""
    spec, given = at.body["foreach"], []
    for place, event in enumerate(events):
        inside = {**at.variables, spec.get("item", "item"): event, spec.get("at", "index"): place}
        given.append(walker.tasks(spec.get("do", []), f"{at.path}/foreach", event, inside))
    return given
