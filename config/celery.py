"""The Celery application: three queues, hints only."""

from __future__ import annotations

import os
import threading
from functools import cached_property
from pathlib import Path
from typing import Any

from celery import Celery
from celery.fixups.django import DjangoFixup, DjangoWorkerFixup
from celery.signals import worker_init, worker_ready, worker_shutting_down
from django.db import connections
from kombu.transport import redis as redis_transport
from kombu.transport import virtual
from redis.exceptions import ResponseError

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


class Hints(virtual.QoS):
    """Keeps in memory what was taken and not begun, and writes nothing about it to Redis.

    Kombu's own books (``unacked``) serve redelivery, which nobody needs here: rows are hinted again. Every task would cost two
    more transactions, and a Redis that is full refuses them, which ends the worker.
    """

    restore_at_shutdown = False

    def restore_visible(self, **_: Any) -> None:
        """Nothing is ever hidden."""


redis_transport.Channel.QoS = Hints
# A Redis that refuses (its disk or its memory is full) is one to come back to; by kombu's own list the worker would end.
redis_transport.Transport.connection_errors += (ResponseError,)


class KeepsConnections(DjangoWorkerFixup):
    """Before and after a task its connection goes back to the process's pool.

    Celery closes the whole pool there: every job would make PostgreSQL start new servers, and plan again what rights make long.
    """

    def on_worker_process_init(self, **kwargs: Any) -> None:
        super().on_worker_process_init(**kwargs)
        super()._close_database()  # the pool that the fork brought along is another process's

    def _close_database(self) -> None:
        for each in connections.all(initialized_only=True):
            each.close()


class Fixup(DjangoFixup):
    @cached_property
    def worker_fixup(self) -> DjangoWorkerFixup:
        return KeepsConnections(self.app)


app = Celery("parlance", fixups=[lambda app: Fixup(app).install()])
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def load_all() -> None:
    """What a worker has in memory when it takes its first task: the supervisor forks workers from a process that has it too."""
    from apps.llm import engine

    app.loader.import_default_modules()
    app.finalize()
    engine.warm_up()


@worker_init.connect
def schedule_periodic(**_: Any) -> None:
    """Jobs that say ``every_seconds`` go to beat, which the worker starts after this."""
    from apps.core import jobs

    app.conf.beat_schedule = {
        each.name: {
            "task": each.name,
            "schedule": each.every_seconds,
            "options": {"queue": each.queue, "expires": each.every_seconds},
        }
        for each in jobs.registered().values()
        if each.every_seconds
    }


@worker_shutting_down.connect
def leave(**_: Any) -> None:
    from apps.core import worker_life

    # Celery sends this from its signal handler: waiting for threads happens elsewhere.
    threading.Thread(target=worker_life.end, name="leave").start()


@worker_ready.connect
def announce_ready(**_: Any) -> None:
    """Whoever started this worker (the supervisor, tests) waits for the file."""
    from apps.core import worker_life

    worker_life.begin()
    if name := os.environ.get("PARLANCE_READY_FILE"):
        Path(name).touch()
