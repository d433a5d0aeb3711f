"""What the audit log calls the things of this app."""

from __future__ import annotations

from uuid import UUID

from apps.agents.models import Agent


def find_name(pk: UUID) -> str | None:
    return Agent.objects.filter(pk=pk).values_list("name", flat=True).first()
