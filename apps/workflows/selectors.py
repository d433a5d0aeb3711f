"""Every shared read of definitions and runs. Strangers get the same ``NotFound`` as for a random id."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Now

from apps.accounts import selectors as accounts
from apps.accounts.types import Actor
from apps.conversations import selectors as conversations
from apps.core.errors import NotFound
from apps.core.leases import is_free, scaled
from apps.extraction import reader_selectors as readers
from apps.workflows import policies
from apps.workflows.models import (
    Approval,
    Choice,
    ChoiceAnswer,
    Definition,
    DefinitionVersion,
    Run,
    Secret,
    Start,
    Step,
)
from apps.workflows.types import (
    LIVING,
    OPEN,
    UNDO,
    ChoiceRule,
    ChoiceStatus,
    RunStatus,
    SecretKind,
    StartStatus,
    StepRow,
    StepStatus,
)

HINT_SECONDS = 3.0
#: Of choices that wait for several answers; who is asked is read for each.
JUDGED_AGAIN_SECONDS = 60.0
JUDGED_AT_ONCE = 20


def readable(viewer: Actor) -> Q:
    """Rows of projects the viewer sees."""
    if policies.is_system(viewer):
        return Q()
    if not policies.has_read_scope(viewer):
        return Q(pk__in=[])
    return accounts.project_filter(viewer, field="project")


def visible_definitions(viewer: Actor) -> QuerySet[Definition]:
    return Definition.objects.filter(readable(viewer), deleted_at=None)


def list_definitions(viewer: Actor, *, project_id: UUID | None = None) -> QuerySet[Definition]:
    """With the ``document`` in force, and whether it ``has_runs``."""
    runs = Exists(Run.objects.filter(definition=OuterRef("pk")))
    rows = visible_definitions(viewer).annotate(document=_in_force("document"), has_runs=runs)
    return rows.filter(project_id=project_id) if project_id else rows


def list_startable(viewer: Actor, *, project_id: UUID) -> QuerySet[Definition]:
    """By title, without the documents; ``wants_input``: whether the one in force says what a run is begun with."""
    now = DefinitionVersion.objects.filter(definition=OuterRef("pk"), number=OuterRef("number"))
    wanting = Exists(now.filter(document__input__schema__has_key="document"))
    return (
        visible_definitions(viewer).filter(project_id=project_id).annotate(wants_input=wanting).order_by("title", "pk")
    )


def _in_force(name: str) -> Subquery:
    now = DefinitionVersion.objects.filter(definition=OuterRef("pk"), number=OuterRef("number"))
    return Subquery(now.values(name)[:1])


def _whole(viewer: Actor) -> QuerySet[Definition]:
    return list_definitions(viewer).annotate(text=_in_force("text"))


def get_definition(*, definition_id: UUID, viewer: Actor) -> Definition:
    """Also with the ``text`` that the document was written in."""
    if (found := _whole(viewer).filter(pk=definition_id).first()) is None:
        raise NotFound
    return found


def lock_definition(*, definition_id: UUID, viewer: Actor) -> Definition:
    rows = _whole(viewer).select_for_update(of=("self",))
    if (found := rows.filter(pk=definition_id).first()) is None:
        raise NotFound
    return found


def list_versions(definition: Definition) -> QuerySet[DefinitionVersion]:
    """Of a definition the caller may see, with who made them."""
    return DefinitionVersion.objects.filter(definition=definition).select_related("made_by")


def get_version(definition: Definition, number: int) -> DefinitionVersion:
    if (found := DefinitionVersion.objects.filter(definition=definition, number=number).first()) is None:
        raise NotFound
    return found


# Starts


def list_starts(viewer: Actor, *, project_id: UUID | None = None, definition_id: UUID | None = None) -> QuerySet[Start]:
    """What begins runs by itself, paused or not, with its definition."""
    rows = (
        Start.objects.filter(readable(viewer))
        .exclude(status=StartStatus.OFF)
        .select_related("definition", "armed_by", "organization")
    )
    if project_id:
        rows = rows.filter(project_id=project_id)
    return rows.filter(definition_id=definition_id) if definition_id else rows


def find_start(*, definition_id: UUID, viewer: Actor) -> Start | None:
    return list_starts(viewer, definition_id=definition_id).first()


def get_start(*, definition_id: UUID, viewer: Actor) -> Start:
    if (found := find_start(definition_id=definition_id, viewer=viewer)) is None:
        raise NotFound
    return found


def lock_start(*, definition_id: UUID, viewer: Actor) -> Start:
    rows = list_starts(viewer, definition_id=definition_id).select_for_update(of=("self",))
    if (found := rows.first()) is None:
        raise NotFound
    return found


def last_runs_of(starts: Iterable[Start]) -> dict[UUID, Run]:
    """By the start that began them, which the caller may see."""
    rows = Run.objects.filter(start__in=[start.pk for start in starts])
    return {row.start_id: row for row in rows.order_by("start", "-created_at").distinct("start")}


def list_due_starts() -> list[UUID]:
    rows = Start.objects.filter(status=StartStatus.ACTIVE, next_at__lte=Now()).order_by("next_at")
    return list(rows.values_list("pk", flat=True)[:100])


def stats_starts() -> dict[str, int]:
    rows = Start.objects.exclude(status=StartStatus.OFF).values_list("status").annotate(Count("pk"))
    return {str(status): int(count) for status, count in rows.order_by("status")}


# Secrets


def list_secrets(viewer: Actor, *, project_id: UUID | None = None) -> QuerySet[Secret]:
    """Their names: documents say them anyway."""
    rows = Secret.objects.filter(readable(viewer)).defer("sealed")
    return rows.filter(project_id=project_id) if project_id else rows


def kinds_of_secrets(secrets: Iterable[Secret]) -> dict[UUID, SecretKind]:
    """Of secrets that the caller may name; of what is in them nothing more is told."""
    rows = Secret.objects.filter(pk__in=[secret.pk for secret in secrets]).only("sealed")
    found = {row.pk: SecretKind.of(json.loads(row.sealed)) for row in rows}
    return {pk: kind for pk, kind in found.items() if kind is not None}


def lock_secret(*, secret_id: UUID, viewer: Actor) -> Secret:
    rows = list_secrets(viewer).select_for_update(of=("self",))
    if (found := rows.filter(pk=secret_id).first()) is None:
        raise NotFound
    return found


def open_secret(*, project_id: UUID, name: str) -> dict[str, Any] | None:
    """For the call that needs it, in no answer and no row."""
    found = Secret.objects.filter(project_id=project_id, name=name).first()
    return dict(json.loads(found.sealed)) if found else None


# Runs


def visible_to(viewer: Actor) -> QuerySet[Run]:
    """What a run came through goes from step to step, so it is closed as a whole to whoever does not see all that it read in, and the private
    conversation that it belongs to.
    """
    beside = conversations.open_beside(viewer, "conversation_id")
    return Run.objects.filter(readable(viewer), readers.open_to(viewer, "collections"), beside)


def list_runs(
    viewer: Actor,
    *,
    project_id: UUID | None = None,
    definition_id: UUID | None = None,
    conversation_id: UUID | None = None,
    status: str = "",
) -> QuerySet[Run]:
    rows = visible_to(viewer).select_related("definition", "followed", "requested_by")
    if project_id:
        rows = rows.filter(project_id=project_id)
    if definition_id:
        rows = rows.filter(definition_id=definition_id)
    if conversation_id:
        rows = rows.filter(conversation_id=conversation_id)
    return rows.filter(status=status) if status else rows


def find_run(*, run_id: UUID, viewer: Actor) -> Run | None:
    return list_runs(viewer).filter(pk=run_id).first()


def get_run(*, run_id: UUID, viewer: Actor) -> Run:
    if (found := find_run(run_id=run_id, viewer=viewer)) is None:
        raise NotFound
    return found


def lock_run(*, run_id: UUID, viewer: Actor) -> Run:
    rows = list_runs(viewer).select_for_update(of=("self",))
    if (found := rows.filter(pk=run_id).first()) is None:
        raise NotFound
    return found


def list_steps(run: Run, *, with_history: bool = True) -> QuerySet[Step]:
    """Of a run the caller may see, in the order in which they began."""
    rows = Step.objects.filter(run=run)
    return rows if with_history else rows.filter(status__in=LIVING)


def list_operations(run: Run) -> list[UUID]:
    """Operations over many items that its steps began, what was rolled back left out."""
    rows = Step.objects.filter(run=run, kind="call", status__in=LIVING, state__has_key="operation").order_by("number")
    return [UUID(each) for each in rows.values_list("state__operation", flat=True)]


def list_kept(run: Run) -> list[Step]:
    """Steps of which something could not be taken back, the newest first."""
    return list(Step.objects.filter(run=run).exclude(kept=[]).order_by("-number")[:100])


def get_step(run: Run, number: int) -> Step:
    if (found := Step.objects.filter(run=run, number=number).first()) is None:
        raise NotFound
    return found


def list_gates(run: Run) -> list[Step]:
    """What the run came through and waits at, of stages."""
    return list(Step.objects.filter(run=run, kind="gate", status__in=LIVING).order_by("number"))


def count_approvals(run: Run) -> dict[str, list[UUID]]:
    """Who approved which stage."""
    found: dict[str, list[UUID]] = {}
    for stage, person in Approval.objects.filter(run=run).order_by("created_at").values_list("stage", "person_id"):
        found.setdefault(stage, []).append(person)
    return found


def list_choices(run: Run, *, is_open: bool | None = None) -> QuerySet[Choice]:
    rows = Choice.objects.filter(run=run).select_related("decided_by").order_by("created_at")
    return (
        rows
        if is_open is None
        else rows.filter(Q(status=ChoiceStatus.OPEN) if is_open else ~Q(status=ChoiceStatus.OPEN))
    )


def get_choice(*, choice_id: UUID, viewer: Actor) -> tuple[Run, Choice]:
    found = Choice.objects.select_related("decided_by").filter(pk=choice_id).first()
    if found is None:
        raise NotFound
    return get_run(run_id=found.run_id, viewer=viewer), found


def list_answers(choice_ids: Iterable[UUID]) -> dict[UUID, list[ChoiceAnswer]]:
    found: dict[UUID, list[ChoiceAnswer]] = {}
    rows = ChoiceAnswer.objects.filter(choice__in=list(choice_ids)).select_related("person").order_by("created_at")
    for row in rows:
        found.setdefault(row.choice_id, []).append(row)
    return found


def latest_run_of(viewer: Actor, conversation_id: UUID) -> Run | None:
    return list_runs(viewer, conversation_id=conversation_id).order_by("-created_at").first()


# For the engine and the sweeps


def list_memory(run_id: UUID) -> list[StepRow]:
    """What the run came through, as the walk remembers it."""
    rows = Step.objects.filter(run=run_id, status__in=LIVING).order_by("number")
    fields = ("pk", "number", "path", "visit", "kind", "status", "output", "error", "state", "attempts")
    return [StepRow(*row) for row in rows.values_list(*fields)]


def list_undoing(run_id: UUID) -> list[tuple[StepRow, Any, Any]]:
    """What is to be taken back yet, in order: the step that does it, and what the other one got and gave."""
    rows = Step.objects.filter(run=run_id, kind=UNDO, status__in=[StepStatus.WAITING, StepStatus.RUNNING])
    fields = ("pk", "number", "path", "visit", "kind", "status", "output", "error", "state", "attempts")
    found = [StepRow(*row) for row in rows.order_by("number").values_list(*fields)]
    of = Step.objects.filter(run=run_id, pk__in=[UUID(row.state["of"]) for row in found])
    data = {str(pk): (taken, gave) for pk, taken, gave in of.values_list("pk", "input", "output")}
    return [(row, *data[row.state["of"]]) for row in found]


def has_left_undone(run: Run) -> bool:
    """Whether there is an effect that could not be taken back."""
    return Step.objects.filter(run=run, kind=UNDO, status=StepStatus.FAILED).exists()


def list_before(run: Run, number: int) -> list[Step]:
    """What is done before a step; what it is inside of is under way then."""
    at = get_step(run, number)
    rows = Step.objects.filter(run=run, number__lt=number, status__in=LIVING - {StepStatus.WAITING}).exclude(kind=UNDO)
    found = []
    for step in rows.order_by("number"):
        if at.path.startswith(f"{step.path}/"):
            step.status, step.output, step.error, step.ended_at = StepStatus.RUNNING, None, {}, None
            step.state = {name: value for name, value in step.state.items() if name in {"items", "waits"}}
        elif step.status == StepStatus.RUNNING:
            continue
        found.append(step)
    return found


def list_unhinted() -> list[dict[str, UUID]]:
    """Runs that are due and that nobody works on: the hint was lost, a worker died, or the time has come."""
    rows = Run.objects.filter(
        Q(status=RunStatus.QUEUED, updated_at__lt=Now() - timedelta(seconds=scaled(HINT_SECONDS)))
        | (Q(status=RunStatus.RUNNING) & is_free())
        | Q(status=RunStatus.WAITING, wake_at__lte=Now())
    )
    return [{"run_id": pk} for pk in rows.order_by("updated_at").values_list("pk", flat=True)[:100]]


def is_running(run_id: UUID) -> bool:
    return Run.objects.filter(pk=run_id, status=RunStatus.RUNNING).exists()


def has_open() -> bool:
    return Run.objects.filter(status__in=OPEN).exists()


def list_staged_runs(conversation_id: UUID) -> list[Run]:
    """What is under way beside a conversation and in a stage, with the documents that they follow: one of each stage of each version,
    since what the others would say is the same.
    """
    rows = Run.objects.filter(conversation_id=conversation_id, parent=None, status__in=OPEN).exclude(stage="")
    return list(rows.select_related("followed").order_by("followed_id", "stage").distinct("followed_id", "stage"))


def _open_choices() -> QuerySet[Choice]:
    return Choice.objects.filter(status=ChoiceStatus.OPEN, organization__deleted_at=None)


def list_overdue_choices() -> list[UUID]:
    """Not of an organization that was put away: nobody there is asked."""
    rows = _open_choices().filter(deadline__lte=Now()).order_by("deadline")
    return list(rows.values_list("pk", flat=True)[:100])


def list_choices_to_judge() -> list[UUID]:
    """Open ones that want more than one answer and were not looked at for a minute."""
    rows = _open_choices().filter(rule__in=[ChoiceRule.QUORUM, ChoiceRule.VOTE])
    rows = rows.filter(updated_at__lt=Now() - timedelta(seconds=scaled(JUDGED_AGAIN_SECONDS)))
    return list(rows.order_by("updated_at").values_list("pk", flat=True)[:JUDGED_AT_ONCE])


def stats_runs() -> dict[str, int]:
    rows = Run.objects.filter(status__in=OPEN).values_list("status").annotate(Count("pk"))
    return {str(status): int(count) for status, count in rows.order_by("status")}
