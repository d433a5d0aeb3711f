"""Whom events may concern: steps that wait, and starts that listen; and what these hear of an event."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any
from uuid import UUID

from django.db.models import F, Q

from apps.accounts.types import SYSTEM
from apps.conversations import selectors as conversations
from apps.core.doors.consumers import LoggedEvent
from apps.core.events import public_name
from apps.extraction import selectors as records
from apps.workflows.models import Choice, Start, Step
from apps.workflows.types import TOLD_BY, StartKind, StartStatus, StepStatus

SIGNAL = "workflows.signal_emitted"
CHOICE_DECIDED = "workflows.choice_decided"


def list_waiting_steps(
    *, organization_id: UUID, project_id: UUID | None, subject_id: UUID | None, kinds: Sequence[str]
) -> Iterator[Step]:
    """Steps that an event may concern: those that wait on its subject, and of the project those that listen or stand at a gate. However many
    they are: read piece by piece, without what they got and gave. Each with the conversation ``beside`` its run.
    """
    rows = Step.objects.filter(status=StepStatus.WAITING, organization_id=organization_id)
    rows = rows.annotate(beside=F("run__conversation_id"))
    wanted = Q(kind__in=kinds, project_id=project_id) if project_id and kinds else Q(pk__in=[])
    if subject_id:
        wanted |= Q(waits_on=subject_id)
    return rows.filter(wanted).defer("input", "output").order_by("run_id", "number").iterator(chunk_size=100)


def find_waited_for(
    *, organizations: Collection[UUID], projects: Collection[UUID], subjects: Collection[UUID]
) -> tuple[set[UUID], set[UUID]]:
    """Of the projects those in which steps listen or stand at a gate, and of the subjects of events those that steps wait on."""
    rows = Step.objects.filter(status=StepStatus.WAITING)
    found: set[UUID] = set()
    if projects:
        there = rows.filter(organization__in=organizations, project__in=projects, kind__in=("listen", "gate"))
        found = set(there.values_list("project", flat=True).distinct())
    waited = rows.filter(waits_on__in=subjects).values_list("waits_on", flat=True).distinct() if subjects else ()
    return found, {each for each in waited if each is not None}


def list_listening_starts(project_id: UUID) -> list[Start]:
    """Of a project those that an event may start runs of."""
    rows = Start.objects.filter(project_id=project_id, status=StartStatus.ACTIVE, kind=StartKind.ON)
    return list(rows.order_by("created_at"))


def find_listening_projects(projects: Collection[UUID]) -> set[UUID]:
    """Those of them in which an event may start runs."""
    rows = Start.objects.filter(project__in=projects, status=StartStatus.ACTIVE, kind=StartKind.ON)
    return set(rows.values_list("project", flat=True).distinct()) if projects else set()


def as_cloud_event(event: LoggedEvent, *, beside: UUID | None = None) -> dict[str, Any]:
    """An event of the log as a CloudEvent (cloudevents.io, 1.0). ``collection``: the short name of a record's. What an ``emit`` says is in
    its step, what people decided in the choice; ``beside``: the conversation of who hears.
    """
    found: dict[str, Any] = {
        "specversion": "1.0",
        "id": str(event.id),
        "type": public_name(event.type),
        "source": f"/{event.topic.replace(':', '/')}",
        "subject": str(event.subject_id) if event.subject_id else None,
        "time": event.occurred_at.isoformat(),
        "data": event.payload,
    }
    if event.type == SIGNAL:
        said = Step.objects.filter(pk=event.payload["step_id"]).values_list("state", flat=True).first() or {}
        found |= said.get("envelope", {})
        found |= {"id": str(event.id), TOLD_BY: str(event.subject_id)}
    elif event.type == CHOICE_DECIDED:
        found |= _decided(event, beside)
    elif collection_id := event.payload.get("collection_id"):
        named = records.visible_collections(SYSTEM, with_deleted=True).filter(pk=collection_id)
        found["collection"] = named.values_list("slug", flat=True).first()
    return found


def _decided(event: LoggedEvent, beside: UUID | None) -> dict[str, Any]:
    """Which question it was and what was chosen. Of one that was asked beside a private conversation that is for runs beside the same."""
    choice = Choice.objects.select_related("run__definition").filter(pk=event.payload["choice_id"]).first()
    if choice is None:
        return {}
    place = choice.run.conversation_id
    if place != beside and conversations.list_people_beside(place) is not None:
        return {}
    said = {
        "workflow": choice.run.definition.name,
        "step": Step.objects.values_list("path", flat=True).get(pk=choice.step_id),
        "question": choice.question,
        "option": choice.option or None,
        "title": choice.title,
        "text": choice.text,
        "by": str(choice.decided_by_id) if choice.decided_by_id else None,
    }
    return {"data": event.payload | said, TOLD_BY: str(choice.run_id)}
