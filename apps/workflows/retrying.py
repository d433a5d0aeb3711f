"""``catch`` of ``try``: which errors it takes, and how often and after how long there is another attempt."""

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


def again(walker: Walker, at: At, policy: Mapping[str, Any], tries: int, step: StepRow) -> bool:
    """Whether there is another attempt; it waits for its time, which is written once."""
    waits: list[str] = step.state.setdefault("waits", [])
    if len(waits) < tries:
        limit = policy.get("limit", {}).get("attempt", {}).get("count")
        if tries > (UNLIMITED_TRIES if limit is None else min(limit, MOST_TRIES)):
            return False
        if "when" in policy and not walker.is_true(at, policy["when"], at.value):
            return False
        if "exceptWhen" in policy and walker.is_true(at, policy["exceptWhen"], at.value):
            return False
        wait = _delay(walker, at, policy, tries)
        waits.append((walker.desk.now() + wait).isoformat())
        walker.desk.change(at, step, StepStatus.RUNNING, state=dict(step.state))
    until = datetime.fromisoformat(waits[tries - 1])
    if tries == len(waits) and until > walker.desk.now():
        raise Suspended("retry", until)
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
