"""``ask`` and ``choose``: what a step wants to hear from people."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.types import SYSTEM
from apps.core.doors.workflow_functions import Gave, Waits, WorkflowCall, WorkflowFunction
from apps.core.errors import FieldError, Invalid
from apps.workflows import durations, selectors, services
from apps.workflows.types import Category, ChoiceRule, ChoiceStatus

#: Beyond it a float is no whole number that JSON's readers agree on.
MOST_EXACT = 2**53
_ASKED = {"enum": ["editor", "manager"]}
_WORDS = {"type": "string", "maxLength": 300}
OPTION = {
    "type": "object",
    "additionalProperties": False,
    "required": ["key", "title"],
    "properties": {
        "key": {"type": "string", "minLength": 1, "maxLength": 60},
        "title": {"type": "string", "minLength": 1, "maxLength": 200},
        "category": {"enum": list(Category.values)},
        "description": {"type": "string", "maxLength": 2000},
        "difficulty": _WORDS,
        "time": _WORDS,
        "impact": _WORDS,
    },
}


def _deadline(arguments: dict[str, Any]) -> datetime | None:
    if not (given := arguments.get("deadline")):
        return None
    try:
        return timezone.now() + durations.read(given)
    except (ValueError, OverflowError):
        raise Invalid(fields=[FieldError("deadline", "invalid", str(given)[:100])]) from None


def choose(call: WorkflowCall) -> Waits:
    given = call.arguments
    keys = [option["key"] for option in given["options"]]
    if len(set(keys)) != len(keys):
        raise Invalid(fields=[FieldError("options", "twice", ", ".join(keys)[:200])])
    choice = services.ask_choice(
        actor=call.actor,
        run=selectors.get_run(run_id=call.run_id, viewer=SYSTEM),
        step_id=call.step_id,
        question=given["question"],
        options=given["options"],
        rule=given.get("rule", ChoiceRule.FIRST),
        quorum=given.get("quorum", 1),
        takes_own=given.get("own", True),
        asked=given.get("to", "editor"),
        deadline=_deadline(given),
        by_mail=given.get("mail", False),
    )
    return Waits(choice.pk, state={"choice": str(choice.pk)})


def ask(call: WorkflowCall) -> Waits:
    given = call.arguments
    choice = services.ask_choice(
        actor=call.actor,
        run=selectors.get_run(run_id=call.run_id, viewer=SYSTEM),
        step_id=call.step_id,
        question=given["question"],
        answer_type=given.get("type", "text"),
        asked=given.get("to", "editor"),
        deadline=_deadline(given),
        by_mail=given.get("mail", False),
    )
    return Waits(choice.pk, state={"choice": str(choice.pk)})


def _look(call: WorkflowCall, state: dict[str, Any]) -> Gave | None:
    run = selectors.get_run(run_id=call.run_id, viewer=SYSTEM)
    choice = selectors.list_choices(run).get(pk=UUID(state["choice"]))
    if choice.status == ChoiceStatus.OPEN:
        return None
    by = str(choice.decided_by_id) if choice.decided_by_id else None
    timed_out = choice.status != ChoiceStatus.DECIDED
    if choice.answer_type:
        return Gave({"answer": _typed(choice.answer_type, choice.text), "by": by, "timed_out": timed_out})
    return Gave(
        {
            "choice": choice.option or None,
            "title": choice.title,
            "text": choice.text,
            "by": by,
            "timed_out": timed_out,
        }
    )


def _typed(kind: str, text: str) -> Any:
    if not text:
        return None
    match kind:
        case "number":
            number = float(text)  # as JSON has them: whole only as far as that is exact
            return int(number) if number.is_integer() and abs(number) < MOST_EXACT else number
        case "boolean":
            return text.lower() == "true"
    return text


_QUESTION = {"type": "string", "minLength": 1, "maxLength": 2000}
_COMMON = {"question": _QUESTION, "deadline": {"type": ["string", "object"]}, "to": _ASKED, "mail": {"type": "boolean"}}

FUNCTIONS = (
    WorkflowFunction(
        "ask",
        _("Asks people something and waits for the answer."),
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["question"],
            "properties": {**_COMMON, "type": {"enum": ["text", "number", "boolean"]}},
        },
        inside=ask,
        look=_look,
    ),
    WorkflowFunction(
        "choose",
        _("Puts options to people and waits until one is chosen."),
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["question", "options"],
            "properties": {
                **_COMMON,
                "options": {"type": "array", "minItems": 1, "maxItems": 20, "items": OPTION},
                "rule": {"enum": list(ChoiceRule.values)},
                "quorum": {"type": "integer", "minimum": 1, "maximum": 100},
                "own": {"type": "boolean"},
            },
        },
        inside=choose,
        look=_look,
    ),
)
