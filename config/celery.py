"""The Celery application: two queues, hints only."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("parlance")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_ready.connect
def announce_ready(**_: Any) -> None:
    """Whoever started this worker (the supervisor, tests) waits for the file."""
    if name := os.environ.get("PARLANCE_READY_FILE"):
        Path(name).touch()
