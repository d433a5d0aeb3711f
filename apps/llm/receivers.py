"""Reactions to other apps' events: a new organization gets its providers."""

from __future__ import annotations

from apps.accounts.types import SYSTEM
from apps.core import jobs
from apps.core.doors.consumers import LoggedEvent
from apps.llm import services


def bring_up_organization(event: LoggedEvent) -> None:
    """Idempotent: what is there stays. Asking the providers for their models is a job, after the commit."""
    if event.organization_id is None:
        return
    services.ensure_environment_providers(actor=SYSTEM, organization_id=event.organization_id)
    jobs.after_commit("llm.bring_up_organization", organization_id=event.organization_id)
