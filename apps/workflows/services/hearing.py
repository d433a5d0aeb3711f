"""What the log tells runs: the end of what a step waits for, events that a step listens for, records that a gate looks at."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Func, Value

from apps.accounts.types import Actor
from apps.conversations.types import Visibility as Privacy
from apps.core.doors.consumers import LoggedEvent
from apps.extraction.types import Visibility
from apps.workflows import hearing_selectors, listening, policies
from apps.workflows.hearing_selectors import CHOICE_DECIDED, SIGNAL
from apps.workflows.models import Run, Step
from apps.workflows.services.ends import lock_held
from apps.workflows.services.runs import wake
from apps.workflows.types import HeldRun, StepRow, StepStatus

#: Events of these may open a gate.
RECORDS = ("extraction.record",)
OWN = "workflows."
#: What a run may hear of itself: one of its branches told it, or people decided it.
TOLD = frozenset({SIGNAL, CHOICE_DECIDED})
#: Of a step that did not write down what it listens for.
_ANY: dict[str, Any] = {"any": []}
COLLECTION_ERASED = "extraction.collection_erased"
CONVERSATION_ERASED = "conversations.conversation_erased"
#: What is gone for good, and closes nothing any more to who saw it.
ERASED = frozenset({COLLECTION_ERASED, CONVERSATION_ERASED})


@transaction.atomic
def hear(*, actor: Actor, event: LoggedEvent) -> int:
    """How many runs were woken. Hearing an event twice is hearing it once."""
    policies.require(policies.is_system(actor))
    if event.organization_id is None:
        return 0
    if event.type == COLLECTION_ERASED and event.payload.get("visibility") == Visibility.PROJECT:
        _forget_collection(event)
    if event.type == CONVERSATION_ERASED and event.payload.get("visibility") not in {None, Privacy.PRIVATE}:
        Run.objects.filter(project=event.project_id, conversation_id=event.subject_id).update(conversation_id=None)
    kinds = ["listen"]
    if event.type.startswith(RECORDS):
        kinds.append("gate")
    steps = hearing_selectors.list_waiting_steps(
        organization_id=event.organization_id, project_id=event.project_id, subject_id=event.subject_id, kinds=kinds
    )
    envelopes: dict[UUID | None, dict[str, Any]] = {}
    woken: list[UUID] = []
    for step in steps:
        if step.kind == "listen":
            beside: UUID | None = step.beside if event.type == CHOICE_DECIDED else None  # type: ignore[attr-defined]
            if beside not in envelopes:
                envelopes[beside] = hearing_selectors.as_cloud_event(event, beside=beside)
            if _is_of(step, event) or not _note(step, envelopes[beside]):
                continue
        woken.append(step.run_id)
    return wake(list(dict.fromkeys(woken)))


def _is_of(step: Step, event: LoggedEvent) -> bool:
    """Whether it is the listener's own run that tells how it goes: that it waits now, that it was paused."""
    return event.type.startswith(OWN) and event.type not in TOLD and event.subject_id == step.run_id


def _forget_collection(event: LoggedEvent) -> None:
    """Everyone saw it, so who sees the project sees what runs read there; of others nobody can say any more for whom they were."""
    rows = Run.objects.filter(project=event.project_id, collections__contains=[event.subject_id])
    rows.update(collections=Func(F("collections"), Value(event.subject_id), function="array_remove"))


def _note(step: Step, envelope: dict[str, Any]) -> bool:
    """Into the step's memory, under the lock of its run. False: it is not listened for, nobody listens any more, or it was heard before."""
    if not listening.may_meet(step.state.get("to", _ANY), envelope):
        return False
    Run.objects.select_for_update(of=("self",)).get(pk=step.run_id)
    now = Step.objects.filter(pk=step.pk, status=StepStatus.WAITING).first()
    if now is None or "taken" in now.state:
        return False
    heard = now.state.get("heard", [])
    if any(each["id"] == envelope["id"] for each in heard):
        return False
    # Where there is no room the last place is the newest's: what ends the listening may be yet to come.
    kept = [*heard[: listening.MOST_HEARD - 1], envelope]
    Step.objects.filter(pk=now.pk).update(state={**now.state, "heard": kept})
    return True


@transaction.atomic
def forget_heard(*, actor: Actor, held: HeldRun, step: StepRow, event_ids: Collection[str]) -> None:
    """What was heard and is not listened for after all makes room. What came meanwhile stays; ``step`` follows."""
    policies.require(policies.is_system(actor))
    lock_held(held=held)
    state = Step.objects.values_list("state", flat=True).get(pk=step.step_id)
    step.state = {**state, "heard": [event for event in state["heard"] if event["id"] not in event_ids]}
    Step.objects.filter(pk=step.step_id).update(state=step.state)
