"""The engine: it takes a run, walks its document as far as it comes, writes each step, and gives it back.

It spans transactions and opens none. What a step changes in our database is one transaction with the step; what it asks of others carries
the step's id as a key, so that a repeated request can be known as one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.accounts.actors import actor_of_row
from apps.accounts.types import SYSTEM, Actor
from apps.core.correlation import caused_by
from apps.core.doors.workflow_functions import Gave, WorkflowCall, WorkflowFunction, workflow_functions
from apps.core.errors import DomainError
from apps.core.ids import uuid7
from apps.core.leases import scaled
from apps.workflows import calling, listening, problems, services, shapes, sight_selectors
from apps.workflows.expressions import ExpressionsBusy
from apps.workflows.gates import MARK
from apps.workflows.problems import TaskError
from apps.workflows.types import (
    CRASHES,
    MAX_STEPS,
    RUN_SECONDS,
    HeldRun,
    LateWriter,
    RunStatus,
    StepRow,
    StepStatus,
    Suspended,
)
from apps.workflows.unwinding import unwind
from apps.workflows.walker import At, Walker

#: In the state of a step that waited for what failed: what that had cost is in the run.
COUNTED = "counted"
logger = logging.getLogger(__name__)


class Interrupted(Exception):
    """Somebody paused the run, or others are to have their turn."""

    def __init__(self, *, goes_on: bool) -> None:
        super().__init__()
        self.goes_on = goes_on


def go_on(run_id: UUID) -> None:
    """One run, as far as it comes now. Safe to repeat: only the holder of its lease writes."""
    claimed = services.claim_run(actor=SYSTEM, run_id=run_id)
    if claimed is None:
        return
    held, memory = claimed
    with caused_by(held.correlation_id, depth=held.reactions):
        try:
            _walk(held, memory)
        except LateWriter:
            logger.warning("workflow_run_lost", extra={"run": str(run_id)})


def _walk(held: HeldRun, memory: list[StepRow]) -> None:
    desk = EngineDesk(held, memory)
    workflow = {
        "id": str(held.run_id),
        "definition": {"document": held.document["document"], "number": held.number},
        "input": held.data,
        "startedAt": {"iso8601": held.started_at},
    }
    walker = Walker(held.document, desk, workflow)
    try:
        if held.is_unwinding:
            unwind(desk, walker)
            return
        output = walker.walk(held.data)
        walker.failing.clear()  # somebody caught them
        with _told_as_problem(""):
            services.finish_run(actor=SYSTEM, held=held, output=output)
    except Suspended as suspended:
        services.give_back(actor=SYSTEM, held=held, why=suspended.why, until=suspended.until)
    except ExpressionsBusy:
        services.give_back(actor=SYSTEM, held=held, goes_on=True)
    except Interrupted as interrupted:
        services.give_back(actor=SYSTEM, held=held, goes_on=interrupted.goes_on)
    except TaskError as failed:
        failing = [step.step_id for step in walker.failing]
        services.fail_run(actor=SYSTEM, held=held, error=failed.problem, steps=failing)


@contextmanager
def _told_as_problem(path: str) -> Iterator[None]:
    """What cannot be kept is an error of the task."""
    try:
        yield
    except DomainError as error:
        raise problems.of_domain_error(error, path) from error


class EngineDesk:
    """Reads steps from memory, writes them through services. ``perform`` does what a task does."""

    def __init__(self, held: HeldRun, memory: list[StepRow]) -> None:
        self.held = held
        self.memory = {(step.path, step.visit): step for step in memory}
        self.count = max((step.number for step in memory), default=0)
        self.began = time.monotonic()
        self.actor: Actor | None = None
        self.collections = set(held.collections)

    def now(self) -> datetime:
        return timezone.now()

    def find(self, path: str, visit: int) -> StepRow | None:
        return self.memory.get((path, visit))

    def heed(self, status: str) -> None:
        """After each step: is somebody against going on?"""
        if status != RunStatus.RUNNING:
            raise Interrupted(goes_on=False)
        if time.monotonic() - self.began > scaled(RUN_SECONDS):
            raise Interrupted(goes_on=True)

    def _remember(self, step: StepRow) -> StepRow:
        self.memory[step.path, step.visit] = step
        self.count = step.number
        return step

    def write(self, at: At, status: StepStatus, **fields: Any) -> StepRow:
        if self.count >= MAX_STEPS:
            detail = "A run has at most 10,000 steps: does it go round in circles?"
            raise problems.problem("runtime", 500, detail, code="too_many_steps", instance=at.path)
        with _told_as_problem(at.path):
            step, now = services.write_step(
                actor=SYSTEM,
                held=self.held,
                path=at.path,
                visit=at.visit,
                kind=at.kind,
                status=status,
                data=at.value,
                **fields,
            )
        self._remember(step)
        self.heed(now)
        return step

    def change(self, at: At, step: StepRow, status: StepStatus, **fields: Any) -> StepRow:
        with _told_as_problem(at.path):
            now = services.change_step(actor=SYSTEM, held=self.held, step=step, status=status, **fields)
        self.heed(now)
        return step

    def withdraw(
        self, path: str, step: StepRow, status: StepStatus, state: dict[str, Any], error: dict[str, Any] | None = None
    ) -> None:
        with _told_as_problem(path):
            withdrawn, now = services.withdraw_steps(
                actor=SYSTEM, held=self.held, path=path, step=step, status=status, state=state, error=error
            )
        gone = set(withdrawn)
        for each in self.memory.values():
            if each.step_id in gone:
                each.status = StepStatus.CANCELLED
        self.heed(now)

    def keep_deadline(self, step: StepRow, deadline: datetime) -> None:
        services.keep_deadline(actor=SYSTEM, held=self.held, step=step, deadline=deadline)

    def pass_gate(self, at: At, stage: dict[str, Any]) -> None:
        step = self.find(at.path + MARK, at.visit)
        if step is not None and step.status == StepStatus.COMPLETED:
            return
        step = services.pass_gate(actor=SYSTEM, held=self.held, name=at.path, stage=stage, visit=at.visit, step=step)
        self._remember(step)
        if step.status != StepStatus.COMPLETED:
            raise Suspended("stage")

    # Tasks

    def perform(self, walker: Walker, at: At, step: StepRow | None) -> Any:
        with _told_as_problem(at.path):
            return _TASKS[at.kind](self, walker, at, step)

    def asker(self) -> Actor:
        """Who the run acts for, with the rights of now."""
        if self.actor is None:
            held = self.held
            is_platform = held.user_id is None and held.key_id is None
            self.actor = SYSTEM if is_platform else actor_of_row(user_id=held.user_id, key_id=held.key_id)
        return self.actor

    def set(self, walker: Walker, at: At, _step: StepRow | None) -> Any:
        template = at.body["set"]
        return (
            walker.evaluate(at, template, at.value)
            if isinstance(template, str)
            else walker.fill(at, template, at.value)
        )

    def switch(self, walker: Walker, at: At, _step: StepRow | None) -> tuple[Any, str]:
        for item in at.body["switch"]:
            for case in item.values():
                if "when" not in case or walker.is_true(at, case["when"], at.value):
                    return at.value, case["then"]
        return at.value, at.body.get("then", "continue")

    def fail(self, walker: Walker, at: At, _step: StepRow | None) -> Any:
        error = at.body["raise"]["error"]
        if isinstance(error, str):
            error = walker.document.get("use", {}).get("errors", {}).get(error)
            if error is None:
                raise problems.problem("configuration", 400, "There is no error of that name.", instance=at.path)
        raise TaskError({"instance": at.path, **walker.fill(at, error, at.value)})

    def wait(self, walker: Walker, at: At, step: StepRow | None) -> Any:
        if step is None:
            until = self.now() + walker.duration(at, at.body["wait"])
            self.write(at, StepStatus.WAITING, wake_at=until, state={"until": until.isoformat()})
        else:
            until = datetime.fromisoformat(step.state["until"])
        if until > self.now():
            raise Suspended("time", until)
        return at.value

    def emit(self, walker: Walker, at: At, step: StepRow | None) -> Any:
        if step is not None:  # told, and then its worker was lost
            return step.state["envelope"]
        given = walker.fill(at, at.body["emit"]["event"]["with"], at.value)
        envelope = {"specversion": "1.0", "id": str(uuid7()), "time": self.now().isoformat(), **given}
        row = services.emit_signal(
            actor=SYSTEM, held=self.held, envelope=envelope, path=at.path, visit=at.visit, data=at.value
        )
        self._remember(row)
        return envelope

    def listen(self, walker: Walker, at: At, step: StepRow | None) -> Any:
        spec = at.body["listen"]
        if step is None:
            self.write(at, StepStatus.WAITING, state={"heard": [], "to": spec["to"]})
            raise Suspended("event")
        if "taken" not in step.state:
            heard = step.state.get("heard", [])
            taken = listening.taken(walker, at, spec["to"], heard)
            if taken is None:
                if idle := listening.idle(walker, at, spec["to"], heard):
                    services.forget_heard(actor=SYSTEM, held=self.held, step=step, event_ids=idle)
                raise Suspended("event")
            self.take_in(sight_selectors.list_collections_of(taken))
            self.change(at, step, StepStatus.WAITING, state={**step.state, "heard": [], "taken": taken})
        read_as = spec.get("read", "data")
        found = [event if read_as == "envelope" else event.get("data") for event in step.state["taken"]]
        return listening.each(walker, at, found) if "foreach" in at.body else found

    def run(self, walker: Walker, at: At, step: StepRow | None) -> Any:
        spec = at.body["run"]
        if step is None:
            wanted = walker.fill(at, spec["workflow"], at.value)
            row = services.start_inner(
                actor=self.asker(), held=self.held, wanted=wanted, path=at.path, visit=at.visit, data=at.value
            )
            step = self._remember(row)
        if not spec.get("await", True):
            return at.value
        status, output, error, collections = services.read_inner(actor=SYSTEM, held=self.held, step=step)
        self.take_in(collections)
        if status == RunStatus.COMPLETED:
            return output
        if status in {RunStatus.FAILED, RunStatus.CANCELLED}:
            fallback = {"type": problems.BASE + "runtime", "status": 500, "title": "runtime", "detail": status}
            raise TaskError({**(error or fallback), "instance": at.path})
        raise Suspended("run")

    def call(self, walker: Walker, at: At, step: StepRow | None) -> Any:
        if step is not None and "raw" in step.state:
            return step.state["raw"]
        function, call = self.ready(walker, at, step.step_id if step else uuid7(), at.value)
        if step is not None and step.status == StepStatus.WAITING:
            return self._look(function, call, at, step)
        return self._do(walker, function, call, at, step)

    def ready(
        self, walker: Walker, at: At, step_id: UUID, value: Any, **more: Any
    ) -> tuple[WorkflowFunction, WorkflowCall]:
        """What is called, with what, and for whom, who may still ask for it."""
        name, arguments = calling.named(walker, at)
        function = workflow_functions.get(name)
        if function is None:
            detail = f"There is no function {name}."
            raise problems.problem("configuration", 400, detail, code="unknown_function", instance=at.path)
        fill = partial(calling.prepared, walker) if name == calling.HTTP else walker.fill
        given = fill(at, arguments, value, **more)
        call = WorkflowCall(
            actor=self.asker(),
            organization_id=self.held.organization_id,
            project_id=self.held.project_id,
            run_id=self.held.run_id,
            step_id=step_id,
            conversation_id=self.held.conversation_id,
            arguments=given,
            effect_key=calling.key(self.held.run_id, step_id),
        )
        if wrong := shapes.first_wrong(function.parameters, given):
            raise problems.problem("validation", 400, wrong, code="does_not_fit", instance=at.path)
        services.require_asker(actor=call.actor, held=self.held)
        if function.about is not None:
            self.take_in(function.about(call))
        return function, call

    def take_in(self, collections: Iterable[UUID]) -> None:
        """Before words of them come into the run: who does not see all of them does not see it from then on."""
        if new := set(collections) - self.collections:
            services.note_collections(actor=SYSTEM, held=self.held, collections=new)
            self.collections |= new

    def _do(self, walker: Walker, function: WorkflowFunction, call: WorkflowCall, at: At, step: StepRow | None) -> Any:
        ends = not ({"output", "export"} & set(at.body))
        if function.inside is not None:
            row, now = services.call_inside(
                actor=SYSTEM,
                held=self.held,
                function=function,
                call=call,
                path=at.path,
                visit=at.visit,
                data=at.value,
                ends=ends,
            )
            self._remember(row)
            self.heed(now)
            if row.status == StepStatus.WAITING:
                return self._look(function, call, at, row)
            return row.output if ends else row.state["raw"]
        if step is None:
            asked = calling.asked(call, function.name)
            key = walker.lost_key(at.path, asked)
            state = {"asked": asked, **({"key": key} if key else {})}
            step = self.write(at, StepStatus.RUNNING, step_id=call.step_id, state=state)
        elif step.attempts >= CRASHES:  # each attempt ends the count of the run's own crashes
            raise problems.workers_lost(at.path)
        else:
            self.begin_call(at, step, attempts=step.attempts + 1)
        try:
            gave = self.ask(function, replace(call, effect_key=calling.key_of(step, self.held.run_id)))
        except TaskError as failed:
            if failed.cost:
                self.change(at, step, StepStatus.RUNNING, cost=failed.cost)
            raise
        self.change(at, step, StepStatus.RUNNING, state={**step.state, "raw": gave.output}, cost=gave.cost)
        return gave.output

    def begin_call(self, at: At, step: StepRow, *, attempts: int | None = None) -> None:
        """Written before another server is asked."""
        self.change(at, step, StepStatus.RUNNING, attempts=attempts)

    def ask(self, function: WorkflowFunction, call: WorkflowCall) -> Gave:
        """What another server gives, however long that takes: the run stays this worker's."""
        assert function.outside is not None
        with services.keep_run(actor=SYSTEM, held=self.held):
            return function.outside(call)

    def _look(self, function: WorkflowFunction, call: WorkflowCall, at: At, step: StepRow) -> Any:
        assert function.look is not None
        try:
            gave = function.look(call, step.state)
        except TaskError as failed:
            if failed.cost and COUNTED not in step.state:  # once, whoever looks again
                state = {**step.state, COUNTED: True}
                self.change(at, step, StepStatus.WAITING, state=state, cost=failed.cost)
            raise
        if gave is None:
            until = step.state.get("until")
            raise Suspended(function.name[:20], datetime.fromisoformat(until) if until else None)
        if gave.cost or gave.wrote:
            state = {**step.state, "raw": gave.output}
            self.change(at, step, StepStatus.RUNNING, state=state, cost=gave.cost, wrote=gave.wrote)
        return gave.output


_TASKS: dict[str, Any] = {
    "call": EngineDesk.call,
    "emit": EngineDesk.emit,
    "listen": EngineDesk.listen,
    "raise": EngineDesk.fail,
    "run": EngineDesk.run,
    "set": EngineDesk.set,
    "switch": EngineDesk.switch,
    "wait": EngineDesk.wait,
}
