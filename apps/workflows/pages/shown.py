"""A run as pages draw it: its stages, what is asked and what was decided, and what the reader may do there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.utils.translation import gettext as _

from apps.accounts import selectors as accounts
from apps.accounts.types import Actor, ProjectRole
from apps.core.errors import Invalid
from apps.workflows import gates, policies, presentation, reaching, selectors
from apps.workflows.documents import stages
from apps.workflows.models import Run, Step
from apps.workflows.pages import guidance
from apps.workflows.types import FINAL, LIVING, TRIES, UNDO, ChoiceRule, ChoiceStatus, RunStatus, StageState

#: Of what is asked: what came of it is worth a line.
_ENDED = frozenset({ChoiceStatus.DECIDED, ChoiceStatus.EXPIRED})


#: Stages that a run may go back before, also when it has ended.
_BEGUN = frozenset({StageState.CURRENT, StageState.DONE})
#: Of the stage that a run which failed stands in.
_FAILED: dict[str, Any] = {"look": "failed", "label": RunStatus.FAILED.label}
#: Of what a run, or a step, got and gave: so many characters are shown.
MOST_SHOWN = 4000


def shown_run(
    run: Run, actor: Actor, role: ProjectRole | None, *, glance: gates.Glance | None = None
) -> dict[str, Any]:
    """``glance``: what other runs that are drawn with it have read."""
    choices = presentation.choices_of(run, actor)
    is_final = run.status in FINAL
    can_run = policies.can_run(actor, role)
    wanted = _wanted(run)
    shown = [
        {
            **_stage(each, role, can_act=can_run and not is_final, wanted=wanted),
            **(_FAILED if run.status == RunStatus.FAILED and each["state"] == StageState.CURRENT else {}),
            "can_go_back": can_run and not run.is_unwinding and each["state"] in _BEGUN,
        }
        for each in presentation.stage_map(run, glance=glance, whole=False)
    ]
    if not is_final and run.status != RunStatus.PAUSED:
        required = {name: stage.get("requires", ()) for name, stage in stages(run.followed.document)}
        is_asked = any(each["status"] == ChoiceStatus.OPEN for each in choices)
        guidance.guide(shown, required, is_asked=is_asked, is_at_stage=any(each["is_next"] for each in shown))
    _name_overrides(shown)
    return {
        "run": run,
        "says": reaching.words(run.error or {}),
        "stages": shown,
        "choices": [
            {**asked(each), "can_answer": can_run and policies.has_role(role, each["to"])}
            for each in choices
            if each["status"] == ChoiceStatus.OPEN
        ],
        "decided": [_decided(each) for each in choices if each["status"] in _ENDED],
        "operations": selectors.list_operations(run),
        "can_run": can_run,
        "can_override": policies.can_override(actor, role),
        "is_final": is_final,
        "can_cancel": can_run and not run.is_unwinding and (not is_final or run.status == RunStatus.FAILED),
        "is_moving": run.status in {RunStatus.QUEUED, RunStatus.RUNNING},
    }


def asked(choice: Mapping[str, Any]) -> dict[str, Any]:
    """With its deadline as a moment, how many answers count, and who could still give one."""
    return {
        **choice,
        "until": datetime.fromisoformat(choice["deadline"]) if choice["deadline"] else None,
        "counted": choice["asked_count"] - choice["left_count"],
        "left_names": ", ".join(each["name"] for each in choice["left"]),
        "more_left": choice["left_count"] - len(choice["left"]),
        "is_out_of_reach": choice["rule"] == ChoiceRule.QUORUM and choice["asked_count"] < choice["quorum"],
    }


def refused(choice: Mapping[str, Any], error: Invalid, *, option: str, text: str) -> dict[str, Any]:
    """As somebody answered it, and why that is no answer."""
    return {**choice, "mine": {"option": option, "text": text}, "refused": error.fields[0].detail}


def said_in(request: HttpRequest) -> tuple[str, str]:
    """(option, text) of a form."""
    return request.POST.get("option", "")[:60], request.POST.get("text", "")[:20_000]


def shown_step(step: Step, titles: Mapping[str, str]) -> dict[str, Any]:
    """With what it got and gave, and whether another run may begin with it. ``titles``: of the run's stages."""
    can_fork = step.status in LIVING and step.kind != UNDO
    return {
        **presentation.step_data(step, titles),
        "got": as_json(step.input),
        "gave": as_json(step.output),
        "says": reaching.words({name: each for name, each in step.error.items() if name not in {"title", "type"}}),
        "can_fork": can_fork,
        "tries": step.state.get(TRIES, 1),
    }


def as_json(value: Any) -> str:
    """Its beginning, for people. Made as far as it is shown: a step may have given a megabyte."""
    if value is None or value == {}:
        return ""
    found, length = [], 0
    for piece in json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(value):
        found.append(piece[: MOST_SHOWN - length])
        length += len(piece)
        if length > MOST_SHOWN:
            return "".join(found) + " …"
    return "".join(found)


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
    }


def _decided(choice: Mapping[str, Any]) -> dict[str, Any]:
    titles = {option["key"]: option["title"] for option in choice["options"]}
    names = {answer["person"]: answer["name"] for answer in choice["answers"]}
    if choice["status"] == ChoiceStatus.EXPIRED:
        return {"question": choice["question"], "answer": ChoiceStatus.EXPIRED.label, "who": "", "is_expired": True}
    return {
        "question": choice["question"],
        "answer": _yes_or_no(choice) or choice["text"] or titles.get(choice["option"], choice["option"]),
        "who": names.get(choice["decided_by"], ""),
    }


def _yes_or_no(choice: Mapping[str, Any]) -> str:
    if choice["answer_type"] != "boolean":
        return ""
    return _("Yes") if choice["text"].lower() == "true" else _("No")
