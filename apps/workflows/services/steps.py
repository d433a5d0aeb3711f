"""Steps as the engine writes them: one statement each, under the fence of the run, which also keeps the worker's lease."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from psycopg.types.json import Jsonb

from apps.accounts.types import Actor
from apps.core import failpoints
from apps.core.db import prepared
from apps.core.doors.workflow_functions import Gave, Waits, WorkflowCall, WorkflowFunction
from apps.core.events import told_last
from apps.core.ids import uuid7
from apps.core.leases import scaled
from apps.core.storable import storable
from apps.workflows import policies
from apps.workflows.types import (
    MAX_DATA_BYTES,
    DataTooLarge,
    HeldRun,
    LateWriter,
    StepRow,
    StepStatus,
)

LEASE_SECONDS = 20.0
#: What a step remembers: what it gave, the context, what it goes through or has heard.
MOST_STATE = 4 * MAX_DATA_BYTES
_ENDED = frozenset({StepStatus.COMPLETED, StepStatus.SKIPPED, StepStatus.FAILED, StepStatus.CANCELLED})

_HOLD = "SELECT FROM workflows_run WHERE id = %(run)s AND fence = %(fence)s AND status IN ('running', 'paused') FOR NO KEY UPDATE"

_HELD = """
WITH held AS (
  UPDATE workflows_run SET lease_until = clock_timestamp() + %(lease)s, step_count = step_count + %(new)s, crashes = 0,
    cost = cost + %(cost)s, updated_at = clock_timestamp()
  WHERE id = %(run)s AND fence = %(fence)s AND status IN ('running', 'paused')
  RETURNING id, step_count, status, organization_id, project_id
)
"""

_WRITE = f"""{_HELD}
INSERT INTO workflows_step (
  id, organization_id, project_id, run_id, number, path, visit, kind, status, input, output, error, state, wrote, attempts, waits_on,
  wake_at, cost, started_at, ended_at, updated_at
)
SELECT %(id)s, held.organization_id, held.project_id, held.id, held.step_count, %(path)s, %(visit)s, %(kind)s, %(status)s, %(input)s,
  %(output)s, %(error)s, %(state)s, %(wrote)s, 1, %(waits_on)s::uuid, %(wake_at)s::timestamptz, %(cost)s,
  clock_timestamp() - %(took)s, CASE WHEN %(ended)s THEN clock_timestamp() END, clock_timestamp()
FROM held
RETURNING number, (SELECT status FROM held)
"""  # noqa: S608  (constants; every value is bound)

_CHANGE = f"""{_HELD}
UPDATE workflows_step AS step SET status = %(status)s::text, output = %(output)s, error = %(error)s, state = %(state)s,
  wrote = CASE WHEN %(wrote)s::jsonb = '[]' THEN step.wrote ELSE %(wrote)s::jsonb END,
  waits_on = CASE WHEN %(status)s::text = 'waiting' THEN coalesce(%(waits_on)s::uuid, step.waits_on) END,
  wake_at = CASE WHEN %(status)s::text = 'waiting' THEN coalesce(%(wake_at)s::timestamptz, step.wake_at) END,
  cost = step.cost + %(cost)s, attempts = %(attempts)s,
  ended_at = CASE WHEN %(ended)s THEN clock_timestamp() END, updated_at = clock_timestamp()
