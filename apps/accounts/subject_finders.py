"""What the audit log calls the things of this app. People it knows by a pseudonym alone, and their keys by the end of their secret."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from apps.accounts.models import ApiKey, IdentityProvider, Organization, Project, Team


def _key(pk: UUID) -> str | None:
    hint = ApiKey.objects.filter(pk=pk).values_list("hint", flat=True).first()
    return f"…{hint}" if hint else None


NAMES: dict[str, Callable[[UUID], str | None]] = {
    "api_key": _key,
    "identity_provider": lambda pk: IdentityProvider.objects.filter(pk=pk).values_list("name", flat=True).first(),
    "organization": lambda pk: Organization.objects.filter(pk=pk).values_list("name", flat=True).first(),
    "project": lambda pk: Project.objects.filter(pk=pk).values_list("name", flat=True).first(),
    "team": lambda pk: Team.objects.filter(pk=pk).values_list("name", flat=True).first(),
}
