"""Reads of organizations that are being erased. Nobody has rights there any more: for the coordinator alone."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db.models.functions import Now

from apps.accounts.models import Organization
from apps.core.leases import scaled

#: Longer than any piece takes.
QUIET_SECONDS = 30.0


def list_half_erased() -> list[dict[str, UUID]]:
    """Those that nobody goes on with: the hint was lost, or a worker died."""
    rows = Organization.objects.exclude(erased_for="")
    quiet = rows.filter(updated_at__lt=Now() - timedelta(seconds=scaled(QUIET_SECONDS)))
    return [{"organization_id": pk} for pk in quiet.order_by("updated_at").values_list("pk", flat=True)]
