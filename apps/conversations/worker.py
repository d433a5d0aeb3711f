"""The interactive worker's life: warm before the first turn, drained before the end."""

from __future__ import annotations

from typing import Any

from celery.signals import worker_init, worker_shutdown, worker_shutting_down
from django.conf import settings

from apps.conversations import runner
from apps.conversations.types import MAX_RUNNING_A_PROCESS


@worker_init.connect
def warm_up(**_kwargs: Any) -> None:
    """Start the loop and import what the first answer would wait for."""
    if settings.PROCESS_ROLE == "interactive":
        runner.runner().warm_up()


@worker_shutting_down.connect
def refuse_more(**_kwargs: Any) -> None:
    """At SIGTERM: no new claims; hints that still arrive find a runner that is closing."""
    if settings.PROCESS_ROLE == "interactive":
        runner.runner().is_closing = True


@worker_shutdown.connect
def drain(**_kwargs: Any) -> None:
    """After the pool: what streams gets 30 s to end by itself, the rest says ``interrupted: shutdown``."""
    if settings.PROCESS_ROLE == "interactive":
        runner.close()


def count_places() -> tuple[int, int]:
    """For the heartbeat: turns that run here, and how many may."""
    if settings.PROCESS_ROLE != "interactive":
        return 0, 0
    return len(runner.runner().running), MAX_RUNNING_A_PROCESS
