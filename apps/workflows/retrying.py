"""``try``: which errors ``catch`` takes, how often and after how long there is another attempt, and how long one may take.

``limit.attempt.duration`` is for each attempt after the first, ``limit.duration`` for all of them together, from the first failure on (as the
schema of the DSL describes them).
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from apps.workflows import problems
from apps.workflows.problems import TaskError
from apps.workflows.types import StepRow, StepStatus, Suspended

if TYPE_CHECKING:
    from apps.workflows.walker import At, Walker

#: Attempts after the first, of a policy that names no number, and of one that names any.
UNLIMITED_TRIES, MOST_TRIES = 10, 100


def policy_of(walker: Walker, caught: Mapping[str, Any]) -> dict[str, Any] | None:
    policy = caught.get("retry")
    if isinstance(policy, str):
        policy = walker.document.get("use", {}).get("retries", {}).get(policy)
    return policy


def catches(walker: Walker, at: At, caught: Mapping[str, Any], failed: TaskError) -> bool:
    if failed.problem.get("code") == "too_many_steps":  # the end of the run, whatever it would do about it
        return False
    if not problems.meets(failed.problem, caught.get("errors", {}).get("with", {})):
        return False
    if "when" in caught and not walker.is_true(at, caught["when"], failed.problem):
        return False
    return not ("exceptWhen" in caught and walker.is_true(at, caught["exceptWhen"], failed.problem))


def attempt(walker: Walker, at: At, step: StepRow) -> Any:
    """``try``: again as often and as long as the policy says, then what ``catch`` says."""
    caught, tries, lost = at.body["catch"], 0, None
    policy = policy_of(walker, caught)
    try:
        while True:
            try:
                return _tried(walker, at, step, policy, tries)
            except TaskError as failed:
                inside = {**at.variables, caught.get("as", "error"): failed.problem}
                here = at.seen_with(inside)
                if not catches(walker, here, caught, failed):
                    raise
                tries += 1
                innermost = walker.failing[0] if walker.failing else None
                walker.failing.clear()
                if policy and again(walker, here, policy, tries, step):
                    if walker.lost is lost:
                        walker.lost = None
                    lost = innermost if innermost and problems.is_effect_unknown(innermost.error) else None
                    walker.lost = lost or walker.lost
                    continue
                return walker.tasks(caught["do"], f"{at.path}/catch", at.value, inside) if "do" in caught else at.value
    finally:
        if walker.lost is lost:
            walker.lost = None


def _tried(walker: Walker, at: At, step: StepRow, policy: Mapping[str, Any] | None, tries: int) -> Any:
    """One attempt. Of another one that waits too long what it waits for is withdrawn, and it failed; how far it came is written with that."""
    path = f"{at.path}/try"
    over = step.state.get("over", {})
    if (visits := over.get(str(tries))) is not None:
        walker.visits.update(visits)
        raise _too_long(path)
    try:
        return walker.tasks(at.body["try"], path, at.value, at.variables)
    except Suspended as suspended:
        until = _until(walker, at, policy, tries, step) if policy and tries else None
        if until is None:
            raise
        if walker.desk.now() < until:
            raise Suspended(suspended.why, min(suspended.until, until) if suspended.until else until) from None
        state = {**step.state, "over": {**over, str(tries): walker.visits.inside(path)}}
        walker.desk.withdraw(path, step, StepStatus.RUNNING, state)
        raise _too_long(path) from None


def _too_long(path: str) -> TaskError:
    return problems.problem("timeout", 408, "This attempt took too long.", code="timeout", instance=path)


def _until(walker: Walker, at: At, policy: Mapping[str, Any], tries: int, step: StepRow) -> datetime | None:
    """When this attempt has to be done: its own time is over then, or the time of all of them."""
    limit, found = policy.get("limit", {}), []
    if "duration" in limit.get("attempt", {}):
        begun = datetime.fromisoformat(step.state["begun"][tries - 1])
        found.append(begun + walker.duration(at, limit["attempt"]["duration"]))
    if "duration" in limit:
        found.append(_since(step) + walker.duration(at, limit["duration"]))
    return min(found, default=None)


def _since(step: StepRow) -> datetime:
    """When the first attempt had failed: from then on the time of all others counts."""
    return datetime.fromisoformat(step.state["since"])


def again(walker: Walker, at: At, policy: Mapping[str, Any], tries: int, step: StepRow) -> bool:
    """Whether there is another attempt; it waits for its time, which is written once."""
    now = walker.desk.now()
    waits: list[str] = step.state.setdefault("waits", [])
    since = step.state.setdefault("since", now.isoformat())
    limit = policy.get("limit", {})
    if len(waits) < tries:
        count = limit.get("attempt", {}).get("count")
        most = MOST_TRIES if "duration" in limit else UNLIMITED_TRIES
        if tries > (most if count is None else min(count, MOST_TRIES)):
            return False
        if "when" in policy and not walker.is_true(at, policy["when"], at.value):
            return False
        if "exceptWhen" in policy and walker.is_true(at, policy["exceptWhen"], at.value):
            return False
        begins = now + _delay(walker, at, policy, tries)
        if "duration" in limit and begins >= datetime.fromisoformat(since) + walker.duration(at, limit["duration"]):
            return False
        waits.append(begins.isoformat())
        walker.desk.change(at, step, StepStatus.RUNNING, state=dict(step.state))
    until = datetime.fromisoformat(waits[tries - 1])
    if tries == len(waits) and until > now:
        raise Suspended("retry", until)
    begun: list[str] = step.state.setdefault("begun", [])
    if len(begun) < tries and "duration" in limit.get("attempt", {}):
        begun += [now.isoformat()] * (tries - len(begun))
        walker.desk.change(at, step, StepStatus.RUNNING, state=dict(step.state))
    return True


def _delay(walker: Walker, at: At, policy: Mapping[str, Any], tries: int) -> timedelta:
    delay = walker.duration(at, policy["delay"]) if "delay" in policy else timedelta(0)
    backoff = policy.get("backoff", {})
    if "exponential" in backoff:
        delay *= 2 ** min(tries - 1, 20)
    elif "linear" in backoff:
        delay *= tries
    if jitter := policy.get("jitter"):
        least, most = walker.duration(at, jitter["from"]), walker.duration(at, jitter["to"])
        delay += least + (most - least) * random.random()  # noqa: S311  (spreads attempts; nothing secret)
    return min(delay, timedelta(days=1))
