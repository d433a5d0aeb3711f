"""All providers: the platform's from the environment, the organizations' from rows."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from apps.accounts.models import IdentityProvider
from apps.accounts.types import IdentityProviderKind

ISSUERS = {
    IdentityProviderKind.GOOGLE: "https://accounts.google.com",
    IdentityProviderKind.MICROSOFT: "https://login.microsoftonline.com/common/v2.0",
}


@dataclass(frozen=True, slots=True)
class Known:
    """``row`` is None for the platform's own, which speak for no organization."""

    slug: str
    name: str
    kind: IdentityProviderKind
    issuer: str
    client_id: str
    secret: str
    row: IdentityProvider | None = None


def find_known(slug: str) -> Known | None:
    if (own := platform_providers().get(slug)) is not None:
        return own
    row = IdentityProvider.objects.filter(slug=slug, is_enabled=True, organization__deleted_at=None).first()
    return of_row(row) if row else None


def of_row(row: IdentityProvider) -> Known:
    kind = IdentityProviderKind(row.kind)
    issuer = row.issuer or ISSUERS.get(kind, "")
    return Known(row.slug, row.name, kind, issuer, row.client_id, row.client_secret, row)


def platform_providers() -> dict[str, Known]:
    return {
        slug: Known(
            slug,
            said["name"],
            IdentityProviderKind(said["kind"]),
            said.get("issuer", ""),
            said["client_id"],
            said["secret"],
        )
        for slug, said in settings.PARLANCE_IDENTITY_PROVIDERS.items()
    }


def list_offered() -> list[Known]:
    """On the sign-in page: the platform's, and those of the home organization. Others have an address of their own."""
    rows = IdentityProvider.objects.filter(organization__is_home=True, is_enabled=True).order_by("name")
    return [*platform_providers().values(), *map(of_row, rows)]
