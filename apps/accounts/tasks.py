"""Jobs of accounts: ids in, one engine each."""

from __future__ import annotations

from uuid import UUID

from apps.accounts import erasing
from apps.core.jobs import job


@job("accounts.erase_organization")
def erase_organization(*, organization_id: str) -> None:
    """Safe to repeat: what is gone is not found, and two at once take turns."""
    erasing.go_on(UUID(organization_id))
