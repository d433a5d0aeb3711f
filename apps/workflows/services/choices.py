"""Choices: asked by a step, answered by people, decided by their rule or by the clock."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from apps.accounts import selectors as accounts
from apps.accounts.types import Actor
from apps.core.errors import FieldError, Invalid, NotFound
from apps.workflows import letters, policies, selectors, sight_selectors
from apps.workflows.events import ChoiceAnswered, ChoiceAsked, ChoiceDecided
from apps.workflows.models import Choice, ChoiceAnswer, Run
from apps.workflows.services.ends import announce
from apps.workflows.services.runs import lock_steered, wake
from apps.workflows.types import FINAL, ChoiceClosed, ChoiceRule, ChoiceStatus, RunState

#: Of one step.
MOST_MAILS = 100


def ask_choice(
    *,
    actor: Actor,
    run: Run,
    step_id: UUID,
    question: str,
    options: Sequence[dict[str, Any]] = (),
    answer_type: str = "",
    rule: str = ChoiceRule.FIRST,
    quorum: int = 1,
    takes_own: bool = True,
    asked: str = "editor",
    deadline: datetime | None = None,
    by_mail: bool = False,
) -> Choice:
    """In the transaction of the step that asks. ``by_mail``: each who may answer gets a link that does."""
    policies.require(policies.can_run(actor, accounts.project_role(actor, run.project_id)) or policies.is_system(actor))
    choice = Choice.objects.create(
        organization_id=run.organization_id,
        run=run,
        step_id=step_id,
        question=question[:2000],
        options=list(options),
        answer_type=answer_type,
        rule=rule,
        quorum=quorum,
        takes_own=takes_own,
        asked=asked,
        deadline=deadline,
    )
    announce(ChoiceAsked(run.pk, choice.pk), run, actor)
    if by_mail:
        letters.send_question(
            run=run, choice=choice, people=sight_selectors.people_with(actor, run, asked)[:MOST_MAILS]
        )
    return choice


@transaction.atomic
def answer_choice(*, actor: Actor, run_id: UUID, choice_id: UUID, option: str = "", text: str = "") -> Choice:
    """One of the options, or one's own words. While it is open an answer may be changed; the one that decides is the last."""
    run = lock_steered(actor=actor, run_id=run_id)
    choice = Choice.objects.select_for_update().filter(run=run, pk=choice_id).first()
    if choice is None:
        raise NotFound
    role = accounts.project_role(actor, run.project_id)
    policies.require(actor.user_id is not None and policies.has_role(role, choice.asked))
    if choice.status != ChoiceStatus.OPEN:
        raise ChoiceClosed(status_of_choice=choice.status)
    if run.status in FINAL:
        raise RunState(run.status)
    option, text = _checked(choice, option, text)
    ChoiceAnswer.objects.update_or_create(
        organization_id=run.organization_id,
        choice=choice,
        person_id=actor.user_id,
        defaults={"option": option, "text": text},
    )
    decided = _decided(choice, run, actor)
    if decided is not None:
        _close(choice, run, actor, decided, by=actor.user_id)
    announce(ChoiceAnswered(run.pk, choice.pk, decided is not None), run, actor)
    return choice


def _checked(choice: Choice, option: str, text: str) -> tuple[str, str]:
    """What is kept of an answer."""
    if option and text.strip():
        both = _("You chose an option and wrote words of your own. Take back what you do not mean.")
        raise Invalid(fields=[FieldError("option", "not_both", both)])
    if not option and not text.strip():
        said = _("Choose an option, or answer in your own words.") if choice.options else _("Write an answer.")
        raise Invalid(fields=[FieldError("option", "required", said)])
    if option and option not in {each["key"] for each in choice.options}:
        raise Invalid(fields=[FieldError("option", "unknown_option", _("This is none of the options."))])
    if text and not choice.takes_own:
        raise Invalid(
            fields=[FieldError("text", "not_here", _("Choose one of the options: own words are no answer here."))]
        )
    if choice.answer_type == "number" and text:
        try:
            is_number = math.isfinite(float(text))
        except ValueError:
            is_number = False
        if not is_number:
            raise Invalid(fields=[FieldError("text", "invalid", _("The answer is a number, such as 3 or 2.5."))])
    if choice.answer_type == "boolean" and text.strip().lower() not in {"true", "false"}:
        raise Invalid(fields=[FieldError("text", "invalid", _("The answer is yes or no: true or false."))])
    return option, text.strip()


