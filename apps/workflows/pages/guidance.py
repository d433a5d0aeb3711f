"""What to do next, in a sentence: for the stage that goes on, the one that can begin, and how what the next one lacks is got."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from apps.workflows.types import StageState


def guide(
    shown: Sequence[dict[str, Any]],
    requires: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    is_asked: bool,
    is_at_stage: bool,
) -> None:
    """Give each of ``shown`` its ``now`` and ``how``. ``requires``: of each stage, as the definition says it, in the order of its verdicts.
    ``is_asked``: a question is open; ``is_at_stage``: the run waits for somebody, or something, to let the next stage begin.

    How something is got is said of the next stage alone: the same words below all that come later would hide it.
    """
    following = next((each for each in shown if each["look"] in {"available", "blocked"}), None)
    for each in shown:
        each["now"], each["how"] = "", []
        if each["state"] == StageState.CURRENT:
            each["now"] = _current(each, following, is_asked=is_asked, is_at_stage=is_at_stage)
        elif each["state"] == StageState.AVAILABLE:
            each["now"] = _available(each)
        elif each is following and each["lacks"]:
            gates = zip(requires.get(each["name"], ()), each["requires"], strict=False)
            each["how"] = list(dict.fromkeys(_how(gate for gate, verdict in gates if not verdict["is_met"])))


def _current(
    stage: Mapping[str, Any], following: Mapping[str, Any] | None, *, is_asked: bool, is_at_stage: bool
) -> str:
    if is_asked:
        return _("Next: answer the question that is open.")
    if not is_at_stage or following is None:
        return _("It goes on by itself.")
    words = {"stage": following["title"]}
    if stage["can_approve"] and not stage["approvals"]:
        return _("Next: approve this when it is ready. Then see what “%(stage)s” needs.") % words
    if following["lacks"]:
        return _("Next: get together what “%(stage)s” needs. It is listed there.") % words
    return _("Next: start “%(stage)s” when this is done.") % words


def _available(stage: Mapping[str, Any]) -> str:
    if stage["can_start"]:
        return _("All it needs is there. Start it when you want to go on.")
    if stage["by"] == "manager":
        return _("All it needs is there. A manager of the project starts it.")
    return _("All it needs is there. An editor of the project starts it.")


def _how(gates: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    for gate in gates:
        if "any" in gate:
            yield from _how(gate["any"])
        elif "records" in gate and "at_most" not in gate["records"]:
            yield _(
                "To get records: write in the conversation what you know and then /extract, have some made up with "
                "/create, or add them by hand."
            )
            if gate["records"].get("complete"):
                yield _("A record is complete when no needed field is empty: its table says which are missing.")
        elif "every" in gate:
            yield _("To fill a field: open the records, and write it in the row.")
        elif "approved" in gate:
            yield _("To approve: use the button at the stage that is to be approved, once it has begun.")
        elif "stage" in gate:
            yield _("To finish a stage: do what it asks, and start the one after it.")
