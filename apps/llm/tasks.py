"""Jobs: what asks other people's servers, away from requests."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from celery.signals import worker_ready
from django.conf import settings

from apps.core.jobs import hint, job
from apps.llm import remote


@job("llm.bring_up_organization", queue="calls")
def bring_up_organization(*, organization_id: str) -> None:
    """Safe to repeat: providers that are there stay, lists of models are read again. The record is the provider's ``checked_at``:
    while it is empty the coordinator sends the hint again.
    """
    remote.bring_up_environment(organization_id=UUID(organization_id))


@job("llm.bring_up_environment", queue="calls", every_seconds=3600)
def bring_up_environment() -> None:
    """Safe to repeat. The environment may name other providers than at the last start, a server on this machine have come or gone
    since, and the hint of the start have been lost: so it is sent again every hour.
    """
    remote.bring_up_all()


@worker_ready.connect(dispatch_uid="llm.begin")
def begin(**_: Any) -> None:
    if settings.PROCESS_ROLE == "jobs":
        hint("llm.bring_up_environment")
