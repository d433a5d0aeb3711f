"""What the audit log calls the things of this app."""

from __future__ import annotations

from uuid import UUID

from apps.llm.models import Provider


def find_name(pk: UUID) -> str | None:
    return Provider.objects.filter(pk=pk).values_list("name", flat=True).first()
