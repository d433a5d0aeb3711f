"""Whom events may concern: steps that wait, and starts that listen."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from uuid import UUID

from django.db.models import Q

from apps.workflows.models import Start, Step
from apps.workflows.types import StartKind, StartStatus, StepStatus


def list_waiting_steps(
    *, organization_id: UUID, project_id: UUID | None, subject_id: UUID | None, kinds: Sequence[str]
) -> Iterator[Step]:
    """Steps that an event may concern: those that wait on its subject, and of the project those that listen or stand at a gate. However many
    they are: read piece by piece, without what they got and gave.
    """
    rows = Step.objects.filter(status=StepStatus.WAITING, organization_id=organization_id)
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
