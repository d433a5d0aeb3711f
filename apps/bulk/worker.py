"""The interactive worker's part in bulk: it looks for outside items from its start, and gives them back at its end."""

from __future__ import annotations

from typing import Any

from celery.signals import worker_ready, worker_shutdown, worker_shutting_down
from django.conf import settings

from apps.bulk import runner


@worker_ready.connect
def begin(**_kwargs: Any) -> None:
    """Also with Redis away, when no hint comes."""
    if settings.PROCESS_ROLE == "interactive":
        runner.runner().submit()


@worker_shutting_down.connect
def refuse_more(**_kwargs: Any) -> None:
    if settings.PROCESS_ROLE == "interactive":
        runner.runner().is_closing = True


@worker_shutdown.connect
def drain(**_kwargs: Any) -> None:
    if settings.PROCESS_ROLE == "interactive":
        runner.close()
