"""Taking back what takes its time, the last thing first: what steps began (runs, operations), and what a document says of a task (``compensate``).

The engine does it before a run that was rolled back is paused. Each is a step of its own: done once, told from what the step gave, and kept
with what came of it. One that fails stops no other.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from apps.accounts.types import SYSTEM
from apps.core.errors import DomainError
from apps.workflows import problems, selectors, services
from apps.workflows.expressions import ExpressionsBusy
from apps.workflows.problems import TaskError
from apps.workflows.types import CRASHES, StepRow, StepStatus, Suspended
from apps.workflows.walker import At, Walker

if TYPE_CHECKING:
    from apps.workflows.engine import EngineDesk

#: Of a call to another server, with a growing wait between.
MOST_ATTEMPTS = 3
FIRST_WAIT = timedelta(seconds=2)
#: How often a call was begun of which nobody knows the end: its workers were lost.
BEGUN = "begun"


def unwind(desk: EngineDesk, walker: Walker) -> None:
    """``Suspended`` until the next attempt of one that failed. After the last of them the run is paused."""
    for step, taken, gave in selectors.list_undoing(desk.held.run_id):
        body: dict[str, Any] = {name: step.state[name] for name in ("call", "with") if name in step.state}
        at = At(step.path, body, step.path, "undo", 1, taken, taken)
        until = step.state.get("until")
        if until and datetime.fromisoformat(until) > desk.now():
            raise Suspended("undo", datetime.fromisoformat(until))
        try:
            _take_back(desk, walker, at, step, gave)
        except TaskError as failed:
            _note(desk, at, step, failed)
    services.end_unwinding(actor=SYSTEM, held=desk.held)


def _take_back(desk: EngineDesk, walker: Walker, at: At, step: StepRow, gave: Any) -> None:
    try:
        if "back" in step.state:
            desk.heed(services.take_back(actor=desk.asker(), held=desk.held, step=step))
            if step.status == StepStatus.WAITING:
                raise Suspended("undo")
            return
        function, call = desk.ready(walker, at, step.step_id, gave, output=gave)
        if function.inside is not None:
            desk.heed(services.undo_inside(actor=SYSTEM, held=desk.held, function=function, call=call, step=step))
            return
        begun = step.state.get(BEGUN, 0)
        if begun >= CRASHES:
            raise problems.workers_lost(at.path)
        step.state = {**step.state, BEGUN: begun + 1}
        desk.begin_call(at, step)
        given = desk.ask(function, call)
        desk.change(at, step, StepStatus.COMPLETED, output=given.output, cost=given.cost)
    except ExpressionsBusy:
        raise
    except DomainError as error:
        raise problems.of_domain_error(error, at.path) from error


def _note(desk: EngineDesk, at: At, step: StepRow, failed: TaskError) -> None:
    """What did not reach another server, or that it could not serve, is tried again."""
    status = failed.problem.get("status", 500)
    is_passing = failed.problem.get("title") == "communication" and (status >= 500 or status in {408, 429})  # noqa: PLR2004
    state = {name: each for name, each in step.state.items() if name != BEGUN}
    if not is_passing or step.attempts >= MOST_ATTEMPTS:
        desk.change(at, step, StepStatus.FAILED, error=failed.problem, state=state)
        return
    until = desk.now() + FIRST_WAIT * 2 ** (step.attempts - 1)
    state["until"] = until.isoformat()
    desk.change(at, step, StepStatus.RUNNING, error=failed.problem, state=state, attempts=step.attempts + 1)
    raise Suspended("undo", until)
