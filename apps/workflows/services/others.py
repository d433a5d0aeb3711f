"""What steps do beside calling functions: tell an event, begin a run inside a run; and the right to go on at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.accounts import selectors as accounts
from apps.accounts.types import SYSTEM, Actor
from apps.core.errors import NotFound
from apps.workflows import policies, selectors
from apps.workflows.events import SignalEmitted
from apps.workflows.models import DefinitionVersion, Run
from apps.workflows.problems import problem
from apps.workflows.services.ends import announce, lock_held
from apps.workflows.services.runs import begin
from apps.workflows.services.steps import write_step
from apps.workflows.types import MAX_SUBFLOWS, HeldRun, RunCause, StepRow, StepStatus


def require_asker(*, actor: Actor, held: HeldRun) -> None:
    """Who the run acts for may still run workflows here: asked before every call."""
    if not policies.is_system(actor):
        policies.require(policies.can_run(actor, accounts.project_role(actor, held.project_id)))


@transaction.atomic
def emit_signal(*, actor: Actor, held: HeldRun, envelope: dict[str, Any], path: str, visit: int, data: Any) -> StepRow:
    """The log tells of it by the step's id; listeners read what it says from the step."""
    policies.require(policies.is_system(actor))
    state = {"envelope": envelope}
    row, _status = write_step(
        actor=actor, held=held, path=path, visit=visit, kind="emit", status=StepStatus.RUNNING, data=data, state=state
    )
    run = Run.objects.get(pk=held.run_id)
    announce(SignalEmitted(held.run_id, row.step_id), run, actor)
    return row


@transaction.atomic
def start_inner(*, actor: Actor, held: HeldRun, wanted: Mapping[str, Any], path: str, visit: int, data: Any) -> StepRow:
    """A run of another definition of the project, by its name: the version in force, or the newest of the author's version that is named."""
    outer = Run.objects.get(pk=held.run_id)
    policies.require(
        policies.is_system(actor) or policies.can_run(actor, accounts.project_role(actor, held.project_id))
    )
    if outer.depth + 1 > MAX_SUBFLOWS:
        raise problem("runtime", 500, "Runs inside runs go five deep.", code="too_deep", instance=path)
    rows = selectors.list_definitions(actor, project_id=held.project_id)
    definition = rows.filter(name=str(wanted.get("name"))).first()
    if definition is None:
        raise problem("configuration", 404, "There is no workflow of that name.", code=NotFound.code, instance=path)
    versions = DefinitionVersion.objects.filter(definition=definition).order_by("-number")
    named = wanted.get("version")
    if named and named != "latest":
        versions = versions.filter(document__document__version=named)
    version = versions.first()
    if version is None:
        raise problem("configuration", 404, "There is no such version of it.", code=NotFound.code, instance=path)
    inner = begin(
        actor,
        definition,
        version,
        data=wanted.get("input"),
        cause=RunCause.WORKFLOW,
        conversation_id=held.conversation_id,
        parent=outer,
        depth=outer.depth + 1,
        collections=outer.collections,
    )
    row, _status = write_step(
        actor=SYSTEM,
        held=held,
        path=path,
        visit=visit,
        kind="run",
        status=StepStatus.WAITING,
        data=data,
        waits_on=inner.pk,
        state={"run": str(inner.pk)},
    )
    return row


def read_inner(*, actor: Actor, held: HeldRun, step: StepRow) -> tuple[str, Any, dict[str, Any], list[UUID]]:
    """Status, output and error of the run that a step waits for, and of which collections it holds words."""
    policies.require(policies.is_system(actor))
    row = Run.objects.filter(pk=UUID(step.state["run"]), parent=held.run_id)
    return row.values_list("status", "output", "error", "collections").get()


@transaction.atomic
def note_collections(*, actor: Actor, held: HeldRun, collections: Iterable[UUID]) -> None:
    """Before the run comes to hold words of them: from now on it is seen by who sees all of them."""
    policies.require(policies.is_system(actor))
    run = lock_held(held=held)
    run.collections = sorted({*run.collections, *collections})
    run.save(update_fields=["collections", "updated_at"])
