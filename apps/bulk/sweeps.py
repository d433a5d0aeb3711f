"""What the coordinator does for operations, every few seconds. Each is idempotent."""

from __future__ import annotations

from apps.accounts.types import SYSTEM
from apps.bulk import selectors, services
from apps.bulk.types import Lane
from apps.core import jobs
from apps.core.coordinator import register_lost_hints, register_sweep
from apps.core.leases import RENEW_SECONDS


def hint_waiting() -> None:
    """Items that nobody takes: a hint was lost, a worker died, a limit gave way."""
    if selectors.has_waiting(Lane.INSIDE) and not jobs.hint("bulk.work"):
        return  # Redis is away; the next round tries again
    if selectors.has_waiting(Lane.OUTSIDE):
        jobs.hint("bulk.work_outside")


def reap() -> None:
    services.reap_lapsed(actor=SYSTEM)


def tend() -> None:
    """What must happen within a second; most of the time there is no operation, and one question says so."""
    if not selectors.has_unfinished():
        return
    services.wake_due(actor=SYSTEM)
    services.expire_late(actor=SYSTEM)
    services.close_stopping(actor=SYSTEM)
    hint_waiting()


def find_lost() -> None:
    services.find_lost_cursors(actor=SYSTEM)


def forget() -> None:
    services.expire_unstarted(actor=SYSTEM)
    services.forget_old(actor=SYSTEM)


def register() -> None:
    register_lost_hints("bulk.plan_operation", selectors.list_unplanned, every_seconds=3)
    register_lost_hints("bulk.retry_items", selectors.list_retrying, every_seconds=3)
    register_sweep("bulk operations", 1, tend)
    register_sweep("bulk items of lost workers", 5, reap, settle_seconds=3 * RENEW_SECONDS)
    register_sweep("bulk items that were passed by", 30, find_lost)
    register_sweep("old bulk operations", 3600, forget)
