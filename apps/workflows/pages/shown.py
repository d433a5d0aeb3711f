"""A run as pages draw it: its stages, what is asked and what was decided, and what the reader may do there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from apps.accounts import selectors as accounts
from apps.accounts.types import Actor, ProjectRole
from apps.workflows import gates, policies, presentation, selectors
from apps.workflows.documents import stages
from apps.workflows.models import Run
from apps.workflows.pages import guidance
from apps.workflows.types import FINAL, ChoiceStatus, RunStatus, StageState


def shown_run(run: Run, actor: Actor, role: ProjectRole | None) -> dict[str, Any]:
    choices = presentation.choices_of(run, actor)
    is_final = run.status in FINAL
    can_run = policies.can_run(actor, role)
    wanted = _wanted(run)
    shown = [
        _stage(each, role, can_act=can_run and not is_final, wanted=wanted) for each in presentation.stage_map(run)
    ]
    if not is_final and run.status != RunStatus.PAUSED:
        required = {name: stage.get("requires", ()) for name, stage in stages(run.followed.document)}
        is_asked = any(each["status"] == ChoiceStatus.OPEN for each in choices)
        guidance.guide(shown, required, is_asked=is_asked, is_at_stage=any(each["is_next"] for each in shown))
    _name_overrides(shown)
    return {
        "run": run,
        "stages": shown,
        "choices": [
            {**each, "can_answer": can_run and policies.has_role(role, each["to"])}
            for each in choices
            if each["status"] == ChoiceStatus.OPEN
        ],
        "decided": [_decided(each) for each in choices if each["status"] == ChoiceStatus.DECIDED],
        "operations": selectors.list_operations(run),
        "can_run": can_run,
        "can_override": policies.can_override(actor, role),
        "is_final": is_final,
        "is_moving": run.status in {RunStatus.QUEUED, RunStatus.RUNNING},
    }


def _name_overrides(shown: Sequence[dict[str, Any]]) -> None:
    """Who let it into each of these stages though something was missing."""
    said = [each["override"] for each in shown if each["override"]]
    people = accounts.display_people(UUID(each["by"]) for each in said if each["by"])
    for each in said:
        person = people.get(UUID(each["by"])) if each["by"] else None
        each["who"] = person.name if person else ""


def _wanted(run: Run) -> set[str]:
    """Stages that a later one wants approved."""
    named = stages(run.followed.document)
    return {name for _name, stage in named for name in gates.approvable(stage.get("requires", ()))}


def _stage(stage: Mapping[str, Any], role: ProjectRole | None, *, can_act: bool, wanted: set[str]) -> dict[str, Any]:
    """What comes later looks as what is blocked does, and lacks nothing."""
    state = StageState(stage["state"])
    can_begin = can_act and policies.has_role(role, stage["by"])
    return {
        **stage,
        "label": state.label,
        "look": "blocked" if state == StageState.LATER else state.value,
        "current": "step" if state == StageState.CURRENT else "false",
        "lacks": [each for each in stage["requires"] if not each["is_met"]] if stage["missing"] else [],
        "can_start": can_begin and stage["is_next"] and not stage["missing"],
        "can_try": can_begin and state == StageState.BLOCKED,
        "can_approve": can_act and state == StageState.CURRENT and stage["name"] in wanted,
        "can_go_back": can_act and state in {StageState.CURRENT, StageState.DONE},
    }


def _decided(choice: Mapping[str, Any]) -> dict[str, Any]:
    titles = {option["key"]: option["title"] for option in choice["options"]}
    names = {answer["person"]: answer["name"] for answer in choice["answers"]}
    return {
        "question": choice["question"],
        "answer": choice["text"] or titles.get(choice["option"], choice["option"]),
        "who": names.get(choice["decided_by"], ""),
    }
