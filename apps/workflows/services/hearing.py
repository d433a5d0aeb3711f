"""What the log tells runs: the end of what a step waits for, events that a step listens for, records that a gate looks at."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction

from apps.accounts.types import Actor
from apps.core.doors.consumers import LoggedEvent
from apps.workflows import policies, selectors
from apps.workflows.models import Run, Step
from apps.workflows.services.runs import wake
from apps.workflows.types import StepStatus

#: Events of these may open a gate.
RECORDS = ("extraction.record",)
OWN = "workflows."
MOST_HEARD = 200


@transaction.atomic
def hear(*, actor: Actor, event: LoggedEvent) -> int:
    """How many runs were woken. Hearing an event twice is hearing it once."""
    policies.require(policies.is_system(actor))
    if event.organization_id is None:
        return 0
    kinds = ["listen"] if not event.type.startswith(OWN) or event.type == selectors.SIGNAL else []
    if event.type.startswith(RECORDS):
        kinds.append("gate")
    steps = selectors.list_waiting_steps(
        organization_id=event.organization_id, project_id=event.project_id, subject_id=event.subject_id, kinds=kinds
    )
    if not steps:
        return 0
    envelope = selectors.as_cloud_event(event) if any(step.kind == "listen" for step in steps) else {}
    woken: list[UUID] = []
    for step in steps:
        if step.kind == "listen" and not _note(step, envelope):
            continue
        woken.append(step.run_id)
    return wake(list(dict.fromkeys(woken)))


def _note(step: Step, envelope: dict[str, Any]) -> bool:
    """Into the step's memory, under the lock of its run. False: nobody listens any more, or it was heard before."""
    Run.objects.select_for_update(of=("self",)).get(pk=step.run_id)
    now = Step.objects.filter(pk=step.pk, status=StepStatus.WAITING).first()
    if now is None or "taken" in now.state:
        return False
    heard = now.state.get("heard", [])
    if len(heard) >= MOST_HEARD or any(each["id"] == envelope["id"] for each in heard):
        return False
    Step.objects.filter(pk=now.pk).update(state={**now.state, "heard": [*heard, envelope]})
    return True
