"""Jobs: a name, a queue, and a hint that travels through Redis. The record of work is a row of the app that owns it."""

from __future__ import annotations

import contextlib
import functools
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

from celery import shared_task
from django.apps import apps
from django.conf import settings
from django.db import transaction
from django.utils.module_loading import autodiscover_modules
from kombu.exceptions import OperationalError
from redis import RedisError

from apps.core import failpoints, job_tallies, kept, limits, redis
from apps.core.correlation import caused_by, current
from apps.core.errors import LimitReached
from apps.core.types import Priority

logger = logging.getLogger(__name__)

#: ``calls``: what waits for other servers, in threads; ``jobs``: what computes, in processes.
Queue = Literal["interactive", "calls", "jobs"]


@dataclass(frozen=True, slots=True)
class Job:
    name: str
    queue: Queue
    task: Any
    every_seconds: float | None = None


_jobs: dict[str, Job] = {}
_under_way: set[object] = set()

AWAY_SECONDS = 2.0
_away_until = 0.0


def job(
    name: str,
    *,
    queue: Queue = "jobs",
    every_seconds: float | None = None,
    time_limit: int | None = None,
    limit: limits.Limit | None = None,
) -> Callable[[Callable[..., None]], Any]:
    """Register a task that takes ids. It acknowledges early; its docstring says why repeating it is safe.

    ``limit`` is for bulk work: how many of this name may start, in all processes together. Beyond it, and the more so while everything is
    busy, a task is put off.
    """

    def register(function: Callable[..., None]) -> Any:
        @functools.wraps(function)
        def run(*, _correlation_id: str = "", **ids: Any) -> None:
            with caused_by(_correlation_id):
                if limit is None or _may_start(name, limit, ids):
                    with contextlib.suppress(kept.Leaving), job_tallies.counted(name), _under_way_here():
                        function(**ids)

        task = shared_task(name=name, acks_late=False, ignore_result=True, soft_time_limit=time_limit)(run)
        if name in _jobs:
            message = f"Job {name} is registered twice."
            raise ValueError(message)
        _jobs[name] = Job(name, queue, task, every_seconds)
        return task

    return register


@contextmanager
def _under_way_here() -> Iterator[None]:
    mark = object()
    _under_way.add(mark)
    try:
        yield
    finally:
        _under_way.discard(mark)


def count_under_way() -> int:
    """Jobs that this process (of a worker with threads) is at."""
    return len(_under_way)


def _may_start(name: str, limit: limits.Limit, ids: dict[str, Any]) -> bool:
    """False: its hint comes again when there is room. Should that be lost, the coordinator finds the row."""
    if not limits.are_on():
        return True
    try:
        limits.take("task", name, limit.rate, limit.burst, priority=Priority.LOW)
    except LimitReached as refusal:
        logger.info("job_put_off", extra={"job": name, "code": refusal.code, **refusal.extra})
        found = find_job(name)
        found.task.apply_async(
            kwargs=ids | {"_correlation_id": current().correlation_id},
            queue=found.queue,
            countdown=refusal.retry_after_seconds,
        )
        return False
    return True


def registered() -> dict[str, Job]:
    """All jobs of all apps."""
    autodiscover_modules("tasks")
    return dict(_jobs)


def find_job(name: str) -> Job:
    """The part before the dot is the app whose ``tasks.py`` registers it; raises ``LookupError`` when it does not."""
    if name not in _jobs and apps.is_installed(f"apps.{name.partition('.')[0]}"):
        import_module(f"apps.{name.partition('.')[0]}.tasks")
    try:
        return _jobs[name]
    except KeyError:
        message = f"No job is called {name}."
        raise LookupError(message) from None


def hint(name: str, **ids: Any) -> bool:
    """Send the hint now. False when Redis is away: the coordinator finds the row and hints again."""
    global _away_until  # noqa: PLW0603  (a broker that just failed is not asked again by the next request)
    registered_job = find_job(name)
    if time.monotonic() < _away_until or redis.is_resting():
        return False
    payload = {key: str(value) for key, value in ids.items()}
    began = time.monotonic()
    try:
        registered_job.task.apply_async(
            kwargs=payload | {"_correlation_id": current().correlation_id},
            queue=registered_job.queue,
            # Once more at once: a connection from before a restart of Redis fails the first time only.
            retry=True,
            retry_policy={"max_retries": 1, "interval_start": 0, "interval_max": 0.1},
        )
    except (OperationalError, RedisError, OSError) as error:
        _away_until = time.monotonic() + AWAY_SECONDS
        if (
            _away_until - began >= AWAY_SECONDS + settings.REDIS_TIMEOUT_SECONDS
        ):  # it was silent: who rings next need not find out too
            redis.rest()
        logger.warning("hint_not_sent", extra={"job": name, "reason": type(error).__name__})
        return False
    failpoints.hit("after_publish")
    return True


def after_commit(name: str, **ids: Any) -> None:
    """Hint the worker once the row it was sent for can be found. An unknown name fails here, inside the test of the service."""
    find_job(name)

    def send() -> None:  # named: Django logs the callback's name, which a partial has not
        failpoints.hit("after_commit")
        hint(name, **ids)

    transaction.on_commit(send, robust=True)
