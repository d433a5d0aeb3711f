"""A run as programs, pages and live followers are told of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts.selectors import ProjectPerson
from apps.accounts.types import Actor
from apps.bulk.types import UndoNotPossible
from apps.core.errors import NotFound
from apps.core.yaml_text import write
from apps.extraction.schema import title_of
from apps.extraction.types import ProposalDecided, RecordChangedSince
from apps.workflows import gates, policies, selectors, sight_selectors
from apps.workflows.documents import in_order, stage_titles, stages
from apps.workflows.models import Choice, ChoiceAnswer, Definition, Run, Start, Step
from apps.workflows.services.ends import viewer_of
from apps.workflows.types import BACK_MARK, NOT_ALL, UNDO, ChoiceRule, ChoiceStatus, RunStatus, StageState, StepStatus

MOST_KEPT = 100
#: People whose answer is missing, by name; of more how many they are.
MOST_LEFT = 20
_KEPT = {
    RecordChangedSince.code: RecordChangedSince.default_detail,
    UndoNotPossible.code: gettext_lazy("What this operation did cannot be undone."),
    ProposalDecided.code: gettext_lazy("Somebody accepted what was read here. The record is theirs."),
    NotFound.code: gettext_lazy("It is not there any more."),
    NOT_ALL: gettext_lazy("Some of what the run inside did stays."),
}


def text_of(definition: Definition) -> str:
    """The file as people write it: as it was sent, or made of the document where it was an object."""
    kept: str = definition.text  # type: ignore[attr-defined]
    return kept or write(in_order(definition.document))  # type: ignore[attr-defined]


def path_words(path: str, kind: str, titles: Mapping[str, str]) -> str:
    """Where a step stands, as people call it: “Scenes / Ending / Choice”. ``titles``: of stages, by their names.

    Every second part of a path says what holds the next one (``do``, ``try``, ``fork``), and is left out.
    """
    place = path.rpartition(BACK_MARK)[0] if kind == UNDO else gates.name_of(path) if kind == "gate" else path
    first, *others = place.split("/")[::2]
    words = {"task": " / ".join([titles.get(first) or title_of(first), *map(title_of, others)])}
    if kind == UNDO:
        return _("%(task)s: taken back") % words
    return _("%(task)s: gate") % words if kind == "gate" else words["task"]


def requirement(verdict: gates.Verdict) -> dict[str, Any]:
    return {"says": verdict.says, "is_met": verdict.is_met, "collection": _id(verdict.collection)}


def stage_map(run: Run, *, glance: gates.Glance | None = None, whole: bool = True) -> list[dict[str, Any]]:
    """Of every stage whether it is done, goes on, can begin, or is blocked and by what; those further on are judged as of now.

    ``glance``: what other runs that are drawn with it have read. Not ``whole``: what is behind the run is not judged, and has no ``requires``.
    """
    named = stages(run.followed.document)
    if not named:
        return []
    glance = glance or gates.Glance()
    found = selectors.list_gates(run)
    passed = [gates.name_of(step.path) for step in found if step.status == StepStatus.COMPLETED]
    waiting = next((gates.name_of(step.path) for step in found if step.status == StepStatus.WAITING), "")
    overrides = {gates.name_of(step.path): override_of(step) for step in found}
    whose = (run.requested_by_id, run.key_id)
    if whose not in glance.viewers:
        glance.viewers[whose] = viewer_of(run)
    sight = gates.sight_of(run, glance.viewers[whose], found=found, glance=glance)
    last = passed[-1] if passed else ""
    places = {name: place for place, (name, _stage) in enumerate(named)}
    here = places.get(waiting or last, -1)
    behind = {name: StageState.DONE for name in passed if places[name] <= here}
    if last and run.status != RunStatus.COMPLETED:
        behind[last] = StageState.CURRENT
    judged = {name: stage.get("requires", []) for name, stage in named if whole or name not in behind}
    glance.find(sight.viewer, run.project_id, (slug for each in judged.values() for slug in gates.slugs_in(each)))
    shown = []
    for name, stage in named:
        required = gates.judge(judged.get(name, []), sight)
        missing = [verdict.says for verdict in required if not verdict.is_met]
        if name in behind:
            state = behind[name]
        elif missing:
            state = StageState.BLOCKED
        else:
            state = StageState.AVAILABLE if name == waiting else StageState.LATER
        is_ahead = state in {StageState.BLOCKED, StageState.AVAILABLE, StageState.LATER}
        shown.append(
            {
                "name": name,
                "title": stage["title"],
                "summary": stage.get("summary", ""),
                "state": state.value,
                "manual": bool(stage.get("manual")),
                "by": stage.get("by", "editor"),
                "tools": stage.get("tools", []),
                "is_next": name == waiting,
                "missing": missing if is_ahead else [],
                "requires": [requirement(verdict) for verdict in required],
                "approvals": len(sight.approvals.get(name, [])),
                "override": overrides.get(name),
            }
        )
    return shown


def override_of(step: Step) -> dict[str, Any] | None:
    """Of a gate that was closed: which manager let the run pass, and why."""
    if step.kind != "gate" or not step.state.get("override"):
        return None
    by = step.state.get("by")
    return {"by": by if by != "None" else None, "reason": step.state.get("reason", "")}


def run_row(run: Run) -> dict[str, Any]:
    return {
        "id": str(run.pk),
        "project": str(run.project_id),
        "workflow": str(run.definition_id),
        "workflow_title": run.definition.title,
        "number": run.followed.number,
        "title": run.title,
        "status": run.status,
        "waits_for": run.waits_for,
        "is_unwinding": run.is_unwinding,
        "stage": run.stage,
        "cause": run.cause,
        "conversation": _id(run.conversation_id),
        "requested_by": _id(run.requested_by_id),
        "parent": _id(run.parent_id),
        "forked_from": _id(run.forked_from_id),
        "steps": run.step_count,
        "cost": str(run.cost),
        "error": run.error or None,
        "version": run.version,
        "created_at": _time(run.created_at),
        "started_at": _time(run.started_at),
        "finished_at": _time(run.finished_at),
    }


def run_data(run: Run, viewer: Actor) -> dict[str, Any]:
    """With the stages as they are now, and what is asked."""
    return {
        **run_row(run),
        "input": run.data,
        "output": run.output,
        "collections": [str(pk) for pk in run.collections],
        "kept": kept_of(run),
        "stages": stage_map(run),
        "choices": choices_of(run, viewer),
    }


def kept_of(run: Run) -> list[dict[str, Any]]:
    """What of it could not be taken back on a way back, the newest steps first."""
    titles = stage_titles(run.followed.document)
    return [
        {"step": step.number, "path": step.path, "task": path_words(step.path, "", titles), **kept_data(each)}
        for step in selectors.list_kept(run)
        for each in step.kept
    ][:MOST_KEPT]


def kept_data(each: dict[str, Any]) -> dict[str, Any]:
    """``says`` in the words of the reader, where the reason is a common one."""
    says = _KEPT.get(each["code"])
    return {**{name: each[name] for name in ("what", "id", "code", "count")}, "says": str(says or each["detail"])}


def choices_of(run: Run, viewer: Actor) -> list[dict[str, Any]]:
    choices = list(selectors.list_choices(run))
    answers = selectors.list_answers([choice.pk for choice in choices])
    people: list[ProjectPerson] = []
    if any(_wants_several(choice) for choice in choices):
        people = sight_selectors.list_people_of_run(viewer, run)
    return [choice_data(choice, answers.get(choice.pk, []), viewer, people) for choice in choices]


def _wants_several(choice: Choice) -> bool:
    return choice.status == ChoiceStatus.OPEN and choice.rule != ChoiceRule.FIRST


def start_data(start: Start, last: Run | None) -> dict[str, Any]:
    """``last``: the run that it began last."""
    return {
        "workflow": str(start.definition_id),
        "workflow_title": start.definition.title,
        "project": str(start.project_id),
        "kind": start.kind,
        "schedule": start.schedule,
        "status": start.status,
        "reason": start.reason,
        "armed_by": _id(start.armed_by_id),
        "armed_at": _time(start.armed_at),
        "next_at": _time(start.next_at),
        "last_at": _time(start.last_at),
        "last_run": {"id": str(last.pk), "status": last.status, "error": last.error or None} if last else None,
        "last_error": start.last_error,
        "last_error_at": _time(start.last_error_at),
        "skipped": start.skipped,
    }


def choice_data(
    choice: Choice, answers: list[ChoiceAnswer], viewer: Actor, people: Sequence[ProjectPerson] = ()
) -> dict[str, Any]:
    """``people``: who sees the run; of them those who may answer now are told while it waits for several."""
    asked = [each for each in people if _wants_several(choice) and policies.has_role(each.role, choice.asked)]
    said = {each.person_id for each in answers}
    left = [each for each in asked if each.id not in said]
    own = next((each for each in answers if each.person_id == viewer.user_id), None)
    return {
        "id": str(choice.pk),
        "question": choice.question,
        "options": choice.options,
        "answer_type": choice.answer_type,
        "rule": choice.rule,
        "quorum": choice.quorum,
        "own": choice.takes_own,
        "to": choice.asked,
        "deadline": _time(choice.deadline),
        "status": choice.status,
        "option": choice.option,
        "text": choice.text,
        "decided_by": _id(choice.decided_by_id),
        "decided_at": _time(choice.decided_at),
        "answers": [
            {"person": str(each.person_id), "name": each.person.display_name, "option": each.option, "text": each.text}
            for each in answers
        ],
        "mine": {"option": own.option, "text": own.text} if own else None,
        "asked_count": len(asked),
        "left_count": len(left),
        "left": [{"person": str(each.id), "name": each.name} for each in left[:MOST_LEFT]],
    }


def step_data(step: Step, titles: Mapping[str, str]) -> dict[str, Any]:
    """``titles``: of the stages of its run."""
    ended = step.ended_at
    return {
        "id": str(step.pk),
        "number": step.number,
        "path": step.path,
        "task": path_words(step.path, step.kind, titles),
        "visit": step.visit,
        "kind": step.kind,
        "status": step.status,
        "input": step.input,
        "output": step.output,
        "error": step.error or None,
        "attempts": step.attempts,
        "seconds": round((ended - step.started_at).total_seconds(), 3) if ended else None,
        "cost": str(step.cost),
        "kept": [kept_data(each) for each in step.kept],
        "override": override_of(step),
        "records": [record for record, _before, _after in step.wrote],
        "started_at": _time(step.started_at),
        "ended_at": _time(ended),
    }


def _time(value: Any) -> str | None:
    return value.isoformat().replace("+00:00", "Z") if value else None


def _id(value: Any) -> str | None:
    return str(value) if value else None
