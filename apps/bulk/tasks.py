"""Jobs of bulk: ids in, one engine each."""

from __future__ import annotations

from uuid import UUID

from apps.bulk import engine, runner, worker  # noqa: F401  (worker follows Celery's signals)
from apps.core.jobs import job


@job("bulk.plan_operation", queue="jobs")
def plan_operation(*, operation_id: str) -> None:
    """Safe to repeat: it only rings. Who has a seat writes the plans that wait, under their leases; a plan that is there stays."""
    engine.work()


@job("bulk.retry_items", queue="jobs")
def retry_items(*, operation_id: str) -> None:
    """Safe to repeat: how far it came stands in the operation's row, which is locked for each piece."""
    engine.retry_items(operation_id=UUID(str(operation_id)))


@job("bulk.work", queue="jobs")
def work() -> None:
    """Safe to repeat: what an item does and its end are one transaction, under a fence; a worker without a seat returns at once."""
    engine.work()


@job("bulk.work_outside", queue="interactive")
def work_outside() -> None:
    """Safe to repeat: it only rings; who takes an item holds its fence. Returns at once, the loop does the work."""
    runner.runner().submit()