FROM held WHERE step.id = %(id)s AND step.run_id = held.id
RETURNING step.number, held.status
"""  # noqa: S608  (as above)


def write_step(
    *,
    actor: Actor,
    held: HeldRun,
    path: str,
    visit: int,
    kind: str,
    status: StepStatus,
    step_id: UUID | None = None,
    data: Any = None,
    output: Any = None,
    error: dict[str, Any] | None = None,
    state: dict[str, Any] | None = None,
    wrote: tuple[tuple[UUID, int, int], ...] = (),
    waits_on: UUID | None = None,
    wake_at: datetime | None = None,
    cost: Decimal = Decimal(0),
    seconds: float = 0.0,
) -> tuple[StepRow, str]:
    """A new step, and the status of the run now. ``LateWriter`` when somebody else has the run."""
    policies.require(policies.is_system(actor))
    pk = step_id or uuid7()
    found = _execute(
        _WRITE,
        {
            "new": 1,
            "id": pk,
            "path": path,
            "visit": visit,
            "kind": kind,
            "input": _json(data, MAX_DATA_BYTES),
            "took": timedelta(seconds=seconds),
            **_shared(
                held,
                status,
                output=output,
                error=error,
                state=state,
                wrote=wrote,
                waits_on=waits_on,
                wake_at=wake_at,
                cost=cost,
            ),
        },
    )
    row = StepRow(pk, found[0], path, visit, kind, status, output, error or {}, state or {})
    return row, found[1]


def change_step(
    *,
    actor: Actor,
    held: HeldRun,
    step: StepRow,
    status: StepStatus,
    output: Any = None,
    error: dict[str, Any] | None = None,
    state: dict[str, Any] | None = None,
    wrote: tuple[tuple[UUID, int, int], ...] = (),
    waits_on: UUID | None = None,
    wake_at: datetime | None = None,
    cost: Decimal = Decimal(0),
    attempts: int | None = None,
) -> str:
    """What became of a step that was begun; the row in ``step`` follows. The status of the run now."""
    policies.require(policies.is_system(actor))
    kept = step.state if state is None else state
    found = _execute(
        _CHANGE,
        {
            "new": 0,
            "id": step.step_id,
            "attempts": attempts or step.attempts,
            **_shared(
                held,
                status,
                output=output,
                error=error,
                state=kept,
                wrote=wrote,
                waits_on=waits_on,
                wake_at=wake_at,
                cost=cost,
            ),
        },
    )
    step.status, step.output, step.error, step.state = status, output, error or {}, kept
    step.attempts = attempts or step.attempts
    return str(found[1])


def _shared(
    held: HeldRun,
    status: StepStatus,
    *,
    output: Any,
    error: dict[str, Any] | None,
    state: dict[str, Any] | None,
    wrote: tuple[tuple[UUID, int, int], ...],
    waits_on: UUID | None,
    wake_at: datetime | None,
    cost: Decimal,
) -> dict[str, Any]:
    return {
        "run": held.run_id,
        "fence": held.fence,
        "lease": timedelta(seconds=scaled(LEASE_SECONDS)),
        "status": status.value,
        "output": _json(output, MAX_DATA_BYTES),
        "error": _json(error or {}, MAX_DATA_BYTES),
        "state": _json(state or {}, MOST_STATE),
        "wrote": _json([[str(pk), before, after] for pk, before, after in wrote], MOST_STATE),
        "waits_on": waits_on,
        "wake_at": wake_at,
        "cost": cost,
        "ended": status in _ENDED,
    }


def _json(value: Any, most: int) -> Any:
    require_size(value, most)
    return None if value is None else Jsonb(storable(value))


def require_size(value: Any, most: int) -> None:
    """``DataTooLarge`` as soon as it is more. Counted before anything is made of it: what it has twice is in memory once."""
    left, rest = most, [value]
    while rest:
        each = rest.pop()
        if isinstance(each, str):
            left -= 2 + (len(each) if each.isascii() else len(each.encode("utf-8", "surrogatepass")))
        elif isinstance(each, dict):
            left -= 2 + 4 * len(each)
            rest += each
            rest += each.values()
        elif isinstance(each, list | tuple):
            left -= 2 + 2 * len(each)
            rest += each
        else:
            left -= len(repr(each))
        if left < 0:
            raise DataTooLarge


def hold(held: HeldRun) -> None:
    """Before anything else is locked: whoever goes back, forks or cancels holds the run first, too, and nobody waits for somebody who waits
    for them. ``LateWriter`` when somebody else has it.
    """
    with prepared() as cursor:
        cursor.execute(_HOLD, {"run": held.run_id, "fence": held.fence})
        if cursor.fetchone() is None:
            raise LateWriter


def _execute(sql: str, values: dict[str, Any]) -> tuple[int, str]:
    with prepared() as cursor:
        cursor.execute(sql, values)
        row: Any = cursor.fetchone()
    if row is None:
        raise LateWriter
    failpoints.hit("before_commit")
    return row[0], row[1]


@transaction.atomic
def call_inside(
    *,
    actor: Actor,
    held: HeldRun,
    function: WorkflowFunction,
    call: WorkflowCall,
    path: str,
    visit: int,
    data: Any,
    ends: bool,
) -> tuple[StepRow, str]:
    """What the function does and its step are one transaction. Not ``ends``: what it gave is in ``state["raw"]``, and the step goes on."""
    policies.require(policies.is_system(actor))
    assert function.inside is not None
    hold(held)
    with told_last():
        given = function.inside(call)
        options: dict[str, Any] = {"step_id": call.step_id, "data": data, "path": path, "visit": visit, "kind": "call"}
        if isinstance(given, Waits):
            return write_step(
                actor=actor,
                held=held,
                status=StepStatus.WAITING,
                waits_on=given.subject_id,
                wake_at=given.until,
                state=given.state,
                **options,
            )
        return write_gave(actor=actor, held=held, given=given, ends=ends, **options)


def write_gave(*, actor: Actor, held: HeldRun, given: Gave, ends: bool, **options: Any) -> tuple[StepRow, str]:
    """A step whose function gave something; raw as long as the document says more of it."""
    status = StepStatus.COMPLETED if ends else StepStatus.RUNNING
    return write_step(
        actor=actor,
        held=held,
        status=status,
        output=given.output if ends else None,
        state={} if ends else {"raw": given.output},
        wrote=given.wrote,
        cost=given.cost,
        **options,
    )
