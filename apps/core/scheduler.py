"""Celery's beat as a thread of the jobs process.

``-B`` would fork a process for it: 40 MB and a pool of connections, to send a few hints a minute. Use ``-B`` or this
(``PARLANCE_BEAT=1``), in one process of an installation.
"""

from __future__ import annotations

import logging
import os
import threading

from celery import current_app
from celery.beat import Service
from django.db import connections

from apps.core.leases import scaled

logger = logging.getLogger(__name__)

RESTART_SECONDS = 5.0

_stop = threading.Event()


def is_wanted() -> bool:
    return bool(os.environ.get("PARLANCE_BEAT"))


def start_in_background() -> None:
    _stop.clear()
    threading.Thread(target=_run, name="beat", daemon=True).start()


def stop_in_background() -> None:
    """No more hints from now on. Periodic jobs are idempotent: one sent in this moment does no harm."""
    _stop.set()


class _Beat(Service):
    """Ends between two ticks, within a tenth of a second."""

    def start(self, embedded_process: bool = False) -> None:  # noqa: FBT001, FBT002 - Celery's signature
        while not _stop.wait(min(self.scheduler.tick() or 0.1, 1.0)):
            if self.scheduler.should_sync():
                self.scheduler._do_sync()  # noqa: SLF001 - what Celery's own loop does


def _run() -> None:
    """A scheduler that fails is made anew: with the database away it may fail for as long as that is away."""
    while not _stop.is_set():
        try:
            _Beat(current_app._get_current_object(), scheduler_cls=current_app.conf.beat_scheduler).start()  # noqa: SLF001
        except Exception:
            logger.exception("beat_failed")
        finally:
            for each in connections.all(initialized_only=True):
                each.close()
        _stop.wait(scaled(RESTART_SECONDS))