def _decided(choice: Choice, run: Run, actor: Actor) -> ChoiceAnswer | None:
    """The answer that wins now, if one does."""
    if choice.rule == ChoiceRule.FIRST:
        return ChoiceAnswer.objects.filter(choice=choice).order_by("created_at", "pk").first()
    asked, answers = _counted(choice, run, actor)
    if choice.rule == ChoiceRule.QUORUM:
        agreed = Counter(_said(each) for each in answers)
        return next((each for each in answers if agreed[_said(each)] >= choice.quorum), None)
    return _most(answers) if asked <= {each.person_id for each in answers} else None


def _counted(choice: Choice, run: Run, actor: Actor) -> tuple[set[UUID], list[ChoiceAnswer]]:
    """Who is asked now, and what they answered. Who has left, or has another role by now, counts no more."""
    asked = set(sight_selectors.people_with(actor, run, choice.asked))
    rows = ChoiceAnswer.objects.filter(choice=choice, person__in=asked).order_by("created_at", "pk")
    return asked, list(rows)


def _most(answers: list[ChoiceAnswer]) -> ChoiceAnswer | None:
    """Most votes; of as many the one that was there first."""
    counted = Counter(_said(each) for each in answers)
    return max(answers, key=lambda each: counted[_said(each)], default=None)


def _said(answer: ChoiceAnswer) -> tuple[str, str]:
    return (answer.option, answer.text.casefold())


def _close(choice: Choice, run: Run, actor: Actor, decided: ChoiceAnswer | None, *, by: UUID | None) -> None:
    choice.status = ChoiceStatus.DECIDED if decided else ChoiceStatus.EXPIRED
    if decided:
        choice.option, choice.text, choice.decided_by_id = decided.option, decided.text, by or decided.person_id
    choice.decided_at = Now()
    choice.save()
    announce(ChoiceDecided(run.pk, choice.pk, choice.status), run, actor)
    wake([run.pk])


def close_overdue(*, actor: Actor) -> int:
    """At the deadline a vote is counted; of what nobody decided the run hears that time is up. One after the other, each by itself: whoever
    cancels a run with those inside it waits for no row that is held here beside another.
    """
    policies.require(policies.is_system(actor))
    return sum(_close_late(pk, actor) for pk in selectors.list_overdue_choices())


def judge_open(*, actor: Actor) -> int:
    """Votes and quorums that nobody answers any more are decided, too, as soon as all who are asked now have answered: the last one whose
    answer was missing may have left. Each choice is looked at once a minute at most, a few at once, those that waited longest first.
    """
    policies.require(policies.is_system(actor))
    return sum(_close_agreed(pk, actor) for pk in selectors.list_choices_to_judge())


@transaction.atomic
def _close_agreed(pk: UUID, actor: Actor) -> bool:
    run, choice = _lock(pk)
    if choice.status != ChoiceStatus.OPEN:
        return False
    decided = _decided(choice, run, actor)
    if decided is None:
        choice.save(update_fields=["updated_at"])  # others have their turn
        return False
    _close(choice, run, actor, decided, by=None)
    return True


@transaction.atomic
def _close_late(pk: UUID, actor: Actor) -> bool:
    run, choice = _lock(pk)
    if choice.status != ChoiceStatus.OPEN:
        return False
    decided = _most(_counted(choice, run, actor)[1]) if choice.rule == ChoiceRule.VOTE else None
    _close(choice, run, actor, decided, by=None)
    return True


def _lock(pk: UUID) -> tuple[Run, Choice]:
    run_id = Choice.objects.values_list("run_id", flat=True).get(pk=pk)
    run = Run.objects.select_for_update(of=("self",)).get(pk=run_id)
    return run, Choice.objects.select_for_update().get(pk=pk)
