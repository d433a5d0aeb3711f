"""How a document is walked: control flow over steps that are remembered.

The walk begins at the first task every time. What is done already is not done again: its row says what came of it, so the walk comes by and
by to where the run stands (as in durable execution by replay: S. Burckhardt et al., "Durable Functions", OOPSLA 2021). It is pure but for
``desk``, which reads and writes steps, and for expressions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Protocol

from apps.workflows import calling, durations, expressions, problems, retrying, shapes
from apps.workflows.documents import DIRECTIVES, kind_of, stage_of, walk
from apps.workflows.expressions import ExpressionFailed
from apps.workflows.problems import TaskError
from apps.workflows.types import MAX_WAIT_DAYS, StepRow, StepStatus, Suspended

NOTHING = object()


class Ended(Exception):
    """``then: end``."""

    def __init__(self, output: Any) -> None:
        super().__init__("end")
        self.output = output


@dataclass(slots=True)
class At:
    """Where the walk is: a task with its path, and what expressions see of it."""

    name: str
    body: dict[str, Any]
    path: str
    kind: str
    visit: int
    raw: Any
    value: Any = None
    variables: dict[str, Any] = field(default_factory=dict)

    def seen_with(self, variables: dict[str, Any]) -> At:
        return replace(self, variables=variables)


class Visits(dict[str, int]):
    """How often the walk came to each path."""

    def come(self, path: str) -> int:
        self[path] = self.get(path, 0) + 1
        return self[path]

    def inside(self, path: str) -> dict[str, int]:
        return {each: count for each, count in self.items() if each.startswith(f"{path}/")}


class Desk(Protocol):
    """What writes and reads for the walk."""

    def now(self) -> datetime: ...
    def find(self, path: str, visit: int) -> StepRow | None: ...
    def write(self, at: At, status: StepStatus, **fields: Any) -> StepRow: ...
    def change(self, at: At, step: StepRow, status: StepStatus, **fields: Any) -> StepRow: ...
    def withdraw(
        self, path: str, step: StepRow, status: StepStatus, state: dict[str, Any], error: dict[str, Any] | None = None
    ) -> None: ...
    def keep_deadline(self, step: StepRow, deadline: datetime) -> None: ...
    def pass_gate(self, at: At, stage: dict[str, Any]) -> None: ...
    def perform(self, walker: Walker, at: At, step: StepRow | None) -> Any: ...


class Walker:
    """One walk of one run, in one worker."""

    def __init__(self, document: dict[str, Any], desk: Desk, workflow: dict[str, Any]) -> None:
        self.document, self.desk = document, desk
        self.workflow = workflow
        self.visits = Visits()
        self.context: Any = None
        #: Steps that an error came through since somebody caught one, the innermost first.
        self.failing: list[StepRow] = []
        #: Of the attempt before: the call of which nobody knows whether it had an effect.
        self.lost: StepRow | None = None
        self.is_loose = document.get("evaluate", {}).get("mode") == "loose"

    # Whole documents

    def walk(self, data: Any) -> Any:
        """The output of the run. ``Suspended`` where it waits, ``TaskError`` where it fails."""
        at = At("", self.document, "", "workflow", 1, data)
        at.value = self.taken_in(at)
        ends_at = self._ends_at(at)
        try:
            output = self.tasks(self.document["do"], "", at.value, {})
        except Ended as ended:
            output = ended.output
        except Suspended as suspended:
            if ends_at is None or (suspended.until and suspended.until <= ends_at):
                raise
            raise Suspended(suspended.why, ends_at) from None
        return self.given_out(at, output)

    def _ends_at(self, at: At) -> datetime | None:
        """Until when the whole workflow may take, counted from its beginning or from when it was tried again. What it began goes on, as of
        every run that failed.
        """
        if (limit := self.limit(at)) is None:
            return None
        ends_at = datetime.fromisoformat(self.workflow["startedAt"]["iso8601"]) + limit
        if self.desk.now() >= ends_at:
            raise problems.problem("timeout", 408, "The run took too long.", code="timeout", instance="/timeout")
        return ends_at

    # Data

    def variables(self, at: At, **more: Any) -> dict[str, Any]:
        """What expressions may name (DSL reference, "Runtime expression arguments"). There are no secrets."""
        task = {"name": at.name, "reference": at.path, "definition": at.body} if at.name else None
        return {
            "context": self.context,
            "input": at.value,
            "workflow": self.workflow,
            "runtime": {"name": "parlance", "version": "1"},
            "task": task,
            **at.variables,
            **more,
        }

    def evaluate(self, at: At, program: str, value: Any, **more: Any) -> Any:
        try:
            return expressions.evaluate(expressions.program_of(program), value, self.variables(at, **more))
        except ExpressionFailed as failed:
            raise self.misread(at, failed) from None

    def fill(self, at: At, template: Any, value: Any, **more: Any) -> Any:
        try:
            return expressions.fill(template, value, self.variables(at, **more), loose=self.is_loose)
        except ExpressionFailed as failed:
            raise self.misread(at, failed) from None

    def misread(self, at: At, failed: ExpressionFailed) -> TaskError:
        detail = f"{failed.what} ({failed.program[:200]})"
        return problems.problem("expression", 400, detail, code="expression_failed", instance=at.path)

    def is_true(self, at: At, program: str, value: Any, **more: Any) -> bool:
        found = self.evaluate(at, program, value, **more)
        return found is not None and found is not False

    def taken_in(self, at: At) -> Any:
        spec = at.body.get("input", {})
        self.require_shape(at, spec, at.raw)
        return self._through(at, spec.get("from"), at.raw)

    def given_out(self, at: At, output: Any) -> Any:
        spec = at.body.get("output", {})
        given = self._through(at, spec.get("as"), output, output=output)
        self.require_shape(at, spec, given)
        return given

    def exported(self, at: At, output: Any) -> None:
        if spec := at.body.get("export"):
            self.context = self._through(at, spec.get("as"), output, output=output)

    def _through(self, at: At, template: Any, value: Any, **more: Any) -> Any:
        if template is None:
            return value
        if isinstance(template, str):
            return self.evaluate(at, template, value, **more)
        return self.fill(at, template, value, **more)

    def require_shape(self, at: At, spec: Mapping[str, Any], value: Any) -> None:
        document = (spec.get("schema") or {}).get("document")
        if document is not None and (wrong := shapes.first_wrong(document, value)):
            raise problems.problem("validation", 400, wrong, code="does_not_fit", instance=at.path)

    # Lists and tasks

    def tasks(self, items: list[dict[str, Any]], path: str, value: Any, variables: dict[str, Any]) -> Any:
        """Through a list, from one task to where it says."""
        names = [next(iter(item)) for item in items]
        place = 0
        while place < len(items):
            name = names[place]
            here = f"{path}/{name}" if path else name
            value, way = self.task(name, items[place][name], here, value, variables)
            match way:
                case "continue":
                    place += 1
                case "exit":
                    return value
                case "end":
                    raise Ended(value)
                case _:
                    place = names.index(way)
        return value

    def task(self, name: str, body: dict[str, Any], path: str, raw: Any, variables: dict[str, Any]) -> tuple[Any, str]:
        """Output, and where to go on."""
        at = At(name, body, path, kind_of(body), self.visits.come(path), raw, variables=variables)
        step = self.desk.find(path, at.visit)
        if step is not None and step.status in {StepStatus.COMPLETED, StepStatus.SKIPPED, StepStatus.FAILED}:
            self.visits.update(step.state.get("visits", {}))
            if step.status == StepStatus.FAILED:
                self.failing.append(step)
                raise TaskError(dict(step.error))
            self.context = step.state.get("context", self.context)
            way = "continue" if step.status == StepStatus.SKIPPED else body.get("then", "continue")
            return step.output, step.state.get("then", way)
        if (
            step is not None and step.status == StepStatus.CANCELLED
        ):  # withdrawn: whoever did so was killed before it went on
            raise Suspended("withdrawn")
        at.value = raw
        if step is None and "if" in body and not self.is_true(at, body["if"], raw):
            self.desk.write(at, StepStatus.SKIPPED, output=raw)
            return raw, "continue"
        stage = stage_of(body) if "/" not in path else None
        if stage is not None:
            self.desk.pass_gate(at, stage)
        seen = dict(self.visits)
        try:
            return self._done(at, step, seen)
        except TaskError as failed:
            place = failed.problem.setdefault("instance", path)
            failed.problem["instance"] = self.pointers.get(place, place)
            self._fail(at, failed, seen)
            raise

    @cached_property
    def pointers(self) -> dict[str, str]:
        """Where tasks stand in the document, by their paths: errors name their place by a JSON pointer (DSL reference, "Error")."""
        return {task.path: task.pointer for task in walk(self.document)}

    def _fail(self, at: At, failed: TaskError, seen: dict[str, int]) -> None:
        step = self.desk.find(at.path, at.visit)
        if step is None:
            step = self.desk.write(at, StepStatus.FAILED, error=failed.problem)
        elif step.status in {StepStatus.RUNNING, StepStatus.WAITING}:
            state = {**step.state, **self._visited(at, seen)}
            self.desk.change(at, step, StepStatus.FAILED, error=failed.problem, state=state)
        self.failing.append(step)

    def _visited(self, at: At, seen: dict[str, int]) -> dict[str, Any]:
        """How often the walk came to what is inside: whoever passes by later counts on from there."""
        if at.kind not in _COMPOSITES and at.kind != "listen":
            return {}
        return {"visits": {path: count for path, count in self.visits.items() if seen.get(path) != count}}

    def _done(self, at: At, step: StepRow | None, seen: dict[str, int]) -> tuple[Any, str]:
        at.value = self.taken_in(at)
        before = self.context
        limit = self.limit(at)
        if at.kind in _COMPOSITES and step is None:
            state = {"deadline": (self.desk.now() + limit).isoformat()} if limit is not None else {}
            step = self.desk.write(at, StepStatus.RUNNING, state=state)
        way = at.body.get("then", "continue")
        try:
            if at.kind in _COMPOSITES:
                assert step is not None
                output = _COMPOSITES[at.kind](self, at, step)
            else:
                output = self.desk.perform(self, at, step)
                step = self.desk.find(at.path, at.visit)
        except Suspended as suspended:
            raise self._in_time(at, suspended, seen) from None
        if step is not None and step.status == StepStatus.COMPLETED:  # its end was written with its effect
            return step.output, way
        if at.kind == "switch":
            output, way = output
        output = self.given_out(at, output)
        self.exported(at, output)
        kept: dict[str, Any] = {}
        if self.context is not before:
            kept["context"] = self.context
        if way != at.body.get("then", "continue"):
            kept["then"] = way
        kept |= self._visited(at, seen)
        if step is None:
            self.desk.write(at, StepStatus.COMPLETED, output=output, state=kept)
        else:
            step.state.pop("won", None)
            self.desk.change(at, step, StepStatus.COMPLETED, output=output, state={**step.state, **kept})
        return output, way

    def lost_key(self, path: str, asked: str) -> str:
        """The key of the same call in the attempt before, of which nobody knows whether it had an effect; empty when there is none."""
        lost = self.lost
        if lost is None or lost.path != path or lost.state.get("asked") != asked:
            return ""
        self.lost = None
        return calling.key_of(lost, self.workflow["id"])

    def limit(self, at: At) -> timedelta | None:
        spec = at.body.get("timeout")
        if isinstance(spec, str):
            spec = self.document.get("use", {}).get("timeouts", {}).get(spec)
        return self.duration(at, spec["after"]) if spec else None

    def _in_time(self, at: At, suspended: Suspended, seen: dict[str, int]) -> Exception:
        """Out of time, what it waits for is withdrawn; else it wakes at its deadline at the latest."""
        step = self.desk.find(at.path, at.visit)
        if (limit := self.limit(at)) is None or step is None:
            return suspended
        if "deadline" not in step.state:
            self.desk.keep_deadline(step, self.desk.now() + limit)
        deadline_at = datetime.fromisoformat(step.state["deadline"])
        if self.desk.now() >= deadline_at:
            place = self.pointers.get(at.path, at.path)
            failed = problems.problem("timeout", 408, "It took too long.", code="timeout", instance=place)
            state = {**step.state, **self._visited(at, seen)}
            self.desk.withdraw(at.path, step, StepStatus.FAILED, state, failed.problem)
            return failed
        until = min(suspended.until, deadline_at) if suspended.until else deadline_at
        return Suspended(suspended.why, until)

    def duration(self, at: At, value: Any) -> timedelta:
        found = self.fill(at, value, at.value)
        try:
            if (length := durations.read(found)) > timedelta(days=MAX_WAIT_DAYS):
                raise OverflowError
        except (ValueError, OverflowError):
            raise problems.problem("configuration", 400, "This is no duration.", instance=at.path) from None
        return length

    # Composites

    def do(self, at: At, _step: StepRow) -> Any:
        return self.tasks(at.body["do"], f"{at.path}/do", at.value, at.variables)

    def loop(self, at: At, step: StepRow) -> Any:
        spec, value = at.body["for"], at.value
        items = step.state.get("items", NOTHING)
        if items is NOTHING:
            items = self.evaluate(at, spec["in"], at.value)
            if not isinstance(items, list):
                raise problems.problem("validation", 400, "There is no list to go through.", instance=at.path)
            self.desk.change(at, step, StepStatus.RUNNING, state={**step.state, "items": items})
            step.state["items"] = items
        for place, item in enumerate(items):
            inside = {**at.variables, spec.get("each", "item"): item, spec.get("at", "index"): place}
            here = At(at.name, at.body, at.path, at.kind, at.visit, value, at.value, inside)
            if "while" in at.body and not self.is_true(here, at.body["while"], value):
                break
            value = self.tasks(at.body["do"], f"{at.path}/do", value, inside)
        return value

    def fork(self, at: At, step: StepRow) -> Any:
        """Branches one after the other, each as far as it comes; of those that compete the first that is done."""
        spec, given, waits = at.body["fork"], [], []
        if (won := step.state.get("won")) is not None:
            self.visits.update(won["visits"])
            return won["output"]
        for item in spec["branches"]:
            ((name, body),) = item.items()
            try:
                output, way = self.task(name, body, f"{at.path}/fork/{name}", at.value, at.variables)
            except Suspended as suspended:
                waits.append(suspended)
                continue
            if spec.get("compete"):
                path = f"{at.path}/fork"
                state = {**step.state, "won": {"output": output, "visits": self.visits.inside(path)}}
                self.desk.withdraw(path, step, StepStatus.RUNNING, state)
                return output
            if way == "end":
                raise Ended(output)
            given.append(output)
        if waits:
            raise Suspended(waits[0].why, min((wait.until for wait in waits if wait.until), default=None))
        return given


_COMPOSITES: dict[str, Any] = {"do": Walker.do, "for": Walker.loop, "fork": Walker.fork, "try": retrying.attempt}
assert not DIRECTIVES & set(_COMPOSITES)
