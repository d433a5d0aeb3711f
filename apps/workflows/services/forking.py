"""Another run that goes its own way from a step on."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from apps.accounts import selectors as accounts
from apps.accounts.types import Actor
from apps.conversations import selectors as conversations
from apps.workflows import gates, policies, selectors
from apps.workflows.models import Approval, Run, Step
from apps.workflows.services.runs import begin
from apps.workflows.services.stages import require_open
from apps.workflows.types import COPIED, RunCause, StepStatus

KEPT = ("path", "visit", "kind", "status", "input", "output", "error", "attempts", "started_at", "ended_at")


def _beside(source: Run, actor: Actor) -> UUID | None:
    """The conversation goes along with who sees it."""
    pk = source.conversation_id
    return pk if pk and conversations.is_visible(conversation_id=pk, viewer=actor) else None


@transaction.atomic
def fork_run(*, actor: Actor, run_id: UUID, number: int) -> Run:
    """Another run that came through the same steps up to before this one, and goes its own way from there. Effects are not repeated,
    and on its way back it takes none of them back: they are the other run's.

    The stage that it begins in is asked for what it requires, now: an override counts for the run that it was said of.
    """
    source = selectors.lock_run(run_id=run_id, viewer=actor)
    policies.require(policies.can_run(actor, accounts.project_role(actor, source.project_id)))
    accounts.lock_project(source.project_id, actor)
    selectors.get_step(source, number)
    run = begin(
        actor,
        source.definition,
        source.followed,
        data=source.data,
        title=source.title,
        conversation_id=_beside(source, actor),
        cause=RunCause.FORK,
        collections=source.collections,
    )
    copied = [
        Step(
            organization_id=run.organization_id,
            project_id=run.project_id,
            run=run,
            number=place,
            state=step.state if step.status == StepStatus.RUNNING else {**step.state, COPIED: True},
            **{name: getattr(step, name) for name in KEPT},
        )
        for place, step in enumerate(selectors.list_before(source, number), 1)
    ]
    Step.objects.bulk_create(copied)
    passed = [
        gates.name_of(step.path) for step in copied if step.kind == "gate" and step.status == StepStatus.COMPLETED
    ]
    Approval.objects.bulk_create(
        Approval(organization_id=run.organization_id, run=run, stage=each.stage, person_id=each.person_id)
        for each in Approval.objects.filter(run=source, stage__in=passed).order_by("created_at")
    )
    stage = passed[-1] if passed else ""
    Run.objects.filter(pk=run.pk).update(forked_from=source, step_count=len(copied), stage=stage)
    if stage:
        require_open(actor=actor, run=run, name=stage)
    return selectors.get_run(run_id=run.pk, viewer=actor)
