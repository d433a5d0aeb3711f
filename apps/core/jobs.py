"""Jobs: a name, a queue, and a hint that travels through Redis. The record of work is a row of the app that owns it."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from celery import shared_task
from django.db import transaction
from kombu.exceptions import OperationalError

from apps.core.correlation import caused_by, current

logger = logging.getLogger(__name__)

Queue = Literal["interactive", "jobs"]


@dataclass(frozen=True, slots=True)
class Job:
    name: str
    queue: Queue
    task: Any
    every_seconds: float | None = None


_jobs: dict[str, Job] = {}


def job(
    name: str, *, queue: Queue = "jobs", every_seconds: float | None = None, time_limit: int | None = None
) -> Callable[[Callable[..., None]], Any]:
    """Register a task that takes ids. It acknowledges early; its docstring says why repeating it is safe."""

    def register(function: Callable[..., None]) -> Any:
        @functools.wraps(function)
        def run(*, _correlation_id: str = "", **ids: Any) -> None:
            with caused_by(_correlation_id):
                function(**ids)

        task = shared_task(name=name, queue=queue, acks_late=False, ignore_result=True, soft_time_limit=time_limit)(run)
        if name in _jobs:
            message = f"Job {name} is registered twice."
            raise ValueError(message)
        _jobs[name] = Job(name, queue, task, every_seconds)
        return task

    return register


def registered() -> dict[str, Job]:
    return dict(_jobs)


def hint(name: str, **ids: Any) -> bool:
    """Send the hint now. False when Redis is away: the coordinator finds the row and hints again."""
    registered_job = _jobs[name]
    payload = {key: str(value) for key, value in ids.items()}
    try:
        registered_job.task.apply_async(
            kwargs=payload | {"_correlation_id": current().correlation_id}, queue=registered_job.queue, retry=False
        )
    except (OperationalError, OSError) as error:
        logger.warning("hint_not_sent", extra={"job": name, "reason": type(error).__name__})
        return False
    return True


def after_commit(name: str, **ids: Any) -> None:
    """Hint the worker once the row it was sent for can be found. An unknown name fails here, inside the test of the service."""
    if name not in _jobs:
        message = f"No job is called {name}."
        raise LookupError(message)
    transaction.on_commit(functools.partial(hint, name, **ids), robust=True)
